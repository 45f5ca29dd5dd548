"""What playback did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from player.ids import KeyId
from player.trace.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOpened(Event):
    """A track buffer exists; its number names it from now on. `period` counts the Periods played."""

    name: ClassVar[str] = "stream:track-opened"
    period: int
    track: int
    kind: str
    adaptation_set: str
    codecs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentationChosen(Event):
    name: ClassVar[str] = "stream:representation"
    track: int
    representation: str
    bandwidth: int  # bit/s


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLoaded(Event):
    name: ClassVar[str] = "stream:segment-loaded"
    track: int
    number: int
    start_us: int  # on the presentation timeline
    end_us: int
    bytes: int
    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFailed(Event):
    """A segment could not be fetched or read; playback goes on without it where it can."""

    name: ClassVar[str] = "stream:segment-failed"
    track: int
    number: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentAbandoned(Event):
    """A segment was too slow to come: its fetch was given up for one of a lower quality."""

    name: ClassVar[str] = "stream:segment-abandoned"
    track: int
    number: int
    received_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The position advances for the first time."""

    name: ClassVar[str] = "stream:started"
    position_us: int
    startup_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled(Event):
    """The position stands at the end of the decryptable buffer. `cause`: "key" or "network"; `kid`: the missing key."""

    name: ClassVar[str] = "stream:stalled"
    position_us: int
    cause: str
    kid: KeyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """The stall is over; stalls of at most 1 ms are not told."""

    name: ClassVar[str] = "stream:resumed"
    position_us: int
    for_us: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeking(Event):
    """The position jumps. `to_us` lies where there is media: in a live stream, in its window."""

    name: ClassVar[str] = "stream:seeking"
    position_us: int  # before
    to_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeked(Event):
    """There is media to play at the new position; waiting for it was no stall."""

    name: ClassVar[str] = "stream:seeked"
    position_us: int
    for_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    name: ClassVar[str] = "stream:paused"
    position_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaused(Event):
    """Playback may go on, as far as there is media."""

    name: ClassVar[str] = "stream:unpaused"
    position_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChanged(Event):
    """By the user, or to come closer to the target latency of the service. `rate`: parts per million."""

    name: ClassVar[str] = "stream:rate"
    position_us: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked(Event):
    """As fast as possible: the decryptable buffer could not grow for `for_us` for want of this key."""

    name: ClassVar[str] = "stream:blocked"
    position_us: int  # end of the decryptable buffer
    kid: KeyId
    for_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """`ended`: at the end of the presentation, not just at the duration asked for. `played_us`: media played."""

    name: ClassVar[str] = "stream:ended"
    position_us: int
    played_us: int
    ended: bool
