"""The line between the EME surface and a CDM: one synchronous call, `Cdm.handle(call, now, draw) -> CdmResult`.

The engine never calls a CDM: it emits the call as an action and is given the result, so that a driver may run the CDM
inline or in another process. A call object is its own token: `Settled` names it again. A content key never crosses
this line outwards.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from player.chance import Draw
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import KeyId
from player.isobmff.sample import Sample

Statuses = tuple[tuple[KeyId, KeyStatus], ...]
"""A key-status map: unique key ids, sorted by their bytes, a shorter prefix first (J006)."""


class GenerateRequest(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 generateRequest, after its synchronous checks."""

    slot: int  # the session's slot: smallest number free when it was created
    number: int  # how many sessions the client had made before this one; the counter of its draws
    session_type: SessionType
    init_data_type: str
    init_data: bytes


class Update(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 update: the bytes of a license."""

    slot: int
    number: int  # as in `GenerateRequest`: slots are used again, numbers never
    response: bytes

    def __repr__(self) -> str:
        """A license may hold keys in the clear: only its size is shown."""
        return f"Update(slot={self.slot}, number={self.number}, response=<{len(self.response)} bytes>)"


class Close(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 close."""

    slot: int
    number: int


class Wake(msgspec.Struct, frozen=True, gc=False):
    """The CDM asked (`Handled.wake_at`) to be called at this instant: expiry, start of a key, renewal."""


class Decrypt(msgspec.Struct, frozen=True, gc=False):
    """One fragment of one track. Samples before `start` are clear already; the CDM works in place on `buffer`."""

    track: int  # number of the track buffer in the player
    buffer: bytearray  # the fragment's data; sample offsets count from its start
    samples: tuple[Sample, ...]
    start: int  # index of the first sample to decrypt


Call = GenerateRequest | Update | Close | Wake | Decrypt


class SessionChange(msgspec.Struct, frozen=True, gc=False):
    """What became of one session. None leaves a field as it was."""

    slot: int
    statuses: Statuses | None = None  # the whole new map
    expiration_ms: int | None = None  # ms since the epoch; 0: never expires (NaN at the surface)
    parent: int | None = None  # slot of the session that holds the root key
    closed: ClosedReason | None = None
    announce: bool = False  # tell the map even if it is the old one (devices that always do)
    message: tuple[MessageType, bytes] | None = None  # one that no call of this session asked for, such as a renewal


class Handled(msgspec.Struct, frozen=True, gc=False):
    """Answer to a session call. `error` set: nothing changed (G007) and there is nothing else in it.

    `changes` are in contract order. What becomes of the call's own session belongs to the call's task, and so do
    sessions that close along with it; a change of any other session is a task of its own, after that one.
    """

    error: str | None = None  # DOM exception name: "TypeError", "NotSupportedError", …
    reason: str = ""  # one line for a person, without secrets
    message: tuple[MessageType, bytes] | None = None
    changes: tuple[SessionChange, ...] = ()
    wake_at: int | None = None  # µs on the run clock; None: not to be woken


class Decrypted(msgspec.Struct, frozen=True, gc=False):
    """Answer to `Decrypt`: how many samples from the first on are now clear, and what stopped it."""

    clear: int  # samples[:clear] of the call are clear
    stopped_by: KeyId | None = None  # the key id whose key is not usable
    error: str | None = None  # the sample could not be decrypted although its key is there


CdmResult = Handled | Decrypted


class Cdm(Protocol):
    """A key system's implementation, one object a client. Synchronous, without I/O, clock or chance of its own."""

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        """`now` in µs on the run clock; wall time counts from the epoch that the CDM was made with."""
        ...
