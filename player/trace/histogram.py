"""Latency histograms that add up: log-linear, unit 1 µs, 64 linear steps a power of two, to 2**32 µs.

A bucket is at most 1/64 (1.6 %) of its values wide. Two histograms merge by adding counters, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

STEPS_BITS: Final = 6
STEPS: Final = 1 << STEPS_BITS  # linear steps a power of two
RANGE_BITS: Final = 32
COUNTERS: Final = STEPS * (RANGE_BITS - STEPS_BITS + 1)  # 1,728
LAST_US: Final = (1 << RANGE_BITS) - 1


def bucket(value_us: int) -> int:
    """Index of the counter for `value_us` >= 0; everything beyond the range falls into the last."""
    value = min(value_us, LAST_US)
    shift = max(0, value.bit_length() - STEPS_BITS - 1)
    return (shift << STEPS_BITS) + (value >> shift)


def upper_edge(index: int) -> int:
    """The greatest value (µs) that falls into the counter `index`."""
    if index < 2 * STEPS:
        return index
    shift = (index >> STEPS_BITS) - 1
    return ((index - (shift << STEPS_BITS) + 1) << shift) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A histogram as plain values: counters by index, zeros left out. `early` counts negative values."""

    counters: Mapping[int, int]
    count: int
    sum: int
    min: int | None
    max: int | None
    early: int


class Histogram:
    """Counts values in µs; `count`, `sum`, `min` and `max` are exact. Negative values are counted in `early` alone."""

    __slots__ = ("_counters", "count", "early", "max", "min", "sum")

    def __init__(self) -> None:
        self._counters: dict[int, int] = {}
        self.count = 0
        self.sum = 0
        self.min: int | None = None
        self.max: int | None = None
        self.early = 0

    def add(self, value_us: int, times: int = 1) -> None:
        if value_us < 0:
            self.early += times
            return
        index = bucket(value_us)
        self._counters[index] = self._counters.get(index, 0) + times
        self.count += times
        self.sum += value_us * times
        self._widen(value_us, value_us)

    def merge(self, other: Histogram) -> None:
        """Add all that `other` has counted."""
        for index, times in other._counters.items():
            self._counters[index] = self._counters.get(index, 0) + times
        self.count += other.count
        self.sum += other.sum
        self.early += other.early
        if other.min is not None and other.max is not None:
            self._widen(other.min, other.max)

    def percentile(self, percent: float) -> int | None:
        """Upper edge of the bucket where `percent` (0 to 100) of the values are reached, at most `max`; None: empty."""
        if self.max is None:
            return None
        wanted = max(1, ceil(self.count * percent / 100))
        reached = 0
        for index in sorted(self._counters):
            reached += self._counters[index]
            if reached >= wanted and index < COUNTERS - 1:  # the last counter is open above
                return min(upper_edge(index), self.max)
        return self.max

    def snapshot(self) -> Snapshot:
        counters = {index: self._counters[index] for index in sorted(self._counters)}
        return Snapshot(counters=counters, count=self.count, sum=self.sum, min=self.min, max=self.max, early=self.early)

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Histogram:
        """Raises: ValueError where a counter lies outside the range or the counts do not add up."""
        if any(not 0 <= index < COUNTERS or times < 0 for index, times in snapshot.counters.items()):
            raise ValueError("a histogram has counters 0 to 1727, each at least 0")
        if sum(snapshot.counters.values()) != snapshot.count:
            raise ValueError("the counters of the histogram do not add up to its count")
        self = cls()
        self._counters = dict(snapshot.counters)
        self.count, self.sum, self.early = snapshot.count, snapshot.sum, snapshot.early
        self.min, self.max = snapshot.min, snapshot.max
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.snapshot() == other.snapshot()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _widen(self, low: int, high: int) -> None:
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)
