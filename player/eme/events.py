"""What the EME surface tells: outputs of its tasks, in contract order, and the same records as trace events.

Each carries the session's row as it is when its task has ended, which is what the page sees: reactions to a promise run
after the task that settled it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from player.eme.cdm import KeysCall, SessionCall
from player.eme.session import Session
from player.eme.status import ClosedReason, KeyStatus, MessageType
from player.errors import EmeError
from player.ids import KeyId
from player.trace.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted(Event):
    """Init data was met in the media: one per run of adjacent boxes, each time (P001, P002).

    Of media that the page may not look into, the type is "" and the data None (P005).
    """

    name: ClassVar[str] = "eme:encrypted"
    track: int
    init_data_type: str
    init_data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """The promise of a call is settled; `call` is its token. `error` None: resolved, with `value` where it has one."""

    name: ClassVar[str] = "eme:settled"
    call: SessionCall
    error: EmeError | None
    session: Session
    value: bool | None = None  # of load: whether there was such a session


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysSettled(Event):
    """The promise of a call of MediaKeys is settled; `call` is its token."""

    name: ClassVar[str] = "eme:keys-settled"
    call: KeysCall
    error: EmeError | None
    value: bool | KeyStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """A "message" event (EME 6.4)."""

    name: ClassVar[str] = "eme:message"
    session: Session
    message_type: MessageType
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatusesChanged(Event):
    """A "keystatuseschange" event; the row has the whole map."""

    name: ClassVar[str] = "eme:key-statuses"
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Event):
    """`closed` has resolved."""

    name: ClassVar[str] = "eme:session-closed"
    session: Session
    reason: ClosedReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpirationChanged(Event):
    """The `expiration` attribute has a new value. No event tells the page of it (J003); a view takes it from here.

    It comes before the other outputs of its task. 0: never expires (NaN at the surface). A closed session's is NaN
    without this.
    """

    name: ClassVar[str] = "eme:expiration"
    session: Session
    expiration_ms: int  # ms since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForKey(Event):
    """Playback cannot advance for want of a key: once a stall (R009). `kid` None: no sample has named its key yet."""

    name: ClassVar[str] = "eme:waiting-for-key"
    kid: KeyId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFailed(Event):
    """The element's error MEDIA_ERR_DECODE: the media is corrupted, or cannot be decrypted; nothing plays on (R005)."""

    name: ClassVar[str] = "eme:media-failed"
    track: int
    reason: str


Output = Settled | Message | KeyStatusesChanged | SessionClosed | ExpirationChanged
