"""A parsed MPD: immutable, shared by every client that was served the same bytes.

Times of the model are whole microseconds: `*_us` relative to the start of the presentation, `*_wall_us` since 1970 UTC.
Segment times stay in ticks until `mpd.timeline` computes a segment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from player.ids import KeyId

ByteRange = tuple[int, int]
"""First and last byte, both included, as in an HTTP Range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentProtection:
    """One ContentProtection element, `@ref` resolved (ISO/IEC 23009-1, 5.8.4.1)."""

    scheme: str  # schemeIdUri in lower case
    value: str = ""
    default_kids: tuple[KeyId, ...] = ()
    pssh: tuple[bytes, ...] = ()  # decoded cenc:pssh, one box each
    pro: bytes | None = None  # decoded mspr:pro
    license_urls: tuple[str, ...] = ()  # by precedence of the namespaces; equal alternatives
    authorization_urls: tuple[str, ...] = ()
    robustness: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MpdEvent:
    """One Event of an EventStream; `start_us` on the presentation timeline."""

    id: str
    start_us: int
    duration_us: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    scheme: str
    value: str
    events: tuple[MpdEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Something to fetch: an absolute URL, or a part of it."""

    url: str
    byte_range: ByteRange | None = None


class TimelineRun(NamedTuple):
    """One `S` of a SegmentTimeline; `repeat` -1: until the next run or the end."""

    time: int  # ticks; resolved, never implicit
    duration: int  # ticks
    repeat: int  # further segments of the same duration
    number: int  # number of the first segment of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTemplate:
    """SegmentTemplate with everything inherited; exactly one of `duration` and `runs` is given."""

    timescale: int
    presentation_time_offset: int
    start_number: int
    end_number: int | None
    duration: int | None  # ticks
    runs: tuple[TimelineRun, ...] | None
    initialization: str | None  # a template
    media: str  # a template
    availability_time_offset_us: int | None = 0  # None: INF


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentBase:
    """SegmentBase: one resource, addressed through its `sidx`."""

    timescale: int
    presentation_time_offset: int
    initialization: Resource | None
    index_range: ByteRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentList:
    """SegmentList with a constant duration or a timeline."""

    timescale: int
    presentation_time_offset: int
    start_number: int
    duration: int | None  # ticks; neither this nor `runs`: one segment that lasts as long as the Period
    runs: tuple[TimelineRun, ...] | None
    initialization: Resource | None
    segments: tuple[Resource, ...]


SegmentSource = SegmentTemplate | SegmentBase | SegmentList


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    id: str
    bandwidth: int  # bit/s
    mime_type: str
    codecs: str
    base_urls: tuple[str, ...]  # absolute, at least one
    source: SegmentSource
    width: int | None = None
    height: int | None = None
    protections: tuple[ContentProtection, ...] = ()  # of this element alone


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationSet:
    id: str  # @id, else its position in the Period
    kind: str  # "video", "audio", "text", "image" or "unknown"
    lang: str
    representations: tuple[Representation, ...]  # in document order
    protections: tuple[ContentProtection, ...] = ()  # of this element and what it inherits from Period and MPD
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    id: str  # @id, else "p" and its start in µs; none twice
    start_us: int
    duration_us: int | None  # None: open
    adaptation_sets: tuple[AdaptationSet, ...]
    event_streams: tuple[EventStream, ...] = ()

    @property
    def end_us(self) -> int | None:
        return None if self.duration_us is None else self.start_us + self.duration_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    url: str  # where it came from, after redirects
    dynamic: bool
    periods: tuple[Period, ...]
    duration_us: int | None = None
    availability_start_wall_us: int = 0  # dynamic only
    availability_end_wall_us: int | None = None
    publish_wall_us: int | None = None
    minimum_update_us: int | None = None  # None: never refreshed
    time_shift_us: int | None = None  # None: unbounded
    suggested_delay_us: int | None = None
    utc_timings: tuple[tuple[str, str], ...] = ()  # (schemeIdUri, value)
    locations: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)


class Segment(NamedTuple):
    """One media segment, computed when asked for. `start_us` and `end_us` on the presentation timeline."""

    number: int  # $Number$, or the position in a list or sidx
    time: int  # $Time$: ticks on the media timeline
    duration: int  # ticks
    timescale: int
    start_us: int
    end_us: int
    resource: Resource
    availability_time_offset_us: int | None = 0  # available this much before it is complete; None: INF
