"""From an addressing form to segments, computed when asked for, in exact integers.

Every form becomes runs of equally long segments in ticks. The presentation time of a tick is its floor in µs, so the
segments of a track touch each other without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from player.mpd.index_reads import IndexRead, Reference, addresses, before_index, missing_index
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
from player.mpd.runs import ENDLESS, Run, TimeMap, cut, numbered, of_list, of_template
from player.mpd.template import Template, compile_template

SHORTFALL_US: Final = 500_000  # a track may end a little before its Period: audio frames do not add up to whole seconds
MAX_MADE: Final = 4096  # an MPD that never changes may be played for days


class SegmentIndex:
    """The segments of one Representation in one version of the MPD, shared by all clients: a segment is made once.

    `initialization`: None where segments initialize themselves. `index`: what must be fetched before there are segments
    (the `sidx`, or the next of several); None where nothing is missing. `searched`: it may lie elsewhere at the start
    of the resource. `ended`: no segment can ever come after the last.
    """

    __slots__ = (
        "_addresses", "_complete", "_end_us", "_first_number", "_made", "_mapping", "_offset_us", "_runs", "_starts",
        "ended", "index", "initialization", "searched",
    )  # fmt: skip

    def __init__(
        self,
        *,
        mapping: TimeMap,
        runs: Iterable[Run] = (),
        addresses: Template | Sequence[Resource] = (),
        first_number: int = 0,
        end_us: int | None = None,
        offset_us: int | None = 0,
        complete: bool = True,
        initialization: Resource | None,
        index: Resource | None = None,
        searched: bool = False,
        ended: bool = True,
    ) -> None:
        self._mapping = mapping
        self._runs = tuple(runs)
        self._starts = [run.start(run.first) for run in self._runs]
        self._addresses = addresses
        self._first_number = first_number  # of the first address, where they are listed
        self._end_us = end_us  # where the last segment is cut short, not listed as such
        self._offset_us = offset_us
        self._complete = complete
        self._made: dict[int, Segment] = {}  # by time
        self.initialization = initialization
        self.index = index
        self.searched = searched
        self.ended = ended

    @property
    def end_us(self) -> int | None:
        """End of the last segment that is known; None: none is, or there is no last one."""
        stop = self._runs[-1].stop if self._runs else None
        return None if stop is None else self._mapping.us(self._runs[-1].start(stop))

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
            k = run.at(tick) + step
            if run.stop is None or k < run.stop:
                return self._segment(run, k)
        if i + 1 == len(self._runs):
            return None
        run = self._runs[i + 1]
        return self._segment(run, run.first)

    def _segment(self, run: Run, k: int) -> Segment:
        time = run.start(k)
        made = self._made.get(time)
        if made is None:
            if len(self._made) >= MAX_MADE:
                self._made.clear()
            made = self._made[time] = self._make(run, time, k)
        return made

    def _make(self, run: Run, time: int, k: int) -> Segment:
        sequence, part = divmod(k, run.parts)
        number, end = run.number + sequence, run.start(k + 1)
        end_us = self._mapping.us(end)
        whole = run.parts == 1
        return Segment(
            number=number,
            time=time,
            duration=end - time,
            timescale=self._mapping.timescale,
            start_us=self._mapping.us(time),
            end_us=end_us if self._end_us is None else min(end_us, self._end_us),
            resource=self._resource(number, run.time + sequence * run.duration, part),
            # a part is there once it is complete itself: what an offset says of its sequence is said by its size
            availability_time_offset_us=self._offset_us if whole or self._offset_us is None else 0,
            complete=self._complete or not whole,
        )

    def _resource(self, number: int, time: int, part: int) -> Resource:
        if isinstance(self._addresses, Template):
            return Resource(url=self._addresses.url(number, time, part))
        return self._addresses[number - self._first_number]


def segment_index(
    presentation: Presentation,
    period: Period,
    representation: Representation,
    read: IndexRead | None = None,
) -> SegmentIndex:
    """The index of a Representation. `read`: what its `sidx` says, as far as it was fetched."""
    source = representation.source
    mapping = TimeMap(period.start_us, source.presentation_time_offset, source.timescale)
    match source:
        case SegmentTemplate():
            return _of_template(source, mapping, presentation, period, representation)
        case SegmentBase():
            return _of_base(source, mapping, period, representation.base_urls[0], read)
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
    media = compile_template(source.media, base_url, representation.id, bandwidth)
    shorter = source.pd_delta if source.runs is None else 0
    within = cut(of_template(source, partial=media.partial), mapping, period, shorter)
    runs = tuple(numbered(within, source.end_number))
    initialization = None
    if source.initialization is not None:
        template = compile_template(source.initialization, base_url, representation.id, bandwidth)
        initialization = Resource(url=template.url())
    return SegmentIndex(
        mapping=mapping,
        runs=runs,
        addresses=media,
        end_us=mapping.last_us(period, shorter) if source.runs is None else None,
        offset_us=source.availability_time_offset_us,
        complete=source.complete,
        initialization=initialization,
        ended=_ended(source.runs, runs, mapping, presentation, period),
    )


def _of_list(source: SegmentList, mapping: TimeMap, presentation: Presentation, period: Period) -> SegmentIndex:
    runs = tuple(cut(of_list(source), mapping, period))
    return SegmentIndex(
        mapping=mapping,
        runs=runs,
        addresses=source.segments,
        first_number=source.start_number,
        end_us=period.end_us if source.runs is None else None,
        offset_us=source.availability_time_offset_us,
        complete=source.complete,
        initialization=source.initialization,
        ended=_ended(source.runs or (), runs, mapping, presentation, period),
    )


def _of_base(source: SegmentBase, mapping: TimeMap, period: Period, url: str, read: IndexRead | None) -> SegmentIndex:
    initialization = source.initialization or before_index(source, url, read)
    missing = missing_index(source, url, read)
    if missing is not None or read is None:
        searched = source.index is None and source.index_range is None
        return SegmentIndex(mapping=mapping, initialization=initialization, index=missing, searched=searched)
    mapping = mapping.scaled(read.timescale or source.timescale)
    media = [reference for reference in map(Reference._make, read.references) if reference.duration and reference.size]
    runs = (Run(one.time, one.duration, number, 1) for number, one in enumerate(media))
    return SegmentIndex(
        mapping=mapping,
        runs=cut(runs, mapping, period),
        addresses=addresses(source, url, read, media),
        end_us=period.end_us if media and media[-1].duration == ENDLESS else None,
        initialization=initialization,
    )


def _ended(
    listed: Sequence[TimelineRun] | None,
    runs: Sequence[Run],
    mapping: TimeMap,
    presentation: Presentation,
    period: Period,
) -> bool:
    """Whether the last segment known is the last there will be."""
    stop = runs[-1].stop if runs else 0
    if stop is None:
        return False
    settled = not presentation.dynamic or presentation.minimum_update_us is None
    if listed is None or settled or _followed(presentation, period):
        return True
    if not stop or period.end_us is None:
        return False
    return mapping.us(runs[-1].start(stop)) >= period.end_us - SHORTFALL_US


def _followed(presentation: Presentation, period: Period) -> bool:
    """Whether a later Period lists segments already: then this one is complete."""
    later = (one for one in presentation.periods if one.start_us > period.start_us)
    sources = (part.source for one in later for group in one.adaptation_sets for part in group.representations)
    return any(isinstance(source, SegmentTemplate) and source.runs for source in sources)
