"""Deviations in the messages that a CDM wants to be sent."""

from __future__ import annotations

from typing import Final

import msgspec

from player.cdm.quirks.layer import Chosen, Layer, Tracking
from player.chance import Draw
from player.eme.cdm import Call, Cdm, CdmResult, GenerateRequest, Handled, SessionChange, Update
from player.eme.status import MessageType
from player.wire import playready_message

PROVISIONING_REQUEST: Final = b"keystorm-provisioning-request"  # opaque to a page, as on any device
CERTIFICATE_REQUEST: Final = b"\x08\x04"  # Widevine's request for a service certificate, which players look for

Body = tuple[MessageType, bytes]


class ProvisioningFirst(Tracking):
    """Q28: the first answer of all, whatever it says, is the provisioning; then the license-request follows."""

    __slots__ = ("_held", "_provisioned")

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._held: dict[int, Body] = {}
        self._provisioned = False

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, Update) and call.slot in self._held:
            self._provisioned = True
            return Handled(message=self._held.pop(call.slot))
        return self.cdm.handle(call, now, draw)

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if not isinstance(call, GenerateRequest) or handled.message is None or self._provisioned:
            return handled
        self._held[call.slot] = handled.message
        first: Body = (MessageType.INDIVIDUALIZATION_REQUEST, PROVISIONING_REQUEST)
        if self.chosen.form == "certificate":
            first = (MessageType.LICENSE_REQUEST, CERTIFICATE_REQUEST)
        return msgspec.structs.replace(handled, message=first)

    def forget(self, slot: int) -> None:
        self._held.pop(slot, None)


class WrappedMessage(Layer):
    """Q29. "bare": as it is, on a device where others wrap it."""

    __slots__ = ()

    def shown(self, change: SessionChange) -> SessionChange:
        if change.message is None:
            return change
        return msgspec.structs.replace(change, message=self._wrapped(change.message))

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if handled.message is None:
            return handled
        return msgspec.structs.replace(handled, message=self._wrapped(handled.message))

    def _wrapped(self, message: Body) -> Body:
        kind, body = message
        if self.chosen.form == "bare" or not body:
            return message
        return kind, playready_message.write(body, playready_message.HEADERS)


class EmptyMessage(Layer):
    """Q30: where embedded keys need no request."""

    __slots__ = ()

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if not isinstance(call, GenerateRequest) or handled.error is not None or handled.message is not None:
            return handled
        return msgspec.structs.replace(handled, message=(MessageType.LICENSE_REQUEST, b""))
