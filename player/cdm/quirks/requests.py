"""Deviations in what a CDM lets itself be asked: sessions, init data, certificates, policies."""

from __future__ import annotations

from typing import Final

import msgspec

from player.cdm.quirks.layer import OPENS, Layer, Tracking, failed
from player.chance import Draw
from player.eme.cdm import (
    Call,
    CdmResult,
    GenerateRequest,
    GetStatusForPolicy,
    Handled,
    SetServerCertificate,
    Update,
)
from player.eme.init_data import CENC, KEYIDS, key_ids
from player.eme.status import KeyStatus, SessionType
from player.errors import LicenseError
from player.ids import COMMON_SYSTEM, KeyId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import keyids
from player.wire.strict import read_object, write_object

_NAMELESS: Final = keyids.write([KeyId(b"\x00")])  # stands in for an empty list


class SessionLimit(Tracking):
    """Q09: `chosen.amount` sessions may be open; one more fails with the error that the form names."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, OPENS) and len(self.open) >= self.chosen.amount:
            return failed(
                self.chosen.form or "QuotaExceededError",
                f"{len(self.open)} sessions are open, which is all this device has",
            )
        return self.cdm.handle(call, now, draw)


class LateCapabilityFailure(Tracking):
    """Q18. "persistent": sessions to be stored take no license; else no session takes init data."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if self.chosen.form != "persistent":
            if isinstance(call, GenerateRequest):
                return failed("NotSupportedError", "the device cannot do what it has granted")
        elif isinstance(call, Update) and self._is_stored(call.slot):
            return failed("NotSupportedError", "the device cannot store what it has granted")
        return self.cdm.handle(call, now, draw)

    def _is_stored(self, slot: int) -> bool:
        opened = self.open.get(slot)
        return opened is not None and opened.session_type is not SessionType.TEMPORARY


class FragilePssh(Layer):
    """Q25: a common box before others, common boxes of both versions, or, in its other form, a box twice."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, GenerateRequest) and call.init_data_type == CENC and self._breaks(call.init_data):
            return failed("InvalidStateError", "the device breaks on these pssh boxes")
        return self.cdm.handle(call, now, draw)

    def _breaks(self, init_data: bytes) -> bool:
        try:
            boxes = pssh.read(init_data)
        except ValueError:
            return False
        if self.chosen.form == "duplicated":
            return len(set(boxes)) < len(boxes)
        return _common_first(boxes) or _both_versions(boxes)


def _common_first(boxes: tuple[Pssh, ...]) -> bool:
    return boxes[0].system_id == COMMON_SYSTEM and any(it.system_id != COMMON_SYSTEM for it in boxes)


def _both_versions(boxes: tuple[Pssh, ...]) -> bool:
    return len({it.version for it in boxes if it.system_id == COMMON_SYSTEM}) > 1


class RequestKeyLimit(Layer):
    """Q35: init data that names more than `chosen.amount` key ids is invalid."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, GenerateRequest):
            named = len(key_ids(call.init_data_type, call.init_data))
            if named > self.chosen.amount:
                return failed("TypeError", f"{named} key ids in one request, at most {self.chosen.amount} are taken")
        return self.cdm.handle(call, now, draw)


class NoServerCertificate(Layer):
    """Q39. Not supported is what the key system says already; "rejects" fails instead of resolving with False."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, SetServerCertificate):
            return failed("NotSupportedError", "this device takes no certificate")
        return self.cdm.handle(call, now, draw)


class EmptyInputAccepted(Layer):
    """Q43: a policy without members is met, and an empty list of key ids is asked for as it is."""

    __slots__ = ()

    def ask(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, GetStatusForPolicy) and not call.min_hdcp_version:
            return Handled(value=KeyStatus.USABLE)
        if not isinstance(call, GenerateRequest) or not _is_empty_list(call):
            return self.cdm.handle(call, now, draw)
        result = self.cdm.handle(msgspec.structs.replace(call, init_data=_NAMELESS), now, draw)
        if not isinstance(result, Handled) or result.message is None:
            return result
        kind, body = result.message
        return msgspec.structs.replace(result, message=(kind, _without_kids(body)))


def _is_empty_list(call: GenerateRequest) -> bool:
    try:
        return call.init_data_type == KEYIDS and not keyids.read(call.init_data)
    except LicenseError:
        return False


def _without_kids(body: bytes) -> bytes:
    try:
        return write_object({**read_object(body, "license request"), "kids": []})
    except LicenseError:
        return body  # the body of a key system that is no JSON
