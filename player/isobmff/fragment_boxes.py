"""The tables of a `traf`: `tfhd`, `tfdt` and `trun` (ISO/IEC 14496-12, 8.8.7, 8.8.12 and 8.8.8)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from player.isobmff.boxes import MAX_SAMPLES, Box, Walk, full_header, require, require_table

_U32: Final = Struct(">I")
_I32: Final = Struct(">i")
_U64: Final = Struct(">Q")

_BASE_DATA_OFFSET: Final = 0x000001
_DESCRIPTION_INDEX: Final = 0x000002
_DEFAULT_DURATION: Final = 0x000008
_DEFAULT_SIZE: Final = 0x000010
_DEFAULT_FLAGS: Final = 0x000020
_DEFAULT_BASE_IS_MOOF: Final = 0x020000

_DATA_OFFSET: Final = 0x000001
_FIRST_FLAGS: Final = 0x000004
_DURATION: Final = 0x000100
_SIZE: Final = 0x000200
_FLAGS: Final = 0x000400
_TIME_OFFSET: Final = 0x000800
_COLUMNS: Final = (_DURATION, _SIZE, _FLAGS, _TIME_OFFSET)  # each a u32 a sample, in this order


class TrackFragmentHeader(NamedTuple):
    """`tfhd`; None: not in the box."""

    track_id: int
    base_data_offset: int | None
    base_is_moof: bool
    description_index: int | None
    duration: int | None
    size: int | None
    sample_flags: int | None = None


class TrackRun(NamedTuple):
    """`trun`: samples that lie one after the other. `durations` and `sizes` None: the defaults apply to all."""

    sample_count: int
    data_offset: int | None
    durations: tuple[int, ...] | None
    sizes: tuple[int, ...] | None
    first_flags: int | None = None  # of the first sample only
    sample_flags: Sequence[int] | None = None
    time_offsets: Sequence[int] | None = None  # composition minus decode time, as unsigned numbers (two's complement)


def read_tfhd(data: bytes, box: Box) -> TrackFragmentHeader:
    _, flags = full_header(data, box, 8)
    (track_id,) = _U32.unpack_from(data, box.body + 4)
    values: dict[int, int] = {}
    position = box.body + 8
    for flag, layout in (
        (_BASE_DATA_OFFSET, _U64),
        (_DESCRIPTION_INDEX, _U32),
        (_DEFAULT_DURATION, _U32),
        (_DEFAULT_SIZE, _U32),
        (_DEFAULT_FLAGS, _U32),
    ):
        if flags & flag:
            require(box, position - box.body + layout.size)
            (values[flag],) = layout.unpack_from(data, position)
            position += layout.size
    return TrackFragmentHeader(
        track_id,
        values.get(_BASE_DATA_OFFSET),
        bool(flags & _DEFAULT_BASE_IS_MOOF),
        values.get(_DESCRIPTION_INDEX),
        values.get(_DEFAULT_DURATION),
        values.get(_DEFAULT_SIZE),
        values.get(_DEFAULT_FLAGS),
    )


def read_tfdt(walk: Walk, box: Box) -> int:
    """The decode time of the first sample, in ticks."""
    version, _ = full_header(walk.data, box, 8)
    if version > 1:
        walk.warn("unknown-version", box, f"version {version} read as 1")
    layout = _U64 if version else _U32
    require(box, 4 + layout.size)
    time: int = layout.unpack_from(walk.data, box.body + 4)[0]
    return time


def read_trun(data: bytes, box: Box) -> TrackRun:
    """Raises: MediaError `bad-table` for a count that does not fit, `limit` for too many samples."""
    _, flags = full_header(data, box, 8)
    (count,) = _U32.unpack_from(data, box.body + 4)
    position = box.body + 8
    data_offset: int | None = None
    if flags & _DATA_OFFSET:
        require(box, position - box.body + 4)
        (data_offset,) = _I32.unpack_from(data, position)
        position += 4
    first_flags: int | None = None
    if flags & _FIRST_FLAGS:
        require(box, position - box.body + 4)
        (first_flags,) = _U32.unpack_from(data, position)
        position += 4
    columns = [flag for flag in _COLUMNS if flags & flag]
    require_table(box, position, count, 4 * len(columns))
    if count > MAX_SAMPLES:
        raise box.fault("limit", f"{count} samples")
    values = unpack_from(f">{count * len(columns)}I", data, position)
    by_flag = {flag: values[i :: len(columns)] for i, flag in enumerate(columns)}
    return TrackRun(
        count,
        data_offset,
        by_flag.get(_DURATION),
        by_flag.get(_SIZE),
        first_flags,
        by_flag.get(_FLAGS),
        by_flag.get(_TIME_OFFSET),
    )
