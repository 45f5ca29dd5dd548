"""From an addressing form to segments, computed when asked for, in exact integers.

Every form becomes runs of equally long segments in ticks. The presentation time of a tick is its floor in µs, so the
segments of a track touch each other without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, assert_never

from player.mpd.model import (
    ByteRange,
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
SEARCHED_BYTES: Final = 8192  # first read of a resource whose index lies somewhere at its start: a moov and a sidx


class Reference(NamedTuple):
    """One entry of a `sidx`; `further`: it leads to another one."""

    time: int  # ticks
    duration: int  # ticks
    first_byte: int
    size: int
    further: bool = False


class IndexRead(NamedTuple):
    """What was read so far of the index of a Representation.

    `timescale` 0: that of the MPD. `start` and `end`: where the first index lies in its resource.
    """

    timescale: int
    references: Sequence[tuple[int, int, int, int, bool]]  # each a Reference
    start: int
    end: int


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
    runs = tuple(numbered(cut(of_template(source, partial=media.partial), mapping, period), source.end_number))
    initialization = None
    if source.initialization is not None:
        template = compile_template(source.initialization, base_url, representation.id, bandwidth)
        initialization = Resource(url=template.url())
    return SegmentIndex(
        mapping=mapping,
        runs=runs,
        addresses=media,
        end_us=period.end_us if source.runs is None else None,
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
    initialization = source.initialization or _before_index(source, url, read)
    missing = _missing_index(source, url, read)
    if missing is not None or read is None:
        searched = source.index is None and source.index_range is None
        return SegmentIndex(mapping=mapping, initialization=initialization, index=missing, searched=searched)
    mapping = mapping.scaled(read.timescale or source.timescale)
    media = [reference for reference in map(Reference._make, read.references) if reference.duration and reference.size]
    shift = 0 if source.index is None or source.index.url == url else -read.end
    return SegmentIndex(
        mapping=mapping,
        runs=cut((Run(one.time, one.duration, number, 1) for number, one in enumerate(media)), mapping, period),
        addresses=tuple(Resource(url=url, byte_range=_bytes(one, shift)) for one in media),
        end_us=period.end_us if media and media[-1].duration == ENDLESS else None,
        initialization=initialization,
    )


def _missing_index(source: SegmentBase, url: str, read: IndexRead | None) -> Resource | None:
    """What is to be fetched before the segments are known, one index after the other."""
    if read is not None:
        further = next((one for one in map(Reference._make, read.references) if one.further), None)
        index_url = url if source.index is None else source.index.url
        return None if further is None else Resource(url=index_url, byte_range=_bytes(further, 0))
    return source.index or Resource(url=url, byte_range=source.index_range or (0, SEARCHED_BYTES - 1))


def _before_index(source: SegmentBase, url: str, read: IndexRead | None) -> Resource | None:
    """A self-initializing segment: what comes before the index initializes (6.3.5.2)."""
    start = source.index_range[0] if source.index_range is not None else 0 if read is None else read.start
    return Resource(url=url, byte_range=(0, start - 1)) if start and source.index is None else None


def _bytes(reference: Reference, shift: int) -> ByteRange:
    first = reference.first_byte + shift
    return first, first + reference.size - 1


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
