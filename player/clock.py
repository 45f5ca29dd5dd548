"""Time as the machines see it: whole microseconds on the run clock, 0 at the common start.

Wall time is `epoch_us + now()`; nothing else reads wall time.
"""

from __future__ import annotations

from typing import Final, Protocol

SECOND: Final = 1_000_000  # µs
MILLISECOND: Final = 1_000  # µs
VIRTUAL_EPOCH_US: Final = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z, the epoch of every virtual run


class Clock(Protocol):
    """A run clock. `epoch_us` is the wall time (µs since 1970, UTC) of run-clock 0."""

    @property
    def epoch_us(self) -> int: ...

    def now(self) -> int:
        """µs since the common start; negative before it."""
        ...


def us(seconds: float) -> int:
    """Seconds as whole microseconds, rounded to the nearest."""
    return round(seconds * SECOND)


def seconds(time_us: int) -> float:
    """Microseconds as seconds."""
    return time_us / SECOND
