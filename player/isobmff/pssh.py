"""The one codec of `pssh` boxes (ISO/IEC 23001-7, 8.1): strict, since what it reads from the network decides things.

Refuses to know what the boxes mean: what EME demands of init data is `eme.init_data`, what Data holds is the system's.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from player.ids import CENC_KEY_ID_BYTES, KeyId, SystemId

_HEAD: Final = Struct(">I4sB3x16s")  # size, type, version, flags, SystemID
_COUNT: Final = Struct(">I")
_NEWEST: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pssh:
    """One box. Version 0 lists no key ids; version 1 lists them, perhaps none."""

    version: int
    system_id: SystemId
    key_ids: tuple[KeyId, ...] = ()
    data: bytes = b""


def read(data: bytes) -> tuple[Pssh, ...]:
    """The boxes of one or more concatenated `pssh` and nothing else, in their order.

    Boxes of a version newer than 1 are left out, as long as one other is there.

    Raises: ValueError for another type, a size that does not fit, trailing bytes, or nothing readable.
    """
    found: list[Pssh] = []
    position = 0
    while position < len(data):
        size, box = _read_box(data, position)
        position += size
        if box is not None:
            found.append(box)
    if not found:
        raise ValueError("no pssh box of a known version")
    return tuple(found)


def write(box: Pssh) -> bytes:
    """The bytes of one box.

    Raises: ValueError for a version that does not exist, key ids of another size than 16, or key ids in version 0.
    """
    if box.version not in (0, _NEWEST):
        raise ValueError(f"pssh version {box.version} does not exist")
    if box.version == 0 and box.key_ids:
        raise ValueError("a pssh box of version 0 lists no key ids")
    if any(len(kid) != CENC_KEY_ID_BYTES for kid in box.key_ids):
        raise ValueError("a KID of a pssh box has 16 bytes")
    kids = _COUNT.pack(len(box.key_ids)) + b"".join(box.key_ids) if box.version else b""
    rest = kids + _COUNT.pack(len(box.data)) + box.data
    return _HEAD.pack(_HEAD.size + len(rest), b"pssh", box.version, box.system_id) + rest


def _read_box(data: bytes, start: int) -> tuple[int, Pssh | None]:
    """Size of the box at `start` and what it says; None: a newer version."""
    if len(data) - start < _HEAD.size:
        raise ValueError(f"{len(data) - start} bytes are too few for a pssh box")
    size, kind, version, system = _HEAD.unpack_from(data, start)
    if kind != b"pssh":
        raise ValueError("a box that is not a pssh box")
    if not _HEAD.size <= size <= len(data) - start:
        raise ValueError(f"a pssh box of {size} bytes where {len(data) - start} are left")
    if version > _NEWEST:
        return size, None
    return size, _read_body(data[start + _HEAD.size : start + size], version, SystemId(system))


def _read_body(body: bytes, version: int, system_id: SystemId) -> Pssh:
    kid_count, rest = _count(body) if version else (0, body)
    kids_end = kid_count * CENC_KEY_ID_BYTES
    if kids_end > len(rest):
        raise ValueError(f"{kid_count} KIDs promised, room for {len(rest) // CENC_KEY_ID_BYTES}")
    key_ids = tuple(KeyId(rest[i : i + CENC_KEY_ID_BYTES]) for i in range(0, kids_end, CENC_KEY_ID_BYTES))
    size, data = _count(rest[kids_end:])
    if size != len(data):
        raise ValueError(f"{size} bytes of Data promised, {len(data)} present")
    return Pssh(version=version, system_id=system_id, key_ids=key_ids, data=data)


def _count(data: bytes) -> tuple[int, bytes]:
    if len(data) < _COUNT.size:
        raise ValueError("a pssh box ends inside a count")
    return _COUNT.unpack_from(data)[0], data[_COUNT.size :]
