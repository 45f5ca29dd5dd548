"""The CDM of one client: what all key systems of the lab have in common, whatever their messages look like.

At rest it is one slotted object that points at a shared ring. It knows no message body; a key system is a `Law`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeVar

import msgspec

from player.cdm.recent import Recent
from player.cdm.ring import Ends, KeySession, Ring, RingAt, entered, find, is_still, still_statuses
from player.cdm.spec import CdmSpec
from player.cenc.decrypt import Decryptor
from player.chance import Draw
from player.eme.access import KeySystem
from player.eme.cdm import Call, CdmResult, Decrypt, Decrypted, Handled, SessionChange, Statuses
from player.eme.errors import EmeTypeError, NotSupportedError
from player.errors import EmeError, LicenseError
from player.ids import Pool

T = TypeVar("T")

Answers = Mapping[type, Callable[["EmulatedCdm", Any, int], Handled]]
"""By the type of a call: what is done with it at an instant in µs on the run clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A key system: what it supports, and what it does with each call. Those that are missing it does not support.

    An answer changes the CDM only once nothing can fail any more, and raises EmeError or LicenseError before.
    """

    supports: KeySystem
    answers: Answers


class EmulatedCdm:
    """Fulfils `eme.cdm.Cdm`. `epoch_us`: wall time of run-clock 0."""

    __slots__ = ("ends", "epoch_us", "law", "pool", "ring", "spec")

    def __init__(self, law: Law, spec: CdmSpec, pool: Pool, epoch_us: int) -> None:
        self.law = law
        self.spec = spec
        self.pool = pool
        self.epoch_us = epoch_us
        self.ring: Ring = ()
        self.ends: Ends = None

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:  # noqa: ARG002 — no key system here needs chance
        if isinstance(call, Decrypt):
            return self._decrypt(call, now)
        try:
            handled = self._answer(call, now)
        except EmeError as error:
            return Handled(error=error.name, reason=error.message)
        except LicenseError as error:
            return Handled(error="TypeError", reason=error.message)
        return msgspec.structs.replace(handled, wake_at=self._wake_at(now))

    def wall(self, now: int) -> int:
        """µs since the epoch."""
        return self.epoch_us + now

    def at(self, now: int) -> RingAt:
        """What the keys are at this instant."""
        return RingAt(self.ring, self.ends, self.wall(now), self.spec.hdcp)

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

    def put(self, session: KeySession, end_ms: int = 0) -> None:
        """Enter a session, or what an update made of it, as the most recently updated one."""
        if self.ends is None and not end_ms:
            self.ring = self.pool.intern(self.pool.remember(entered, self.ring, session))
            return
        others = [(it, end) for it, end in self._pairs() if it.slot != session.slot]
        self._store([*others, (session, end_ms)])

    def amend(self, session: KeySession) -> None:
        """Change a session that no update was meant for: in its place, with its end."""
        self._store([(session if it.slot == session.slot else it, end) for it, end in self._pairs()])

    def change_of(self, session: KeySession, now: int) -> SessionChange:
        """The session as the page is to see it."""
        if self._is_still():
            found: Statuses = self.pool.remember(still_statuses, session, self.spec.hdcp)
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

    def leave(self, slots: Collection[int]) -> None:
        """Forget sessions and their keys."""
        self._store([(it, end) for it, end in self._pairs() if it.slot not in slots])

    def _answer(self, call: Call, now: int) -> Handled:
        answer = self.law.answers.get(type(call))
        if answer is None:
            raise NotSupportedError(f"this CDM knows no {type(call).__name__}")
        return answer(self, call, now)

    def _decrypt(self, call: Decrypt, now: int) -> Decrypted:
        decryptor: Decryptor = self.pool.remember(Decryptor)
        try:
            done = decryptor.decrypt(call.buffer, call.samples, self.at(now).usable_key, call.start)
        except ValueError as error:
            return Decrypted(clear=call.start, error=str(error))
        return Decrypted(clear=done.clear, stopped_by=done.stopped_by)

    def _wake_at(self, now: int) -> int | None:
        instant = None if self._is_still() else self.at(now).next_change()
        return None if instant is None else instant - self.epoch_us

    def _is_still(self) -> bool:
        """Whether time has nothing to change; most clients, most of the time."""
        return self.ends is None and bool(self.pool.remember(is_still, self.ring))

    def _pairs(self) -> list[tuple[KeySession, int]]:
        return list(zip(self.ring, self.ends or repeat(0), strict=False))

    def _store(self, pairs: list[tuple[KeySession, int]]) -> None:
        self.ring = self.pool.intern(tuple(session for session, _ in pairs))
        ends = tuple(end for _, end in pairs)
        self.ends = ends if any(ends) else None
