"""What an MPD of ours says before it is XML. Times in µs, segment times in ticks; no URL is made here."""

from __future__ import annotations

from dataclasses import dataclass

from player.ids import KeyId

MP4_PROTECTION = "urn:mpeg:dash:mp4protection:2011"
LIVE_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011"
ON_DEMAND_PROFILE = "urn:mpeg:dash:profile:isoff-on-demand:2011"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """One ContentProtection descriptor. `pssh` is one whole box, `license_url` goes into a Laurl."""

    scheme: str
    value: str | None = None
    default_kid: KeyId | None = None
    pssh: bytes = b""
    license_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A SegmentTemplate: with `duration` in ticks, or with `runs` of (t, d, r); `$Time$` needs the latter."""

    timescale: int
    initialization: str
    media: str
    start_number: int
    presentation_time_offset: int  # ticks
    duration: int | None = None
    runs: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OneFile:
    """A BaseURL with a SegmentBase: everything in one file. Ranges are of (first, last) byte."""

    timescale: int
    url: str
    initialization: tuple[int, int]
    index: tuple[int, int]
    presentation_time_offset: int  # ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    id: str
    bandwidth: int  # bit/s
    codecs: str
    segments: Template | OneFile
    width: int | None = None
    height: int | None = None
    frame_rate: str | None = None
    sampling_rate: int | None = None
    channels: int | None = None
    channel_mask: int | None = None  # of AC-3 and Enhanced AC-3, told in place of `channels`


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationSet:
    """Representations of one kind that say the same of their protection."""

    id: int
    kind: str  # "video" or "audio"
    lang: str | None
    protections: tuple[Protection, ...]
    representations: tuple[Representation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` and `duration` in ms, counted from the start of the Period."""

    id: int
    at: int
    duration: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    scheme: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    id: str
    start: int
    adaptation_sets: tuple[AdaptationSet, ...]
    duration: int | None = None
    event_streams: tuple[EventStream, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a dynamic MPD says beyond a static one; wall instants in µs since 1970 UTC."""

    availability_start_wall: int
    publish_wall: int
    minimum_update: int
    time_shift: int
    suggested_delay: int
    time_url: str  # answers with the wall time (UTCTiming http-iso)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mpd:
    """`live` None: a static MPD of `duration`."""

    periods: tuple[Period, ...]
    min_buffer: int
    max_segment: int
    live: Live | None = None
    duration: int | None = None
    profile: str = LIVE_PROFILE
