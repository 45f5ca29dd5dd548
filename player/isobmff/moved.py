"""Indexes of a file whose boxes became smaller: `sidx` and `mfra` (ISO/IEC 14496-12, 8.16.3 and 8.8.9 to 8.8.11)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from player.isobmff.boxes import Box, Walk, full_header, require_table
from player.isobmff.edits import Edits, Moved

_U32: Final = Struct(">I")
_U64: Final = Struct(">Q")
_REFERENCE_BYTES: Final = 12
_SIZE_BITS: Final = 0x7FFFFFFF  # of a reference; the bit above says whether it leads to another index


def moved_sidx(data: bytes, sidx: Box, moved: Moved) -> bytes:
    """Sizes and first offset anew (ISO/IEC 14496-12, 8.16.3)."""
    edits = Edits(data, sidx)
    version, _ = full_header(data, sidx, 32 if data[sidx.body] else 24)
    layout = _U64 if version else _U32
    at = sidx.body + 12 + layout.size
    (first,) = layout.unpack_from(data, at)
    start, new_end = sidx.end + first, moved(sidx.end)
    edits.write(at, layout.pack(moved(start) - new_end))
    at += layout.size + 2
    count = int.from_bytes(data[at : at + 2], "big")
    require_table(sidx, at + 2, count, _REFERENCE_BYTES)
    for row in range(at + 2, at + 2 + 12 * count, _REFERENCE_BYTES):
        (size,) = _U32.unpack_from(data, row)
        end = start + (size & _SIZE_BITS)
        edits.write(row, _U32.pack(size & ~_SIZE_BITS | moved(end) - moved(start)))
        start = end
    return edits.built()


def moved_mfra(data: bytes, mfra: Box, moved: Moved) -> bytes:
    """Where each moof of a `tfra` went."""
    walk, edits = Walk(data), Edits(data, mfra)
    for tfra in walk.enter(mfra):
        if tfra.type == b"tfra":
            _move_tfra(data, tfra, moved, edits)
    return edits.built()


def _move_tfra(data: bytes, tfra: Box, moved: Moved, edits: Edits) -> None:
    version, _ = full_header(data, tfra, 16)
    layout = _U64 if version else _U32
    sizes = int.from_bytes(data[tfra.body + 8 : tfra.body + 12], "big")
    row_bytes = 2 * layout.size + sum((sizes >> shift & 3) + 1 for shift in (0, 2, 4))
    (count,) = _U32.unpack_from(data, tfra.body + 12)
    require_table(tfra, tfra.body + 16, count, row_bytes)
    for row in range(tfra.body + 16, tfra.body + 16 + count * row_bytes, row_bytes):
        (offset,) = layout.unpack_from(data, row + layout.size)
        edits.write(row + layout.size, layout.pack(moved(offset)))
