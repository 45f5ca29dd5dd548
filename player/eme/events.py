"""What the EME surface tells: outputs of its tasks, in contract order, and the same records as trace events.

Each carries the session's row as it was at that output, so that a view shows what the task showed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from player.eme.cdm import Close, GenerateRequest, Update
from player.eme.session import Session
from player.eme.status import ClosedReason, MessageType
from player.errors import EmeError
from player.trace.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted(Event):
    """Init data was met in the media: one per run of adjacent boxes, each time (P001, P002)."""

    name: ClassVar[str] = "eme:encrypted"
    track: int
    init_data_type: str
    init_data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """The promise of a call is settled; `call` is its token. `error` None: resolved."""

    name: ClassVar[str] = "eme:settled"
    call: GenerateRequest | Update | Close
    error: EmeError | None
    session: Session


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
class WaitingForKey(Event):
    """Playback cannot advance for want of a key: once a stall (R009)."""

    name: ClassVar[str] = "eme:waiting-for-key"
    kid: str


Output = Settled | Message | KeyStatusesChanged | SessionClosed
