"""The keys of one client as one immutable value that clients in the same situation share.

A key's status is computed from the instant, never stored, so that the passing of time is written nowhere. A ring never
shows a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from player.cdm.device import Device
from player.clock import MILLISECOND
from player.eme.cdm import Statuses
from player.eme.status import KeyStatus, SessionType
from player.ids import ContentKey, KeyId

_OPENS: Final = (KeyStatus.USABLE, KeyStatus.OUTPUT_RESTRICTED, KeyStatus.OUTPUT_DOWNSCALED)  # rules pass to the keys
_ENDED: Final[Mapping[KeyStatus, KeyStatus]] = MappingProxyType({KeyStatus.INTERNAL_ERROR: KeyStatus.EXPIRED})


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
    `recorded`: key ids that the stored record names. `released`: the record waits for its acknowledgement.
    """

    slot: int
    session_type: SessionType
    licensed: bool = True  # a license was asked for; without that an update means nothing
    asked: tuple[KeyId, ...] = ()  # the key ids of its request, and of its renewals
    keys: tuple[HeldKey, ...] = ()
    keyless: Statuses = ()
    parent: int | None = None
    end_ms: int = 0  # of its embedded keys; 0: open
    blob: bytes = b""
    recorded: tuple[KeyId, ...] = ()
    released: bool = False


class Term(NamedTuple):
    """Times of one session in ms since the epoch, 0: none. They stand beside the ring, for they differ by client."""

    end_ms: int = 0  # of its license
    renew_ms: int = 0  # when to ask for the next one; 0 also once that is done
    window_ms: int = 0  # end of the playback window that the first use has opened


Ring = tuple[KeySession, ...]
"""Open sessions, the most recently updated last."""

Terms = tuple[Term, ...] | None
"""One for each session of the ring; None where none has any time."""

NO_TERM: Final = Term()


class RingAt(NamedTuple):
    """A ring at one instant, and what can be said of it.

    `wall`: µs since the epoch; None on a device without a clock, for which nothing starts, ends or is to be renewed.
    """

    ring: Ring
    terms: Terms
    wall: int | None
    device: Device

    def end_of(self, session: KeySession) -> int:
        """When it expires, in ms, 0: never. First of: its license's end, its embedded keys', its root's license's.

        A session without keys has nothing that could end.
        """
        if self.wall is None or not session.keys:
            return 0
        if self.terms is None:
            return session.end_ms
        slots = (session.slot, session.parent)
        terms = (term for it, term in zip(self.ring, self.terms, strict=True) if it.slot in slots)
        ends = (session.end_ms, *(end for term in terms for end in (term.end_ms, term.window_ms)))
        return min((end for end in ends if end), default=0)

    def statuses(self, session: KeySession) -> Statuses:
        """The session's key-status map, sorted by key id."""
        held = ((key.kid, self.status(session, key)) for key in session.keys)
        keyless = session.keyless
        if keyless and self._is_over(session):
            keyless = tuple((kid, _ENDED.get(status, status)) for kid, status in keyless)
        return tuple(sorted((*held, *keyless)))

    def status(self, session: KeySession, key: HeldKey) -> KeyStatus:
        """EME 6.3 MediaKeyStatus. A session expires as a whole, once its end lies in the past."""
        if self._is_over(session):
            return KeyStatus.EXPIRED
        if self.wall is not None and key.start_ms * MILLISECOND > self.wall:
            return KeyStatus.USABLE_IN_FUTURE
        return self.device.status(key.output)

    def serving(self, kid: KeyId) -> tuple[KeySession, HeldKey] | None:
        """The key that decrypts samples of that id; of several sessions the most recently updated one serves."""
        for session in reversed(self.ring):
            for key in session.keys:
                if key.kid == kid and not key.wraps and self.device.decrypts(self.status(session, key)):
                    return session, key
        return None

    def usable_key(self, kid: KeyId) -> ContentKey | None:
        found = self.serving(kid)
        return None if found is None else found[1].key

    def roots(self, kid: KeyId) -> Iterator[tuple[int, HeldKey]]:
        """Root keys by that id that may open something, with the slots of their sessions, newest first."""
        for session in reversed(self.ring):
            for key in session.keys:
                if key.kid == kid and key.wraps and self.status(session, key) in _OPENS:
                    yield session.slot, key

    def next_change(self) -> int | None:
        """The first instant to come at which time alone changes something; µs since the epoch."""
        wall = self.wall
        if wall is None:
            return None
        ends = (end * MILLISECOND + 1 for session in self.ring if (end := self.end_of(session)))
        starts = (key.start_ms * MILLISECOND for session in self.ring for key in session.keys if key.start_ms)
        renewals = (max(it.renew_ms * MILLISECOND, wall + 1) for it in self.terms or () if it.renew_ms)
        return min((instant for instant in (*ends, *starts, *renewals) if instant > wall), default=None)

    def timed(self) -> tuple[KeySession, ...]:
        """The sessions whose statuses time may change, parents before children."""
        moving = [it for it in self.ring if self.end_of(it) or any(key.start_ms for key in it.keys)]
        return tuple(sorted(moving, key=lambda session: session.parent is not None))

    def _is_over(self, session: KeySession) -> bool:
        return self.wall is not None and 0 < self.end_of(session) * MILLISECOND < self.wall


def is_still(ring: Ring) -> bool:
    """Without terms, time changes nothing here. A walk costs less than the hash by which it would be remembered."""
    return not any(session.end_ms or any(key.start_ms for key in session.keys) for session in ring)


def still_statuses(session: KeySession, device: Device) -> Statuses:
    """The key-status map of a session to which time does nothing."""
    return RingAt((session,), None, None, device).statuses(session)


def has_output_rules(ring: Ring) -> bool:
    return any(key.output for session in ring for key in session.keys)


def released(session: KeySession) -> KeySession:
    """Without its keys, and with a record of every one there was (EME 6.6 remove)."""
    kids = (*(key.kid for key in session.keys), *(kid for kid, _ in session.keyless))
    gone = tuple((kid, KeyStatus.RELEASED) for kid in dict.fromkeys(kids))
    return replace(session, keys=(), keyless=gone, end_ms=0, blob=b"")


def oldest(ring: Ring, but: int) -> int | None:
    """The session to give up for the one in slot `but`: the oldest child, else the one not updated for longest.

    None where each of them has children.
    """
    parents = {session.parent for session in ring}
    free = [it for it in ring if it.slot != but and it.slot not in parents]
    return min(free, key=lambda it: it.licensed).slot if free else None


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


def windowed(held: tuple[HeldKey, ...], periods: int) -> tuple[HeldKey, ...]:
    """Without embedded keys of periods that are no longer among the newest; periods are told apart by their start."""
    newest = sorted({key.start_ms for key in held if key.embedded})[-periods:]
    return tuple(key for key in held if not key.embedded or key.start_ms in newest)
