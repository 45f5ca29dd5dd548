"""Deviations of real devices, each a layer around a CDM: it sees every call and may change what the answer holds.

Off unless named. Each brings its number from the list of quirks and says what a player must not conclude from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from player.chance import Draw
from player.clock import MILLISECOND
from player.eme.cdm import Call, Cdm, CdmResult, GenerateRequest, Handled, SessionChange, Update, Wake
from player.eme.status import KeyStatus, MessageType

PENDING_US: Final = 500 * MILLISECOND  # choice: shaka-player batches status changes over 0.5 s


class StatusPendingFirst:
    """Q01: new statuses are status-pending at first and final after a while. Pending is neither failed nor usable."""

    __slots__ = ("_cdm", "_held")

    def __init__(self, cdm: Cdm) -> None:
        self._cdm = cdm
        self._held: tuple[tuple[int, SessionChange], ...] = ()

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self._cdm.handle(call, now, draw)
        if not isinstance(result, Handled) or result.error is not None:
            return result
        if isinstance(call, Wake):
            return self._woken(result, now)
        self._hold([(now + PENDING_US, it) for it in result.changes if it.statuses], result)
        return self._with(result, tuple(map(_pending, result.changes)))

    def _hold(self, fresh: list[tuple[int, SessionChange]], result: Handled) -> None:
        """What is held of a session gives way to what is newer, and to its end."""
        touched = {it.slot for it in result.changes if it.statuses is not None}
        self._held = (*(it for it in self._held if it[1].slot not in touched), *fresh)

    def _woken(self, result: Handled, now: int) -> Handled:
        due = tuple(change for at, change in self._held if at <= now)
        newer = {it.slot for it in result.changes}
        self._held = tuple(it for it in self._held if it[0] > now)
        waiting = {it.slot for _, it in self._held}
        told = tuple(it for it in result.changes if it.slot not in waiting)
        return self._with(result, (*(it for it in due if it.slot not in newer), *told))

    def _with(self, result: Handled, changes: tuple[SessionChange, ...]) -> Handled:
        instants = [at for at, _ in self._held] + ([] if result.wake_at is None else [result.wake_at])
        return msgspec.structs.replace(result, changes=changes, wake_at=min(instants, default=None))


class StatusEventEveryUpdate:
    """Q20: a keystatuseschange at every update, changed or not. It is no news, and no ground for another request."""

    __slots__ = ("_cdm",)

    def __init__(self, cdm: Cdm) -> None:
        self._cdm = cdm

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self._cdm.handle(call, now, draw)
        if not isinstance(call, Update) or not isinstance(result, Handled):
            return result
        told = tuple(
            msgspec.structs.replace(it, announce=True) if it.slot == call.slot else it for it in result.changes
        )
        return msgspec.structs.replace(result, changes=told)


class EmptyMessage:
    """Q30: where embedded keys need no request there is an empty message instead of none. It is not to be posted."""

    __slots__ = ("_cdm",)

    def __init__(self, cdm: Cdm) -> None:
        self._cdm = cdm

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self._cdm.handle(call, now, draw)
        if not isinstance(call, GenerateRequest) or not isinstance(result, Handled):
            return result
        if result.error is not None or result.message is not None:
            return result
        return msgspec.structs.replace(result, message=(MessageType.LICENSE_REQUEST, b""))


def _pending(change: SessionChange) -> SessionChange:
    if not change.statuses:
        return change
    return msgspec.structs.replace(
        change, statuses=tuple((kid, KeyStatus.STATUS_PENDING) for kid, _ in change.statuses)
    )


QUIRKS: Final[Mapping[str, Callable[[Cdm], Cdm]]] = MappingProxyType(
    {
        "status_pending_first": StatusPendingFirst,
        "status_event_every_update": StatusEventEveryUpdate,
        "empty_message": EmptyMessage,
    }
)
