"""Deviations in when promises settle, and in what becomes of the CDM meanwhile."""

from __future__ import annotations

import msgspec

from player.cdm.quirks.layer import Chosen, Layer, failed
from player.chance import Draw
from player.clock import SECOND
from player.eme.cdm import (
    Call,
    Cdm,
    CdmResult,
    Close,
    GenerateRequest,
    Handled,
    Load,
    Lost,
    Remove,
    Settles,
    Update,
    Wake,
)
from player.eme.init_data import key_ids
from player.eme.status import ClosedReason


class CloseHangs(Layer):
    """Q11. "closed_resolves": the session closes, but its promise does not settle."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, Close) and self.chosen.form != "closed_resolves":
            return Handled(settles=Settles.NEVER)
        return self.cdm.handle(call, now, draw)

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        return msgspec.structs.replace(handled, settles=Settles.NEVER) if isinstance(call, Close) else handled


class RemoveHangs(Layer):
    """Q40."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        return Handled(settles=Settles.NEVER) if isinstance(call, Remove) else self.cdm.handle(call, now, draw)


class GenerateRequestHangs(Layer):
    """Q23: where init data names no key id; what is not supported fails with InvalidStateError."""

    __slots__ = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if not isinstance(call, GenerateRequest) or handled.error != "NotSupportedError":
            return handled
        if not key_ids(call.init_data_type, call.init_data):
            return Handled(settles=Settles.NEVER)
        return failed("InvalidStateError", handled.reason)


class EventBeforePromise(Layer):
    """Q41."""

    __slots__ = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        calls = GenerateRequest | Load | Update | Close | Remove
        if not isinstance(call, calls) or handled.settles is not Settles.IN_ORDER:
            return handled
        return msgspec.structs.replace(handled, settles=Settles.LAST)


class MessageBeforeSessionId(Layer):
    """Q42: the id itself is withheld where the page is shown it (`eme.surface_quirks`)."""

    __slots__ = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if not isinstance(call, GenerateRequest) or handled.settles is not Settles.IN_ORDER:
            return handled
        return msgspec.structs.replace(handled, settles=Settles.LAST)


class ContextReset(Layer):
    """Q36: once, `chosen.amount` s after the first session was asked for."""

    __slots__ = ("_due", "_over")

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._due: int | None = None
        self._over = False

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, GenerateRequest) and self._due is None and not self._over:
            self._due = now + self.chosen.amount * SECOND
        if not isinstance(call, Wake) or self._due is None or now < self._due:
            return self.cdm.handle(call, now, draw)
        self._due, self._over = None, True
        self.cdm.handle(Lost(ClosedReason.HARDWARE_CONTEXT_RESET), now, draw)
        return Handled(lost=ClosedReason.HARDWARE_CONTEXT_RESET)

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — the hook's shape
        if self._due is None:
            return handled
        due = self._due if handled.wake_at is None else min(self._due, handled.wake_at)
        return msgspec.structs.replace(handled, wake_at=due)
