"""What the machine as a whole tells; the events of the rooms below keep their own names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from player.trace.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLoaded(Event):
    """An MPD was read, for the first time or again."""

    name: ClassVar[str] = "mpd:loaded"
    version: int  # running number, from 1
    dynamic: bool
    periods: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFailed(Event):
    """A refresh failed; the last MPD stays in force."""

    name: ClassVar[str] = "mpd:refresh-failed"
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSynced(Event):
    """UTCTiming: server time minus ours."""

    name: ClassVar[str] = "mpd:clock-synced"
    offset_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRefused(Event):
    """A patch of the MPD could not be had or does not fit; the whole MPD is fetched."""

    name: ClassVar[str] = "mpd:patch-refused"
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteElementFailed(Event):
    """What lies behind a link could not be had, or is no part of an MPD: the element stays as it is written."""

    name: ClassVar[str] = "mpd:remote-failed"
    url: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationChosen(Event):
    """Resources are fetched from this service location from now on. `failovers`: so far, of this client."""

    name: ClassVar[str] = "mpd:location-chosen"
    location: str
    failovers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationExcluded(Event):
    """A service location failed and is left out for a while."""

    name: ClassVar[str] = "mpd:location-excluded"
    location: str
    code: str
    until_us: int  # on the run clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered(Event):
    """The steering server has said which service locations come first."""

    name: ClassVar[str] = "mpd:steered"
    pathways: tuple[str, ...]
    ttl_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringFailed(Event):
    """The steering server could not be asked or understood; its last word stays in force."""

    name: ClassVar[str] = "mpd:steering-failed"
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentationRestarted(Event):
    """The origin has begun anew; positions are told on its new timeline from now on, `moved_us` later than before."""

    name: ClassVar[str] = "mpd:restarted"
    moved_us: int
    position_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MpdEventMet(Event):
    """An event of the content was met for the first time: of an EventStream, or `inband` of an `emsg` box."""

    name: ClassVar[str] = "engine:mpd-event"
    scheme: str
    value: str
    id: str
    start_us: int  # on the presentation timeline
    duration_us: int | None  # None: unknown
    inband: bool
    message_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySystemChosen(Event):
    name: ClassVar[str] = "engine:key-system"
    key_system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackFailed(Event):
    """A fatal error ended the playback."""

    name: ClassVar[str] = "engine:error"
    code: str
    message: str
