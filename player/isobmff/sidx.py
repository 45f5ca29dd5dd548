"""The segment index: `sidx` (ISO/IEC 14496-12, 8.16.3)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import Box, full_header, require, require_table, top_level

_CLAUSE: Final = "14496-12, 8.16.3"
_FIXED: Final = 12  # version, flags, reference id, timescale
_TIMES: Final = (Struct(">II"), Struct(">QQ"))  # earliest presentation time and first offset, by version
_COUNT: Final = Struct(">2xH")
_REFERENCE: Final = Struct(">III")  # type and size, duration, access point
_IS_INDEX: Final = 1 << 31


class IndexedSegment(NamedTuple):
    """Times in ticks; `first_byte` counts from where the anchor does."""

    time: int
    duration: int
    first_byte: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentIndex:
    timescale: int
    segments: tuple[IndexedSegment, ...]


def parse_sidx(data: bytes, anchor: int) -> SegmentIndex:
    """The first `sidx` in `data`. `anchor`: where the first byte behind that box lies in the resource.

    Raises: MediaError; `bad-reference` where there is no sidx, `unsupported` for an index of indexes.
    """
    for box in top_level(data):
        if box.type == b"sidx":
            return _read_sidx(data, box, anchor)
    raise MediaError("bad-reference", "/", 0, "no sidx in the index range", _CLAUSE)


def _read_sidx(data: bytes, box: Box, anchor: int) -> SegmentIndex:
    version, _ = full_header(data, box, _FIXED)
    times = _TIMES[min(version, 1)]
    require(box, _FIXED + times.size + _COUNT.size)
    timescale = int.from_bytes(data[box.body + 8 : box.body + 12], "big")
    if not timescale:
        raise box.fault("bad-table", "a timescale of 0", _CLAUSE)
    time, first_offset = times.unpack_from(data, box.body + _FIXED)
    start = box.body + _FIXED + times.size + _COUNT.size
    (count,) = _COUNT.unpack_from(data, start - _COUNT.size)
    require_table(box, start, count, _REFERENCE.size)
    position = anchor + first_offset
    segments: list[IndexedSegment] = []
    for size, duration, _ in _REFERENCE.iter_unpack(data[start : start + count * _REFERENCE.size]):
        if size & _IS_INDEX:
            raise box.fault("unsupported", "an index of indexes", _CLAUSE)
        segments.append(IndexedSegment(time, duration, position, size))
        time += duration
        position += size
    return SegmentIndex(timescale=timescale, segments=tuple(segments))
