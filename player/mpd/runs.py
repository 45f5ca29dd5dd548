"""Runs of equally long segments in ticks: what every addressing form comes down to.

A run is never spread out: which of its segments is at a tick, and where one starts, is arithmetic. Segment `k` of a run
starts `k * duration / parts` ticks after the run, by floor, so neighbours touch whatever the numbers are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from player.clock import SECOND
from player.mpd.model import Period, SegmentList, SegmentTemplate

ENDLESS: int = 1 << 62  # ticks: a single segment that lasts as long as the Period


class Run(NamedTuple):
    """Segments `first` to `stop` (excluded; None: without end) of those that follow each other from `time` on.

    `parts`: segments of one segment sequence, which together last `duration` ticks and share `number` (5.3.9.7).
    """

    time: int
    duration: int
    number: int  # of segment 0
    stop: int | None
    first: int = 0
    parts: int = 1

    def start(self, k: int) -> int:
        return self.time + k * self.duration // self.parts

    def at(self, tick: int) -> int:
        """The segment that contains a tick."""
        return ((tick - self.time + 1) * self.parts - 1) // self.duration

    def before(self, tick: int) -> int:
        """How many segments start before a tick."""
        return -((self.time - tick) * self.parts // self.duration)


class TimeMap(NamedTuple):
    """Ticks of a media timeline on the presentation timeline: tick `offset` lies at `period_us`."""

    period_us: int
    offset: int  # ticks: presentationTimeOffset
    timescale: int

    def us(self, tick: int) -> int:
        return self.period_us + (tick - self.offset) * SECOND // self.timescale

    def tick(self, time_us: int) -> int:
        """The last tick that does not lie after `time_us`."""
        return self.offset + ((time_us - self.period_us + 1) * self.timescale - 1) // SECOND

    def end(self, period: Period) -> int | None:
        """The first tick that does not lie in the Period."""
        return None if period.duration_us is None else self.offset - (-period.duration_us * self.timescale // SECOND)

    def last_us(self, period: Period, shorter: int) -> int | None:
        """Where a Representation ends that is by so many ticks shorter than its Period."""
        return None if period.end_us is None else period.end_us + min(shorter, 0) * SECOND // self.timescale

    def scaled(self, timescale: int) -> TimeMap:
        """The same map for other ticks: a `sidx` brings its own timescale."""
        return TimeMap(self.period_us, self.offset * timescale // self.timescale, timescale)


def of_template(source: SegmentTemplate, *, partial: bool) -> Iterator[Run]:
    """What the MPD says: its runs, or one without end that starts with the Period (5.3.9.5.3).

    `partial`: the template has `$SubNumber$`; without it a sequence can only be asked for as a whole.
    """
    if source.runs is None:
        start = source.presentation_time_offset + source.ept_delta
        yield Run(start, source.duration or 1, source.start_number, None, parts=source.parts if partial else 1)
        return
    for time, duration, repeat, number, parts in source.runs:
        kept = parts if partial else 1
        yield Run(time, duration, number, None if repeat < 0 else (repeat + 1) * kept, parts=kept)


def of_list(source: SegmentList) -> Iterator[Run]:
    """As many segments as the list has, numbered by their position in it."""
    number, left = source.start_number, len(source.segments)
    for time, duration, repeat in _listed(source):
        count = left if repeat < 0 else min(repeat + 1, left)
        if count > 0:
            yield Run(time, duration, number, count)
        number, left = number + count, left - count


def _listed(source: SegmentList) -> Iterator[tuple[int, int, int]]:
    if source.runs is not None:
        return ((run.time, run.duration, run.repeat) for run in source.runs)
    return iter(((source.presentation_time_offset, source.duration or ENDLESS, -1),))


def cut(runs: Iterable[Run], mapping: TimeMap, period: Period, shorter: int = 0) -> Iterator[Run]:
    """Without what ends before the Period starts or starts when it has ended, or `shorter` (below 0) ticks earlier."""
    start, end = mapping.offset, mapping.end(period)
    if end is not None:
        end += min(shorter, 0)
    for run in runs:
        first, stop = max(run.at(start), run.first), run.stop
        if end is not None:
            stop = run.before(end) if stop is None else min(stop, run.before(end))
        if stop is None or first < stop:
            yield run._replace(first=first, stop=stop)


def numbered(runs: Iterable[Run], end_number: int | None) -> Iterator[Run]:
    """Without the segments after `@endNumber`."""
    for run in runs:
        if end_number is None:
            yield run
            continue
        left = (end_number - run.number + 1) * run.parts
        stop = left if run.stop is None else min(run.stop, left)
        if run.first < stop:
            yield run._replace(stop=stop)
