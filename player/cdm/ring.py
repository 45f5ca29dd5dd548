"""The keys of one client as one immutable value that clients in the same situation share.

A key's status is computed from the instant, never stored, so that the passing of time is written nowhere. A ring never
shows a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from player.clock import MILLISECOND
from player.eme.cdm import Statuses
from player.eme.status import KeyStatus, SessionType
from player.ids import ContentKey, KeyId

ROOT_WINDOW_PERIODS: Final = 16  # whose embedded keys a merged root keeps; a choice: as many as children are kept
_OPENS: Final = (KeyStatus.USABLE, KeyStatus.OUTPUT_RESTRICTED)  # an output rule of the root passes to what it opens


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A key as the CDM holds it. `start_ms`: usable from then on, 0: at once."""

    kid: KeyId
    key: ContentKey
    start_ms: int = 0
    output: str = ""  # the HDCP version it needs
    wraps: bool = False  # a root key: it opens embedded keys and decrypts no sample
    embedded: bool = False  # came in init data


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySession:
    """What the CDM knows of a session. `parent`: slot of the root's session.

    `keyless`: statuses of key ids whose key is not there. `blob`: embedded keys that wait for their root key.
    """

    slot: int
    session_type: SessionType
    licensed: bool = True  # a license was asked for; without that an update means nothing
    keys: tuple[HeldKey, ...] = ()
    keyless: Statuses = ()
    parent: int | None = None
    end_ms: int = 0  # of its embedded keys; 0: open
    blob: bytes = b""


Ring = tuple[KeySession, ...]
"""Open sessions, the most recently updated last."""

Ends = tuple[int, ...] | None
"""Ends of the licenses in ms since the epoch, one for each session of the ring, 0: never; None where none ends."""


class RingAt(NamedTuple):
    """A ring at one instant, and what can be said of it. `wall`: µs since the epoch. `hdcp`: what the display does."""

    ring: Ring
    ends: Ends
    wall: int
    hdcp: str

    def end_of(self, session: KeySession) -> int:
        """When it expires, in ms, 0: never. First of: its license's end, its embedded keys', its root's license's."""
        if self.ends is None:
            return session.end_ms
        slots = (session.slot, session.parent)
        licenses = (end for it, end in zip(self.ring, self.ends or (), strict=False) if it.slot in slots)
        return min((end for end in (session.end_ms, *licenses) if end), default=0)

    def statuses(self, session: KeySession) -> Statuses:
        """The session's key-status map, sorted by key id."""
        return tuple(sorted((*((key.kid, self.status(session, key)) for key in session.keys), *session.keyless)))

    def status(self, session: KeySession, key: HeldKey) -> KeyStatus:
        """EME 6.3 MediaKeyStatus. A session expires as a whole, once its end lies in the past."""
        if 0 < self.end_of(session) * MILLISECOND < self.wall:
            return KeyStatus.EXPIRED
        if key.start_ms * MILLISECOND > self.wall:
            return KeyStatus.USABLE_IN_FUTURE
        return KeyStatus.OUTPUT_RESTRICTED if key.output > self.hdcp else KeyStatus.USABLE

    def usable_key(self, kid: KeyId) -> ContentKey | None:
        """The content key by that id; of several sessions the most recently updated one serves."""
        for session in reversed(self.ring):
            for key in session.keys:
                if key.kid == kid and not key.wraps and self.status(session, key) is KeyStatus.USABLE:
                    return key.key
        return None

    def roots(self, kid: KeyId) -> Iterator[tuple[int, HeldKey]]:
        """Root keys by that id that may open something, with the slots of their sessions, newest first."""
        for session in reversed(self.ring):
            for key in session.keys:
                if key.kid == kid and key.wraps and self.status(session, key) in _OPENS:
                    yield session.slot, key

    def next_change(self) -> int | None:
        """The first instant to come at which time alone changes a status; µs since the epoch."""
        ends = [end for session in self.ring if (end := self.end_of(session))]
        starts = [key.start_ms for session in self.ring for key in session.keys if key.start_ms]
        instants = (*(end * MILLISECOND + 1 for end in ends), *(start * MILLISECOND for start in starts))
        return min((instant for instant in instants if instant > self.wall), default=None)

    def timed(self) -> tuple[KeySession, ...]:
        """The sessions whose statuses time may change, parents before children."""
        moving = [it for it in self.ring if self.end_of(it) or any(key.start_ms for key in it.keys)]
        return tuple(sorted(moving, key=lambda session: session.parent is not None))


def is_still(ring: Ring) -> bool:
    """Without ends of licenses, time changes nothing here."""
    return not any(session.end_ms or any(key.start_ms for key in session.keys) for session in ring)


def still_statuses(session: KeySession, hdcp: str) -> Statuses:
    """The key-status map of a session in a ring that is still."""
    return RingAt((session,), None, 0, hdcp).statuses(session)


def entered(ring: Ring, session: KeySession) -> Ring:
    """With a session, or what an update made of it, as the most recently updated one."""
    return (*(it for it in ring if it.slot != session.slot), session)


def find(ring: Ring, slot: int) -> KeySession | None:
    for session in ring:
        if session.slot == slot:
            return session
    return None


def family(ring: Ring, slot: int) -> Iterator[int]:
    """The slot and those of all sessions below it: each parent before its children, children in their order."""
    yield slot
    for session in ring:
        if session.parent == slot:
            yield from family(ring, session.slot)


def added(held: tuple[HeldKey, ...], keys: Iterable[HeldKey]) -> tuple[HeldKey, ...]:
    """Keys accumulate; the same key id takes the new value."""
    return tuple(({key.kid: key for key in held} | {key.kid: key for key in keys}).values())


def windowed(held: tuple[HeldKey, ...]) -> tuple[HeldKey, ...]:
    """Without embedded keys of periods that are no longer among the newest; periods are told apart by their start."""
    newest = sorted({key.start_ms for key in held if key.embedded})[-ROOT_WINDOW_PERIODS:]
    return tuple(key for key in held if not key.embedded or key.start_ms in newest)
