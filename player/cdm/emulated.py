"""The CDM of one client: what all key systems of the lab have in common, whatever their messages look like.

At rest it is one slotted object that points at a shared ring. It knows no message body; a key system is a `Law`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

import msgspec

from player.cdm import usage
from player.cdm.device import Device
from player.cdm.recent import Recent
from player.cdm.ring import (
    NO_TERM,
    KeySession,
    Ring,
    RingAt,
    Term,
    Terms,
    entered,
    find,
    has_output_rules,
    is_still,
    oldest,
    still_statuses,
)
from player.cdm.spec import CdmSpec, ExtraKeys, OnSessionLimit
from player.cenc.decrypt import Decryptor
from player.chance import Draw
from player.eme.cdm import Call, CdmResult, Decrypt, Decrypted, Handled, Record, SessionCall, SessionChange, Statuses
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError, QuotaExceededError
from player.eme.key_system import KeySystem
from player.eme.status import ClosedReason, KeyStatus
from player.errors import EmeError, LicenseError
from player.ids import KeyId, Pool

T = TypeVar("T")

Answers = Mapping[type, Callable[["EmulatedCdm", Any, int], Handled]]
"""By the type of a call: what is done with it at an instant in µs on the run clock."""


class Used(NamedTuple):
    """What follows from samples that were decrypted."""

    changes: tuple[SessionChange, ...] = ()
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A key system: what it supports, and what it does with each call. Those that are missing it does not support.

    An answer changes the CDM only once nothing can fail any more, and raises EmeError or LicenseError before.
    `used` hears of a `Decrypt` that made samples clear, those before the given index, at the given instant. `keep`
    hears of every answer while there are usage records, with the ring before it, and adds what is to be stored.
    """

    name: str
    supports: KeySystem
    answers: Answers
    used: Callable[[EmulatedCdm, Decrypt, int, int], Used] | None = None
    keep: Callable[[EmulatedCdm, Ring, Handled, int], Handled] | None = None


class EmulatedCdm:
    """Fulfils `eme.cdm.Cdm`. `epoch_us`: wall time of run-clock 0."""

    __slots__ = ("device", "epoch_us", "law", "pool", "ring", "spec", "terms", "usages")

    def __init__(self, law: Law, spec: CdmSpec, pool: Pool, epoch_us: int) -> None:
        self.law = law
        self.spec = spec
        self.pool = pool
        self.epoch_us = epoch_us
        self.device: Device = pool.intern(spec.device())
        self.ring: Ring = ()
        self.terms: Terms = None
        self.usages: usage.Usages = None

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:  # noqa: ARG002 — no key system here needs chance
        if isinstance(call, Decrypt):
            return self._decrypt(call, now)
        before = self.ring
        try:
            handled = self._answer(call, now)
        except EmeError as error:
            return Handled(error=error.name, reason=error.message)
        except LicenseError as error:
            return Handled(error="TypeError", reason=error.message)
        if self.usages is not None and self.law.keep is not None:
            handled = self.law.keep(self, before, handled, now)
        wake_at = self._wake_at(now)
        return handled if wake_at is None else msgspec.structs.replace(handled, wake_at=wake_at)

    def wall(self, now: int) -> int | None:
        """µs since the epoch; None on a device without a clock."""
        return self.epoch_us + now if self.spec.clock else None

    def at(self, now: int) -> RingAt:
        """What the keys are at this instant."""
        return RingAt(self.ring, self.terms, self.wall(now), self.device)

    def session(self, slot: int) -> KeySession:
        """Raises: EmeTypeError for a session that takes no licenses: its keys came in init data, or it is closed."""
        session = find(self.ring, slot)
        if session is None or not session.licensed:
            raise EmeTypeError("this session has asked for no license")
        return session

    def license(self, parse: Callable[[bytes], T], response: bytes) -> T:
        """A license as its codec reads it. Raises: LicenseError."""
        recent: Recent = self.pool.remember(Recent)
        return recent.read(parse, response)

    def put(self, session: KeySession, term: Term = NO_TERM) -> None:
        """Enter a session, or what an update made of it, as the most recently updated one."""
        if self.terms is None and term == NO_TERM:
            self.ring = self.pool.lead(entered, self.ring, session)
            return
        others = [(it, held) for it, held in self._pairs() if it.slot != session.slot]
        self._store([*others, (session, term)])

    def amend(self, session: KeySession, term: Term | None = None) -> None:
        """Change a session that no update was meant for: in its place; term None: with the one it has."""
        self._store(
            [
                (session, held if term is None else term) if it.slot == session.slot else (it, held)
                for it, held in self._pairs()
            ]
        )

    def leave(self, slots: Collection[int]) -> None:
        """Forget sessions and their keys."""
        self._store([(it, term) for it, term in self._pairs() if it.slot not in slots])

    def terms_of(self) -> Iterable[tuple[KeySession, Term]]:
        """Every session with its times."""
        return self._pairs()

    def change_of(self, session: KeySession, now: int) -> SessionChange:
        """The session as the page is to see it."""
        if self._is_still():
            found: Statuses = self.pool.remember(still_statuses, session, self.device)
            return SessionChange(slot=session.slot, statuses=found, expiration_ms=0, parent=session.parent)
        at = self.at(now)
        return SessionChange(
            slot=session.slot,
            statuses=self.pool.intern(at.statuses(session)),
            expiration_ms=at.end_of(session),
            parent=session.parent,
        )

    def check_room(self, session: KeySession) -> KeySession:
        """Raises: EmeTypeError where it holds more keys than a session may."""
        if len(session.keys) > self.spec.max_keys:
            raise EmeTypeError(f"{len(session.keys)} keys in a session that takes {self.spec.max_keys}")
        return session

    def check_asked(self, session: KeySession, kids: Iterable[KeyId]) -> None:
        """Raises: EmeTypeError for keys that the session has not asked for, where the device takes no others."""
        if self.spec.extra_keys == ExtraKeys.REFUSE and not set(kids) <= set(session.asked):
            raise EmeTypeError("the license brings a key that was not asked for")

    def _answer(self, call: Call, now: int) -> Handled:
        if self.device.lost:
            raise InvalidStateError("the CDM has gone")
        answer = self.law.answers.get(type(call))
        if answer is None:
            raise NotSupportedError(f"this CDM knows no {type(call).__name__}")
        before = self.ring, self.terms, self.usages
        try:
            handled = answer(self, call, now)
            return handled if len(self.ring) <= len(before[0]) else self._within_limit(call, handled)
        except (EmeError, LicenseError):
            self.ring, self.terms, self.usages = before
            raise

    def _within_limit(self, call: Call, handled: Handled) -> Handled:
        """A session more: another one gives way where there are too many (EME 6, resource-evicted).

        Raises: QuotaExceededError.
        """
        if self.spec.max_sessions is None or len(self.ring) <= self.spec.max_sessions:
            return handled
        evicts = self.spec.on_session_limit == OnSessionLimit.EVICT and isinstance(call, SessionCall)
        slot = oldest(self.ring, call.slot) if evicts and isinstance(call, SessionCall) else None
        if slot is None:
            raise QuotaExceededError(f"{self.spec.max_sessions} sessions are open, which is all this device has")
        self.leave((slot,))
        evicted = SessionChange(slot=slot, statuses=(), closed=ClosedReason.RESOURCE_EVICTED)
        return msgspec.structs.replace(handled, changes=(*handled.changes, evicted))

    def _decrypt(self, call: Decrypt, now: int) -> Decrypted:
        if self.device.lost:
            return Decrypted(clear=call.start, error="the CDM has gone", lost=ClosedReason.INTERNAL_ERROR)
        decryptor: Decryptor = self.pool.remember(Decryptor)
        try:
            done = decryptor.decrypt(call.buffer, call.samples, self.at(now).usable_key, call.start)
        except ValueError as error:
            return Decrypted(clear=call.start, error=str(error))
        downscaled = self._is_downscaled(call, done.clear, now)
        used = (
            Used() if self.law.used is None or done.clear == call.start else self.law.used(self, call, done.clear, now)
        )
        return Decrypted(
            clear=done.clear,
            stopped_by=done.stopped_by,
            downscaled=downscaled,
            changes=used.changes,
            records=used.records,
            wake_at=self._wake_at(now) if used.changes or self.usages is not None else None,
        )

    def _is_downscaled(self, call: Decrypt, clear: int, now: int) -> bool:
        if not has_output_rules(self.ring):  # to walk a ring costs less than to hash it
            return False
        at = self.at(now)
        serving = filter(None, map(at.serving, key_ids(call, clear)))
        return any(at.status(session, key) is KeyStatus.OUTPUT_DOWNSCALED for session, key in serving)

    def _wake_at(self, now: int) -> int | None:
        if self.usages is None and self._is_still():
            return None
        turn = None if self._is_still() else self.at(now).next_change()
        due = None if self.usages is None else usage.next_due(self.usages)
        instant = min((it for it in (turn, due) if it is not None), default=None)
        return None if instant is None else instant - self.epoch_us

    def _is_still(self) -> bool:
        """Whether time has nothing to change; most clients, most of the time."""
        return not self.spec.clock or (self.terms is None and is_still(self.ring))

    def _pairs(self) -> list[tuple[KeySession, Term]]:
        return list(zip(self.ring, self.terms or repeat(NO_TERM), strict=False))

    def _store(self, pairs: list[tuple[KeySession, Term]]) -> None:
        self.ring = self.pool.intern(tuple(session for session, _ in pairs))
        terms = tuple(term for _, term in pairs)
        self.terms = self.pool.intern(terms) if any(map(any, terms)) else None


def key_ids(call: Decrypt, clear: int) -> tuple[KeyId, ...]:
    """Those of the samples that a call has made clear, each once."""
    protections = (sample.protection for sample in call.samples[call.start : clear])
    return tuple(dict.fromkeys(it.kid for it in protections if it is not None))
