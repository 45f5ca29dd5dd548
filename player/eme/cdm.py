"""The line between the EME surface and a CDM: one synchronous call, `Cdm.handle(call, now, draw) -> CdmResult`.

The engine never calls a CDM: it emits the call as an action and is given the result, so that a driver may run the CDM
inline or in another process. A call object is its own token: `Settled` names it again. A content key never crosses
this line outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from player.chance import Draw
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import ContentKey, KeyId
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


class Load(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 load: what was stored of a session, as the store vouches for it."""

    slot: int
    number: int
    session_type: SessionType
    record: bytes

    def __repr__(self) -> str:
        """A record holds keys: only its size is shown."""
        return f"Load(slot={self.slot}, number={self.number}, record=<{len(self.record)} bytes>)"


class Close(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 close."""

    slot: int
    number: int


class Remove(msgspec.Struct, frozen=True, gc=False):
    """EME 6.6 remove."""

    slot: int
    number: int


class SetServerCertificate(msgspec.Struct, frozen=True, gc=False):
    """EME 5.1 setServerCertificate, after its synchronous checks."""

    certificate: bytes


class GetStatusForPolicy(msgspec.Struct, frozen=True, gc=False):
    """EME 5.1 getStatusForPolicy: what a key with this output rule would be."""

    min_hdcp_version: str


class DisplayChanged(msgspec.Struct, frozen=True, gc=False):
    """Another display is attached; `hdcp` is what it can do ("" for none)."""

    hdcp: str


class Provision(msgspec.Struct, frozen=True, gc=False):
    """A root key reaches the device beside EME, by a channel that no page sees (EME embedded-keys explainer)."""

    kid: KeyId
    key: ContentKey


class Lost(msgspec.Struct, frozen=True, gc=False):
    """EME "CDM Unavailable": hardware-context-reset, after which sessions can be made anew, or internal-error."""

    reason: ClosedReason


class Destroyed(msgspec.Struct, frozen=True, gc=False):
    """The page has gone: keys are destroyed and what is to outlive them is stored; nobody sees anything else of it."""


class Wake(msgspec.Struct, frozen=True, gc=False):
    """The CDM asked (`Handled.wake_at`) to be called at this instant: expiry, start of a key, renewal."""


class Decrypt(msgspec.Struct, frozen=True, gc=False):
    """One fragment of one track. Samples before `start` are clear already; the CDM works in place on `buffer`."""

    track: int  # number of the track buffer in the player
    buffer: bytearray  # the fragment's data; sample offsets count from its start
    samples: Sequence[Sample]
    start: int  # index of the first sample to decrypt


SessionCall = GenerateRequest | Load | Update | Close | Remove
KeysCall = SetServerCertificate | GetStatusForPolicy
DeviceCall = Wake | DisplayChanged | Provision | Lost | Destroyed
Call = SessionCall | KeysCall | DeviceCall | Decrypt


class Settles(StrEnum):
    """When the promise of a call settles in its task; all but the first are deviations of real devices."""

    IN_ORDER = "in order"
    LAST = "last"  # events come before their promise
    NEVER = "never"  # and where the answer holds no change, its task does not run at all


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is to be stored of the session in `slot` before anything else of the answer is seen; None: clear it."""

    slot: int
    data: bytes | None

    def __repr__(self) -> str:
        """A record holds keys: only its size is shown."""
        return f"Record(slot={self.slot}, data=<{0 if self.data is None else len(self.data)} bytes>)"


class SessionChange(msgspec.Struct, frozen=True, gc=False):
    """What became of one session. None leaves a field as it was."""

    slot: int
    statuses: Statuses | None = None  # the whole new map
    expiration_ms: int | None = None  # ms since the epoch; 0: never expires (NaN at the surface)
    parent: int | None = None  # slot of the session that holds the root key
    closed: ClosedReason | None = None
    announce: bool = False  # tell the map even if it is the old one: remove, close; devices that always do
    message: tuple[MessageType, bytes] | None = None  # one that no call of this session asked for, such as a renewal
    again: bool = False  # it closes, and its map is told once more after that: a deviation of real devices


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
    value: bool | KeyStatus | None = None  # what the promise resolves with: load, certificate, policy
    records: tuple[Record, ...] = ()
    settles: Settles = Settles.IN_ORDER
    lost: ClosedReason | None = None  # the CDM went away over it (EME "CDM Unavailable")


class Decrypted(msgspec.Struct, frozen=True, gc=False):
    """Answer to `Decrypt`: how many samples from the first on are now clear, and what stopped it."""

    clear: int  # samples[:clear] of the call are clear
    stopped_by: KeyId | None = None  # the key id whose key is not usable
    error: str | None = None  # the sample could not be decrypted although its key is there
    lost: ClosedReason | None = None  # the CDM went away over it (EME "CDM Unavailable")
    downscaled: bool = False  # presented at lower quality, for an output rule is not met
    changes: tuple[SessionChange, ...] = ()  # first use may start a playback window
    records: tuple[Record, ...] = ()
    wake_at: int | None = None  # as in `Handled`


CdmResult = Handled | Decrypted


class Cdm(Protocol):
    """A key system's implementation, one object a client. Synchronous, without I/O, clock or chance of its own."""

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        """`now` in µs on the run clock; wall time counts from the epoch that the CDM was made with."""
        ...
