"""The one place that reads wall time: the run clock of real runs."""

from __future__ import annotations

import asyncio
import time

from player.clock import Clock
from player.runtime.virtual_loop import VirtualLoop

_NS: int = 1_000  # nanoseconds in a microsecond


class SystemClock:
    """The run clock over `monotonic_ns`: uvloop's own clock stands still for a whole millisecond and is not used.

    `epoch_us` is the wall time of run-clock 0, now if not given; it may lie ahead, then the clock starts below 0.
    """

    __slots__ = ("_zero_ns", "epoch_us")

    def __init__(self, epoch_us: int | None = None) -> None:
        wall_us = time.time_ns() // _NS
        self.epoch_us: int = wall_us if epoch_us is None else epoch_us
        self._zero_ns = time.monotonic_ns() - (wall_us - self.epoch_us) * _NS

    def now(self) -> int:
        return (time.monotonic_ns() - self._zero_ns) // _NS


def wall_ms() -> int:
    """Wall time for what outlives a run: ms since the epoch."""
    return time.time_ns() // 1_000_000


def running_clock() -> Clock:
    """The virtual loop where one is running, else a new system clock that starts now."""
    loop = asyncio.get_running_loop()
    return loop if isinstance(loop, VirtualLoop) else SystemClock()
