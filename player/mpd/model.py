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
class Resource:
    """Something to fetch: an absolute URL, or a part of it."""

    url: str
    byte_range: ByteRange | None = None


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
class Descriptor:
    """A property, role or other descriptor (5.8.2). `scheme` as written."""

    scheme: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUrl:
    """One alternative for where resources lie (5.6). Low `priority` first, `weight` among equals (DVB A168, 10.8.2)."""

    url: str  # absolute
    location: str = ""  # serviceLocation; the URL's origin where none is written
    priority: int = 1
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerReferenceTime:
    """Wall time at which the media of a tick was captured or encoded (5.12)."""

    wall_us: int
    media_time: int  # ticks of the segment source's timescale
    kind: str = "encoder"  # "encoder" or "captured"
    inband: bool = False  # `prft` boxes carry newer ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDescription:
    """What the service wishes of its clients (annex K); None: nothing said."""

    target_latency_us: int | None = None
    least_latency_us: int | None = None
    most_latency_us: int | None = None
    least_rate: float | None = None
    most_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSteering:
    """Which service location to take is asked of a server (ETSI TS 103 998)."""

    url: str
    default_locations: tuple[str, ...] = ()
    query_before_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchLocation:
    """Where changes of this MPD can be had instead of the whole (5.15)."""

    url: str
    ttl_us: int | None = None  # after `publish_wall_us`; None: always


@dataclass(frozen=True, slots=True, kw_only=True)
class InitializationSet:
    """What a player may set up before it knows any Period (5.3.12)."""

    id: str
    kind: str
    codecs: str
    initialization: Resource | None = None
    protections: tuple[ContentProtection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteElement:
    """An element whose content lies elsewhere (xlink, 5.5): `path` is its XPath, `url` absolute."""

    path: str
    url: str
    on_load: bool = False  # else on request
    start_us: int | None = None  # of its Period; None: not known


class TimelineRun(NamedTuple):
    """One `S` of a SegmentTimeline; `repeat` -1: until the next run or the end."""

    time: int  # ticks; resolved, never implicit
    duration: int  # ticks
    repeat: int  # further segments of the same duration
    number: int  # number of the first segment of the run
    parts: int = 1  # S@k: segments of a segment sequence


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
    complete: bool = True  # availabilityTimeComplete; False: segments come in chunks while they are made
    ept_delta: int = 0  # ticks: first sample of the Period before (-) or behind its start; with `duration` only
    parts: int = 1  # @k: segments of a segment sequence that lasts `duration`
    pd_delta: int = 0  # ticks: how much longer than its Period it is, or shorter (-); with `duration` only


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentBase:
    """SegmentBase: one resource, addressed through its `sidx`."""

    timescale: int
    presentation_time_offset: int
    initialization: Resource | None
    index_range: ByteRange | None  # neither this nor `index`: it is looked for at the start of the resource
    index: Resource | None = None  # RepresentationIndex: the index lies in a resource of its own


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
    availability_time_offset_us: int | None = 0  # None: INF
    complete: bool = True


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
    alternatives: tuple[BaseUrl, ...] = ()  # `base_urls` with what is said of each
    supplemental: tuple[Descriptor, ...] = ()  # own and inherited
    inband_events: tuple[Descriptor, ...] = ()  # InbandEventStream: own and inherited
    reference_times: tuple[ProducerReferenceTime, ...] = ()
    quality: int | None = None  # qualityRanking
    frame_rate: str = ""
    depends_on: tuple[str, ...] = ()  # dependencyId


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationSet:
    id: str  # @id, else its position in the Period
    kind: str  # "video", "audio", "text", "image" or "unknown"
    lang: str
    representations: tuple[Representation, ...]  # in document order
    protections: tuple[ContentProtection, ...] = ()  # of this element and what it inherits from Period and MPD
    roles: tuple[str, ...] = ()
    switchable_with: tuple[str, ...] = ()  # ids of sets one can change to (adaptation-set-switching:2016)
    selection_priority: int = 1
    initialization_sets: tuple[str, ...] = ()  # ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    id: str  # @id, else "p" and its start in µs; none twice
    start_us: int
    duration_us: int | None  # None: open
    adaptation_sets: tuple[AdaptationSet, ...]
    event_streams: tuple[EventStream, ...] = ()
    continues: str | None = None  # id of the Period that this one continues (period-continuity:2015)
    connects: str | None = None  # the same with another presentationTimeOffset (period-connectivity:2015)

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
    id: str = ""
    early_periods: tuple[str, ...] = ()  # Periods announced without a place yet, by id (5.3.2.1)
    remote: tuple[RemoteElement, ...] = ()  # not resolved yet
    patches: tuple[PatchLocation, ...] = ()
    steering: ContentSteering | None = None
    service: ServiceDescription = ServiceDescription()
    initialization_sets: tuple[InitializationSet, ...] = ()
    longest_segment_us: int | None = None  # maxSegmentDuration
    warnings: tuple[str, ...] = field(default=(), compare=False)


class Segment(NamedTuple):
    """One media segment, computed when asked for. `start_us` and `end_us` on the presentation timeline."""

    number: int  # $Number$, or the position in a list or sidx
    time: int  # ticks on the media timeline: $Time$, in a segment sequence the start of the part
    duration: int  # ticks
    timescale: int
    start_us: int
    end_us: int
    resource: Resource
    availability_time_offset_us: int | None = 0  # available this much before it is complete; None: INF
    complete: bool = True  # False: it comes in chunks while it is made
