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
class KeySystemChosen(Event):
    name: ClassVar[str] = "engine:key-system"
    key_system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackFailed(Event):
    """A fatal error ended the playback."""

    name: ClassVar[str] = "engine:error"
    code: str
    message: str
