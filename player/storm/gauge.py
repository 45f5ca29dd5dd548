"""What the generator itself did: its lateness, CPU, memory and garbage collections. A run is only as good as these."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from player.clock import Clock
from player.trace.histogram import Histogram

_PROBE_S: Final = 0.01
_BYTES_OF_MAXRSS: Final = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes there, KiB elsewhere
_STATM: Final = Path("/proc/self/statm")  # Linux: pages, the second number those resident


@dataclass(slots=True)
class Gauge:
    """`probe`: how late a timer of 10 ms fires. `cpu`: each second's end on the run clock (µs), and CPU over wall time.

    `late_start_us`: how long after run-clock 0 the clients could begin. `rss_kib_before`: before the first run of this
    process. Real clock only.
    """

    probe: Histogram = field(default_factory=Histogram)
    cpu: list[tuple[int, float]] = field(default_factory=list)
    late_start_us: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    rss_kib_before: int = 0
    rss_kib_after: int = 0
    collections: list[float] = field(default_factory=list)  # seconds of each pause
    _began: float = 0.0

    @contextmanager
    def measuring(self, clock: Clock, *, real: bool) -> Iterator[None]:
        """From here to the end of the block."""
        self.late_start_us = max(0, clock.now())
        self.rss_kib_before = _rss_kib_before_any_run()
        cpu, wall = time.process_time(), time.perf_counter()
        probe = asyncio.ensure_future(self._probe(clock)) if real else None
        gc.callbacks.append(self._collected)
        try:
            yield
        finally:
            gc.callbacks.remove(self._collected)
            if probe is not None:
                probe.cancel()
            self.cpu_s, self.wall_s = time.process_time() - cpu, time.perf_counter() - wall
            self.rss_kib_after = _rss_kib()

    async def _probe(self, clock: Clock) -> None:
        second, cpu = time.perf_counter(), time.process_time()
        while True:
            due = time.perf_counter() + _PROBE_S
            await asyncio.sleep(_PROBE_S)
            now = time.perf_counter()
            self.probe.add(max(0, round((now - due) * 1_000_000)))
            if now - second >= 1:
                used = time.process_time()
                self.cpu.append((clock.now(), (used - cpu) / (now - second)))
                second, cpu = now, used

    def _collected(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.collections.append(time.perf_counter() - self._began)


@cache
def _rss_kib_before_any_run() -> int:
    """Of this process: what one run has freed the next one takes again, and would seem to need nothing."""
    return _rss_kib()


def _rss_kib() -> int:
    """What is resident now; where the system does not tell, the most that ever was."""
    if _STATM.exists():
        return int(_STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_OF_MAXRSS // 1024
