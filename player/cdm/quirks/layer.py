"""A layer around a CDM: it sees every call and may change the answer. By itself it changes nothing.

A deviation overrides the one or two hooks that it needs, and keeps what it must remember in slots of its own, so that
a client without deviations pays nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from player.chance import Draw
from player.eme.cdm import (
    Call,
    Cdm,
    CdmResult,
    Decrypt,
    Decrypted,
    Destroyed,
    GenerateRequest,
    Handled,
    Load,
    Lost,
    SessionChange,
)
from player.ids import KeyId

OPENS: Final = (GenerateRequest, Load)  # the calls after which the CDM has a session more


class Chosen(NamedTuple):
    """A deviation as a run names it: `NAME[:AMOUNT][:FORM]`. `amount` 0: it has none."""

    name: str
    form: str
    amount: int


class Layer:
    """Fulfils `eme.cdm.Cdm` around another one."""

    __slots__ = ("cdm", "chosen")

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        self.cdm = cdm
        self.chosen = chosen

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, Decrypt):
            return self._decrypt(call, now, draw)
        result = self.ask(call, now, draw)
        if not isinstance(result, Handled):
            return result
        if result.changes:
            result = msgspec.structs.replace(result, changes=tuple(map(self.shown, result.changes)))
        return self.told(call, result, now)

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        """What the CDM is asked, if it is."""
        return self.cdm.handle(call, now, draw)

    def shown(self, change: SessionChange) -> SessionChange:
        """What is shown of one session's change."""
        return change

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — a hook
        """What is told of an answer."""
        return handled

    def stops(self, kid: KeyId) -> bool:  # noqa: ARG002 — a hook
        """Whether samples of this key stay as they are, although the CDM has it."""
        return False

    def _decrypt(self, call: Decrypt, now: int, draw: Draw) -> CdmResult:
        end, kid = self._first_stopped(call)
        if end == call.start and kid is not None:
            return Decrypted(clear=call.start, stopped_by=kid)
        asked = call if kid is None else msgspec.structs.replace(call, samples=call.samples[:end])
        result = self.cdm.handle(asked, now, draw)
        if not isinstance(result, Decrypted):
            return result
        if result.changes:
            result = msgspec.structs.replace(result, changes=tuple(map(self.shown, result.changes)))
        if kid is not None and result.clear == end:
            return msgspec.structs.replace(result, stopped_by=kid)
        return result

    def _first_stopped(self, call: Decrypt) -> tuple[int, KeyId | None]:
        """Place and key of the first sample that this layer stops at."""
        if type(self).stops is not Layer.stops:
            for place in range(call.start, len(call.samples)):
                protection = call.samples[place].protection
                if protection is not None and self.stops(protection.kid):
                    return place, protection.kid
        return len(call.samples), None


class Tracking(Layer):
    """It knows which sessions are open in the CDM: `open`, by slot, with the call that opened each."""

    __slots__ = ("open",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self.open: dict[int, GenerateRequest | Load] = {}

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = super().handle(call, now, draw)
        if (
            isinstance(call, OPENS)
            and isinstance(result, Handled)
            and result.error is None
            and result.value is not False
        ):
            self.open[call.slot] = call
        for slot in ended(result):
            self.open.pop(slot, None)
            self.forget(slot)
        if isinstance(call, Lost | Destroyed):
            for slot in tuple(self.open):
                self.forget(slot)
            self.open.clear()
        return result

    def forget(self, slot: int) -> None:
        """The session in this slot has closed."""


def ended(result: CdmResult) -> tuple[int, ...]:
    """The slots of the sessions that close with this answer."""
    return tuple(it.slot for it in result.changes if it.closed is not None)


def failed(name: str, reason: str) -> Handled:
    """A call that fails with the DOM's name of an error."""
    return Handled(error=name, reason=reason)
