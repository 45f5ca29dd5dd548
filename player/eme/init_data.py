"""What EME demands of initialization data, over the codecs of its formats (EME 6.6 generateRequest; registry).

Refuses to know which key system asks: it gives the boxes or key ids that are left after sanitizing, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.eme.errors import EmeTypeError, NotSupportedError
from player.errors import EmeError, LicenseError
from player.ids import COMMON_SYSTEM, MAX_KEY_ID_BYTES, KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import keyids

MAX_INIT_DATA_BYTES: Final = 64 * 1024  # choice: Chromium's limit

CENC: Final = "cenc"
KEYIDS: Final = "keyids"
WEBM: Final = "webm"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitData:
    """Sanitized init data: `boxes` for "cenc", `kids` for "keyids" and "webm"; the other one is empty."""

    boxes: tuple[Pssh, ...] = ()
    kids: tuple[KeyId, ...] = ()


def sanitize(init_data_type: str, init_data: bytes) -> InitData:
    """What is left of init data once it is known to be valid for its type.

    Raises: EmeTypeError where it is not valid, NotSupportedError where nothing is left or the type is unknown.
    """
    if len(init_data) > MAX_INIT_DATA_BYTES:
        raise EmeTypeError(f"{len(init_data)} bytes of init data, at most {MAX_INIT_DATA_BYTES} are read")
    if init_data_type == CENC:
        return InitData(boxes=_boxes(init_data))
    if init_data_type == KEYIDS:
        return InitData(kids=_key_ids(init_data))
    if init_data_type == WEBM:
        return InitData(kids=(_raw_key_id(init_data),))
    raise NotSupportedError(f"init data of type {init_data_type!r}")


def common_key_ids(box: Pssh) -> tuple[KeyId, ...]:
    """The key ids of a box of the common SystemID, whose Data is ignored; `()`: not such a box, or one without any."""
    return box.key_ids if box.system_id == COMMON_SYSTEM else ()


def key_ids(init_data_type: str, init_data: bytes) -> tuple[KeyId, ...]:
    """Every key id that init data names, each once, in its order; `()` where it cannot be read."""
    try:
        sanitized = sanitize(init_data_type, init_data)
    except EmeError:
        return ()
    named = (kid for box in sanitized.boxes for kid in box.key_ids)
    return tuple(dict.fromkeys((*sanitized.kids, *named)))


def systems(init_data: bytes) -> tuple[SystemId, ...]:
    """The SystemIDs of the boxes of "cenc" init data, each once, in its order. `()` where it cannot be read."""
    try:
        return tuple(dict.fromkeys(box.system_id for box in _boxes(init_data)))
    except EmeError:
        return ()


def _boxes(init_data: bytes) -> tuple[Pssh, ...]:
    try:
        return pssh.read(init_data)
    except ValueError as error:
        raise EmeTypeError(f"init data: {error}") from error


def _key_ids(init_data: bytes) -> tuple[KeyId, ...]:
    try:
        kids = keyids.read(init_data)
    except LicenseError as error:
        raise EmeTypeError(f"init data: {error}") from error
    if not kids:
        raise NotSupportedError("init data without a key id")
    return kids


def _raw_key_id(init_data: bytes) -> KeyId:
    if not 1 <= len(init_data) <= MAX_KEY_ID_BYTES:
        raise EmeTypeError(f"init data: a key id has 1 to {MAX_KEY_ID_BYTES} bytes, this one {len(init_data)}")
    return KeyId(init_data)
