"""Deviations in what a CDM makes of a license: what it takes, what it keeps, what it throws away."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from player.cdm.quirks.layer import Chosen, Layer, Tracking
from player.chance import Draw
from player.eme.cdm import Call, Cdm, CdmResult, GenerateRequest, Handled, SessionChange, Update
from player.eme.status import MessageType, SessionType
from player.errors import LicenseError
from player.ids import KeyId
from player.wire.strict import JsonObject, b64url_decode, read_object, write_object

MAX_TRIES = 128  # as many keys as a license may have


class PartialLicense(Layer):
    """Q21: the keys before the bad one, and nobody is told."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self.cdm.handle(call, now, draw)
        if not isinstance(call, Update) or not isinstance(result, Handled) or result.error != "TypeError":
            return result
        for response in _shorter(call.response):
            tried = self.cdm.handle(msgspec.structs.replace(call, response=response), now, draw)
            if isinstance(tried, Handled) and tried.error is None:
                break
        return result


def _shorter(response: bytes) -> Iterator[bytes]:
    """The license without its last keys, longest first."""
    document = _document(response)
    keys = document.get("keys")
    if isinstance(keys, list):
        for count in range(min(len(keys), MAX_TRIES + 1) - 1, 0, -1):
            yield write_object({**document, "keys": keys[:count]})


class LicenseTypeUnchecked(Tracking):
    """Q22: a license for sessions of another type is taken as one for this."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self.cdm.handle(call, now, draw)
        opened = self.open.get(call.slot) if isinstance(call, Update) else None
        if not isinstance(call, Update) or opened is None or not _is_refused(result):
            return result
        response = _of_type(call.response, opened.session_type)
        if response == call.response:
            return result
        return self.cdm.handle(msgspec.structs.replace(call, response=response), now, draw)


def _of_type(response: bytes, session_type: SessionType) -> bytes:
    document = dict(_document(response))
    policy = document.get("policy")
    if isinstance(policy, dict):
        document["policy"] = {**policy, "persist": session_type is SessionType.PERSISTENT_LICENSE}
    elif "type" in document:
        document["type"] = session_type
    else:
        return response
    return write_object(document)


class LaxMatching(Tracking):
    """Q24: names in any case; an acknowledgement is taken whatever it names."""

    __slots__ = ("_released",)

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._released: dict[int, object] = {}  # key ids of the release that waits for its acknowledgement

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, GenerateRequest):
            call = msgspec.structs.replace(call, init_data_type=call.init_data_type.lower())
        result = self.cdm.handle(call, now, draw)
        if not isinstance(call, Update) or not _is_refused(result):
            return result
        response = self._forgiven(call)
        if response is None:
            return result
        return self.cdm.handle(msgspec.structs.replace(call, response=response), now, draw)

    def told(self, call: Call, handled: Handled, now: int) -> Handled:  # noqa: ARG002 — without time
        if handled.message is not None and handled.message[0] is MessageType.LICENSE_RELEASE:
            slot = getattr(call, "slot", None)
            if slot is not None:
                self._released[slot] = _document(handled.message[1]).get("kids")
        return handled

    def forget(self, slot: int) -> None:
        self._released.pop(slot, None)

    def _forgiven(self, call: Update) -> bytes | None:
        document = _document(call.response)
        if "kids" in document and self._released.get(call.slot):
            return write_object({**document, "kids": self._released[call.slot]})
        keys = document.get("keys")
        if not isinstance(keys, list):
            return None
        return write_object({**document, "keys": [_lower_type(it) for it in keys]})


def _lower_type(entry: object) -> object:
    if isinstance(entry, dict) and isinstance(entry.get("kty"), str):
        return {**entry, "kty": entry["kty"].lower()}
    return entry


class LicenseReplacesKeys(Tracking):
    """Q27: of a session, only what its last license brought is there."""

    __slots__ = ("_maps", "_replaced")

    def __init__(self, cdm: Cdm, chosen: Chosen) -> None:
        super().__init__(cdm, chosen)
        self._maps: dict[int, frozenset[KeyId]] = {}
        self._replaced: dict[int, frozenset[KeyId]] = {}

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        result = self.cdm.handle(call, now, draw)
        if isinstance(call, Update) and isinstance(result, Handled) and result.error is None:
            brought = _kids(call.response)
            if brought:
                held = self._maps.get(call.slot, frozenset()) | self._replaced.get(call.slot, frozenset())
                self._replaced[call.slot] = held - brought
        return result

    def shown(self, change: SessionChange) -> SessionChange:
        if change.statuses is None:
            return change
        gone = self._replaced.get(change.slot, frozenset())
        left = tuple(it for it in change.statuses if it[0] not in gone)
        self._maps[change.slot] = frozenset(kid for kid, _ in left)
        return msgspec.structs.replace(change, statuses=left)

    def stops(self, kid: KeyId) -> bool:
        is_gone = any(kid in gone for gone in self._replaced.values())
        return is_gone and not any(kid in held for held in self._maps.values())

    def forget(self, slot: int) -> None:
        self._maps.pop(slot, None)
        self._replaced.pop(slot, None)


def _kids(response: bytes) -> frozenset[KeyId]:
    """The key ids that a license names, of the documents that this lab knows."""
    keys = _document(response).get("keys")
    named = [it.get("kid") for it in keys if isinstance(it, dict)] if isinstance(keys, list) else []
    try:
        return frozenset(KeyId(b64url_decode(it, "kid")) for it in named if isinstance(it, str))
    except (LicenseError, ValueError):
        return frozenset()


def _document(response: bytes) -> JsonObject:
    try:
        return read_object(response, "license")
    except LicenseError:
        return {}


def _is_refused(result: CdmResult) -> bool:
    return isinstance(result, Handled) and result.error is not None
