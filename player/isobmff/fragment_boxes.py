"""The tables of a `traf`: `tfhd`, `tfdt` and `trun` (ISO/IEC 14496-12, 8.8.7, 8.8.12 and 8.8.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from operator import itemgetter
from struct import Struct, unpack_from
from typing import Any, Final, NamedTuple

from player.isobmff.boxes import MAX_SAMPLES, Box, Walk, full_header, require, require_table

_U32: Final = Struct(">I")
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


class _Layout(NamedTuple):
    """How the fields lie that are there; and all fields in order, from those there with a None behind them."""

    struct: Struct
    in_order: Callable[[Sequence[Any]], Sequence[Any]]


def _by_flags(*fields: tuple[int, str]) -> tuple[int, Mapping[int, _Layout]]:
    """The flags that say which fields are there (0: always), and the layout for every combination of them."""
    optional = [flag for flag, _ in fields if flag]
    combinations = product(*((0, flag) for flag in optional))
    return sum(optional), {sum(chosen): _layout(fields, chosen) for chosen in combinations}


def _layout(fields: Sequence[tuple[int, str]], chosen: Sequence[int]) -> _Layout:
    there = [field for field in fields if not field[0] or field[0] in chosen]
    struct = Struct(">" + "".join(letter for _, letter in there))
    return _Layout(struct, itemgetter(*(there.index(each) if each in there else -1 for each in fields)))


_TFHD, _TFHD_LAYOUTS = _by_flags(
    (0, "I"),  # track
    (_BASE_DATA_OFFSET, "Q"),
    (_DESCRIPTION_INDEX, "I"),
    (_DEFAULT_DURATION, "I"),
    (_DEFAULT_SIZE, "I"),
    (_DEFAULT_FLAGS, "I"),
)
_TRUN, _TRUN_LAYOUTS = _by_flags((0, "I"), (_DATA_OFFSET, "i"), (_FIRST_FLAGS, "I"))  # first the number of samples
_ROW, _ROW_LAYOUTS = _by_flags((_DURATION, "I"), (_SIZE, "I"), (_FLAGS, "I"), (_TIME_OFFSET, "I"))  # of each sample


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
    layout, in_order = _TFHD_LAYOUTS[flags & _TFHD]
    require(box, 4 + layout.size)
    track_id, base, index, *defaults = in_order((*layout.unpack_from(data, box.body + 4), None))
    return TrackFragmentHeader(track_id, base, bool(flags & _DEFAULT_BASE_IS_MOOF), index, *defaults)


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
    head, in_order = _TRUN_LAYOUTS[flags & _TRUN]
    row, columns_in_order = _ROW_LAYOUTS[flags & _ROW]
    require(box, 4 + head.size)
    count, data_offset, first_flags = in_order((*head.unpack_from(data, box.body + 4), None))
    position = box.body + 4 + head.size
    require_table(box, position, count, row.size)
    if count > MAX_SAMPLES:
        raise box.fault("limit", f"{count} samples")
    width = row.size // _U32.size
    values = unpack_from(f">{count * width}I", data, position)
    durations, sizes, sample_flags, time_offsets = columns_in_order((*(values[i::width] for i in range(width)), None))
    return TrackRun(count, data_offset, durations, sizes, first_flags, sample_flags, time_offsets)
