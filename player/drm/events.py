"""What the key logic decided and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from player.drm.cause import Cause
from player.ids import KeyId
from player.trace.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class InitDataAnnounced(Event):
    """Init data reached the key logic. `origin`: mpd, init-segment, media-segment, event or announcement."""

    name: ClassVar[str] = "drm:init-data-announced"
    origin: str
    type: str
    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InitDataSkipped(Event):
    """…and led to no request; `reason` is one of `announce.SkipReason`."""

    name: ClassVar[str] = "drm:init-data-skipped"
    reason: str
    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCreated(Event):
    """A session was opened for these kids; `slot` names it while it is open."""

    name: ClassVar[str] = "drm:session-created"
    slot: int
    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchPlanned(Event):
    """A coming key will be asked for at `at_us` on the run clock; it is needed at `need_us`."""

    name: ClassVar[str] = "drm:prefetch-planned"
    kids: tuple[KeyId, ...]
    at_us: int
    need_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequested(Event):
    """One attempt leaves. `intended_us`: when the key logic wanted it to. `local`: answered from keys given by hand."""

    name: ClassVar[str] = "drm:license-requested"
    slot: int
    sequence: int  # running number of the client's license requests
    attempt: int
    cause: Cause
    origin: Cause
    kids: tuple[KeyId, ...]
    intended_us: int
    local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseAnswered(Event):
    """An attempt has ended. `outcome`: ok, http-CODE, timeout, network, rejected (the CDM refused the license)."""

    name: ClassVar[str] = "drm:license-answered"
    slot: int
    sequence: int
    attempt: int
    outcome: str
    sent_us: int  # when the first byte was handed to the socket
    duration_us: int  # since sent


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatusChanged(Event):
    """The extended status of a key for this content. `why` names the rule that set it."""

    name: ClassVar[str] = "drm:key-status"
    kid: KeyId
    old: str
    new: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusesAnnounced(Event):
    """Statuses that the profile collects are told, and count from here on: (key id, status) in the order of key ids."""

    name: ClassVar[str] = "drm:statuses-announced"
    statuses: tuple[tuple[KeyId, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFault(Event):
    """What the profile's player tells its application. `fatal` as that player has it, whether or not it goes on."""

    name: ClassVar[str] = "drm:error"
    code: str
    fatal: bool
    kids: tuple[KeyId, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    """A key is blocked, and playback goes on in another Representation; `action` is the profile's way."""

    name: ClassVar[str] = "drm:fallback"
    action: str
    kid: KeyId
    left: str
    taken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseFailed(Event):
    """The profile gave up; the keys are `failed`."""

    name: ClassVar[str] = "drm:license-failed"
    slot: int
    kids: tuple[KeyId, ...]
    code: str
    reason: str
