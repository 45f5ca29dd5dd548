"""Deviations in what a page is told of its keys: statuses that are late, missing, merged, renamed or wrong."""

from __future__ import annotations

from typing import Final

import msgspec

from player.cdm.quirks.layer import Chosen, Layer
from player.clock import MILLISECOND
from player.eme.cdm import Call, Cdm, Destroyed, Handled, Load, Lost, SessionChange, Statuses, Update, Wake
from player.eme.status import KeyStatus
from player.ids import KeyId

ZERO_ID: Final = KeyId(b"\x00")
EMPTY_ID: Final = bytes.__new__(KeyId, b"")  # no valid key id: that is the point
_GOOD: Final = (KeyStatus.USABLE, KeyStatus.OUTPUT_DOWNSCALED)


class Late(Layer):
    """Statuses are told `chosen.amount` ms later; what time alone changes is told at once, unless some are held."""

    __slots__ = ("_held",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._held: tuple[tuple[int, SessionChange], ...] = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:
        if handled.error is not None:
            return handled
        if isinstance(call, Lost | Destroyed):
            self._held = ()
        changes = [self._taken(call, it, now) for it in handled.changes]
        if isinstance(call, Wake):
            changes += [it for at, it in self._held if at <= now]
            self._held = tuple(it for it in self._held if it[0] > now)
        instants = [at for at, _ in self._held] + ([] if handled.wake_at is None else [handled.wake_at])
        return msgspec.structs.replace(handled, changes=tuple(changes), wake_at=min(instants, default=None))

    def delays(self, call: Call) -> bool:
        """Whether the statuses that this call brings are late."""
        return not isinstance(call, Wake)

    def meanwhile(self, change: SessionChange) -> SessionChange:
        """What is shown until then."""
        return msgspec.structs.replace(change, statuses=None, announce=False)

    def hold(self, change: SessionChange, now: int) -> None:
        """What is held of a session gives way to what is newer."""
        others = tuple(it for it in self._held if it[1].slot != change.slot)
        self._held = (*others, (now + self.chosen.amount * MILLISECOND, change))

    def _taken(self, call: Call, change: SessionChange, now: int) -> SessionChange:
        if change.closed is not None:
            self._held = tuple(it for it in self._held if it[1].slot != change.slot)
            return change
        if not change.statuses:
            return change
        if isinstance(call, Wake) and any(it.slot == change.slot for _, it in self._held):
            self._held = tuple((at, change if it.slot == change.slot else it) for at, it in self._held)
            return self.meanwhile(change)
        if not self.delays(call):
            return change
        self.hold(change, now)
        return self.meanwhile(change)


class StatusPendingFirst(Late):
    """Q01."""

    __slots__ = ()

    def meanwhile(self, change: SessionChange) -> SessionChange:
        pending = tuple((kid, KeyStatus.STATUS_PENDING) for kid, _ in change.statuses or ())
        return msgspec.structs.replace(change, statuses=pending)


class NoKeyStatuses(Layer):
    """Q02."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if change.closed is not None:
            return change
        return msgspec.structs.replace(change, statuses=None, announce=False)


class LateOrMergedStatuses(Late):
    """Q03. "merged": changes that come while one is held take its place and its time."""

    __slots__ = ()

    def hold(self, change: SessionChange, now: int) -> None:
        due = now + self.chosen.amount * MILLISECOND
        if self.chosen.form == "merged":
            due = min((at for at, it in self._held if it.slot == change.slot), default=due)
            self._held = tuple(it for it in self._held if it[1].slot != change.slot)
        self._held = (*self._held, (due, change))


class KeyMissingInMap(Layer):
    """Q04: the last key of a map of several."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if change.statuses is None or len(change.statuses) < 2:
            return change
        return msgspec.structs.replace(change, statuses=change.statuses[:-1])


class SingleZeroKeyId(Layer):
    """Q05: usable where all keys are, else the first status that is another."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if not change.statuses:
            return change
        statuses = [status for _, status in change.statuses]
        whole = next((it for it in statuses if it is not KeyStatus.USABLE), KeyStatus.USABLE)
        kid = EMPTY_ID if self.chosen.form == "empty" else ZERO_ID
        return msgspec.structs.replace(change, statuses=((kid, whole),))


class GuidKeyIds(Layer):
    """Q06. "big_endian": ids as they are, on a device where others swap them."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if not change.statuses or self.chosen.form == "big_endian":
            return change
        swapped: Statuses = tuple(sorted((kid.as_guid, status) for kid, status in change.statuses))
        return msgspec.structs.replace(change, statuses=swapped)


class LateStatusesAfterLoad(Late):
    """Q14."""

    __slots__ = ()

    def delays(self, call: Call) -> bool:
        return isinstance(call, Load)


class ExpirationMismatch(Layer):
    """Q15. "early": statuses expire `chosen.amount` ms before the time that is told."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if not change.expiration_ms:
            return change
        told = change.expiration_ms + self.chosen.amount if self.chosen.form == "early" else 0
        return msgspec.structs.replace(change, expiration_ms=told)


class InternalErrorKeys(Layer):
    """Q17: the last key of the first license, or all."""

    __slots__ = ("_bad",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._bad: KeyId | None = None

    def shown(self, change: SessionChange) -> SessionChange:
        if not change.statuses:
            return change
        self._bad = self._bad or change.statuses[-1][0]
        turned = tuple(
            (kid, KeyStatus.INTERNAL_ERROR if status in _GOOD and self.stops(kid) else status)
            for kid, status in change.statuses
        )
        return msgspec.structs.replace(change, statuses=turned)

    def stops(self, kid: KeyId) -> bool:
        return self.chosen.form == "all" or kid == self._bad


class StatusEventEveryUpdate(Layer):
    """Q20."""

    __slots__ = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if not isinstance(call, Update) or handled.error is not None:
            return handled
        told = tuple(_announced(it) if it.slot == call.slot and it.closed is None else it for it in handled.changes)
        return msgspec.structs.replace(handled, changes=told)


class StatusEventAfterClose(Layer):
    """Q13."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        return change if change.closed is None else msgspec.structs.replace(change, again=True)


def _announced(change: SessionChange) -> SessionChange:
    return msgspec.structs.replace(change, announce=True)
