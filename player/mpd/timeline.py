"""From an addressing form to segments, computed when asked for, in exact integers.

Every form becomes runs of equally long segments in ticks. The presentation time of a tick is its floor in µs, so the
segments of a track touch each other without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, assert_never

from player.clock import SECOND
from player.mpd.model import (
    Period,
    Presentation,
    Representation,
    Resource,
    Segment,
    SegmentBase,
    SegmentList,
    SegmentTemplate,
    TimelineRun,
)
from player.mpd.template import Template, compile_template

References = tuple[tuple[int, int, int, int], ...]
"""(time in ticks, duration in ticks, first byte, bytes) of each media reference of a `sidx`."""

SHORTFALL_US: Final = 500_000  # a track may end a little before its Period: audio frames do not add up to whole seconds
MAX_MADE: Final = 4096  # an MPD that never changes may be played for days


class Run(NamedTuple):
    """`length` segments of `duration` ticks from `time` on, None: without end. `number` is that of the first."""

    time: int
    duration: int
    number: int
    length: int | None


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

    def scaled(self, timescale: int) -> TimeMap:
        """The same map for other ticks: a `sidx` brings its own timescale."""
        return TimeMap(self.period_us, self.offset * timescale // self.timescale, timescale)


class SegmentIndex:
    """The segments of one Representation in one version of the MPD, shared by all clients: a segment is made once.

    `initialization`: None where segments initialize themselves. `index`: the `sidx` that must be fetched first, with
    times in `index_timescale`; None where nothing is missing. `ended`: no segment can ever come after the last.
    """

    __slots__ = (
        "_addresses", "_end_us", "_made", "_mapping", "_offset_us", "_runs", "_starts",
        "ended", "index", "index_timescale", "initialization",
    )  # fmt: skip

    def __init__(
        self,
        *,
        mapping: TimeMap,
        runs: Iterable[Run] = (),
        addresses: Template | Sequence[Resource] = (),
        end_us: int | None = None,
        offset_us: int | None = 0,
        initialization: Resource | None,
        index: Resource | None = None,
        ended: bool = True,
    ) -> None:
        self._mapping = mapping
        self._runs = tuple(runs)
        self._starts = [run.time for run in self._runs]
        self._addresses = addresses
        self._end_us = end_us  # where the last segment is cut short, not listed as such
        self._offset_us = offset_us
        self._made: dict[int, Segment] = {}  # by time
        self.initialization = initialization
        self.index = index
        self.index_timescale = mapping.timescale
        self.ended = ended

    def locate(self, time_us: int) -> Segment | None:
        """The segment that contains a presentation time, or the next one after a gap; None: there is none (yet)."""
        if self._end_us is not None and time_us >= self._end_us:
            return None
        return self._at(self._mapping.tick(time_us), 0)

    def after(self, segment: Segment) -> Segment | None:
        """The following segment; the one given may come from an earlier version of the MPD."""
        return self._at(segment.time, 1)

    def _at(self, tick: int, step: int) -> Segment | None:
        """`step` segments behind the one that contains `tick`; the next one where that run has ended."""
        i = bisect_right(self._starts, tick) - 1
        if i >= 0:
            run = self._runs[i]
            k = (tick - run.time) // run.duration + step
            if run.length is None or k < run.length:
                return self._segment(run, k)
        return self._segment(self._runs[i + 1], 0) if i + 1 < len(self._runs) else None

    def _segment(self, run: Run, k: int) -> Segment:
        time = run.time + k * run.duration
        made = self._made.get(time)
        if made is None:
            if len(self._made) >= MAX_MADE:
                self._made.clear()
            made = self._made[time] = self._make(run, time, run.number + k)
        return made

    def _make(self, run: Run, time: int, number: int) -> Segment:
        end_us = self._mapping.us(time + run.duration)
        return Segment(
            number=number,
            time=time,
            duration=run.duration,
            timescale=self._mapping.timescale,
            start_us=self._mapping.us(time),
            end_us=end_us if self._end_us is None else min(end_us, self._end_us),
            resource=self._resource(number, time),
            availability_time_offset_us=self._offset_us,
        )

    def _resource(self, number: int, time: int) -> Resource:
        if isinstance(self._addresses, Template):
            return Resource(url=self._addresses.url(number, time))
        return self._addresses[number - self._runs[0].number]


def segment_index(
    presentation: Presentation,
    period: Period,
    representation: Representation,
    references: References | None = None,
    references_timescale: int | None = None,
) -> SegmentIndex:
    """The index of a Representation.

    `references`: what its `sidx` says, once fetched, in ticks of `references_timescale`; None: in those of the MPD.
    """
    source = representation.source
    mapping = TimeMap(period.start_us, source.presentation_time_offset, source.timescale)
    match source:
        case SegmentTemplate():
            return _of_template(source, mapping, presentation, period, representation)
        case SegmentBase():
            mapping = mapping.scaled(references_timescale or source.timescale)
            return _of_base(source, mapping, period, representation, references)
        case SegmentList():
            return _of_list(source, mapping, presentation, period)
        case _:
            assert_never(source)


def _of_template(
    source: SegmentTemplate,
    mapping: TimeMap,
    presentation: Presentation,
    period: Period,
    representation: Representation,
) -> SegmentIndex:
    base_url, bandwidth = representation.base_urls[0], representation.bandwidth
    runs = tuple(_numbered(_cut(_listed(source), mapping, period), source.end_number))
    initialization = None
    if source.initialization is not None:
        template = compile_template(source.initialization, base_url, representation.id, bandwidth)
        initialization = Resource(url=template.url())
    return SegmentIndex(
        mapping=mapping,
        runs=runs,
        addresses=compile_template(source.media, base_url, representation.id, bandwidth),
        end_us=period.end_us if source.runs is None else None,
        offset_us=source.availability_time_offset_us,
        initialization=initialization,
        ended=_ended(source.runs, runs, mapping, presentation, period),
    )


def _of_base(
    source: SegmentBase,
    mapping: TimeMap,
    period: Period,
    representation: Representation,
    references: References | None,
) -> SegmentIndex:
    url = representation.base_urls[0]
    if references is None:
        index = Resource(url=url, byte_range=source.index_range)
        return SegmentIndex(mapping=mapping, initialization=source.initialization, index=index)
    media = [reference for reference in references if reference[1] > 0 and reference[3] > 0]
    runs = (Run(time, duration, number, 1) for number, (time, duration, _, _) in enumerate(media))
    kept = tuple(_cut(runs, mapping, period))
    first = kept[0].number if kept else 0
    addresses = tuple(Resource(url=url, byte_range=(start, start + size - 1)) for _, _, start, size in media[first:])
    return SegmentIndex(mapping=mapping, runs=kept, addresses=addresses, initialization=source.initialization)


def _of_list(source: SegmentList, mapping: TimeMap, presentation: Presentation, period: Period) -> SegmentIndex:
    runs = tuple(_cut(_counted(_listed(source), source.start_number, len(source.segments)), mapping, period))
    first = runs[0].number - source.start_number if runs else 0
    return SegmentIndex(
        mapping=mapping,
        runs=runs,
        addresses=source.segments[first:],
        end_us=period.end_us if source.runs is None else None,
        initialization=source.initialization,
        ended=_ended(source.runs or (), runs, mapping, presentation, period),
    )


def _listed(source: SegmentTemplate | SegmentList) -> Iterator[Run]:
    """What the MPD says: its runs, or one without end that starts with the Period (5.3.9.5.3)."""
    if source.runs is not None:
        return (_run(run) for run in source.runs)
    origin = source.presentation_time_offset
    if source.duration is None:  # a list of one segment that lasts as long as the Period
        return iter((Run(origin, 1 << 62, source.start_number, 1),))
    return iter((Run(origin, source.duration, source.start_number, None),))


def _run(run: TimelineRun) -> Run:
    return Run(run.time, run.duration, run.number, None if run.repeat < 0 else run.repeat + 1)


def _cut(runs: Iterable[Run], mapping: TimeMap, period: Period) -> Iterator[Run]:
    """Without what ends before the Period starts or starts when it has ended."""
    start = mapping.offset
    end = None if period.duration_us is None else start - (-period.duration_us * mapping.timescale // SECOND)
    for time, duration, number, count in runs:
        skipped = max((start - time) // duration, 0)
        left = None if count is None else count - skipped
        if end is not None:
            fits = -((time + skipped * duration - end) // duration)
            left = fits if left is None else min(left, fits)
        if left is None or left > 0:
            yield Run(time + skipped * duration, duration, number + skipped, left)


def _numbered(runs: Iterable[Run], end_number: int | None) -> Iterator[Run]:
    """Without the segments after `@endNumber`."""
    for run in runs:
        left = None if end_number is None else end_number - run.number + 1
        count = run.length if left is None or (run.length is not None and run.length <= left) else left
        if count is None or count > 0:
            yield run._replace(length=count)


def _counted(runs: Iterable[Run], number: int, left: int) -> Iterator[Run]:
    """As many as a list has, numbered by their position in it."""
    for run in runs:
        count = left if run.length is None else min(run.length, left)
        if count > 0:
            yield run._replace(number=number, length=count)
        number, left = number + count, left - count


def _ended(
    listed: Sequence[TimelineRun] | None,
    runs: Sequence[Run],
    mapping: TimeMap,
    presentation: Presentation,
    period: Period,
) -> bool:
    """Whether the last segment known is the last there will be."""
    length = runs[-1].length if runs else 0
    if length is None:
        return False
    settled = not presentation.dynamic or presentation.minimum_update_us is None
    if listed is None or settled or _followed(presentation, period):
        return True
    if not length or period.end_us is None:
        return False
    last = runs[-1]
    return mapping.us(last.time + last.duration * length) >= period.end_us - SHORTFALL_US


def _followed(presentation: Presentation, period: Period) -> bool:
    """Whether a later Period lists segments already: then this one is complete."""
    later = (one for one in presentation.periods if one.start_us > period.start_us)
    sources = (part.source for one in later for group in one.adaptation_sets for part in group.representations)
    return any(isinstance(source, SegmentTemplate) and source.runs for source in sources)
