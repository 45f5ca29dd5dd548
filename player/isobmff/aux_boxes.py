"""Where the auxiliary information of each sample lies: `senc`, or `saiz` with `saio`.

`senc` is ISO/IEC 23001-7, 7.2; `saiz` and `saio` are ISO/IEC 14496-12, 8.7.8 and 8.7.9. What the entries say is read
in `auxiliary`, the same way for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from player.isobmff.boxes import Box, full_header, require, require_table

_SENC: Final = "23001-7, 7.2"
_SAIZ: Final = "14496-12, 8.7.8"
_SAIO: Final = "14496-12, 8.7.9"
_HAS_SUBSAMPLES: Final = 2  # flag of senc
_HAS_INFO_TYPE: Final = 1  # flag of saiz and saio
_INFO_TYPE_BYTES: Final = 8  # type and parameter
_COUNT: Final = Struct(">H")
_PAIR_BYTES: Final = 6
_U32: Final = Struct(">I")
_OFFSET: Final = (("I", 4), ("Q", 8))  # by version of saio


class Entries(NamedTuple):
    """One entry a sample, one after the other."""

    start: int
    sizes: list[int]


def in_senc(data: bytes, senc: Box, iv_sizes: Sequence[int]) -> Entries:
    """The entries of a `senc` for samples with IVs of these sizes.

    Raises: MediaError `bad-aux` unless they are one a sample and use the box up exactly.
    """
    _, flags = full_header(data, senc, 8)
    (count,) = _U32.unpack_from(data, senc.body + 4)
    if count != len(iv_sizes):
        raise senc.fault("bad-aux", f"{count} entries for {len(iv_sizes)} samples", _SENC)
    start = senc.body + 8
    sizes = _sizes_with_tables(data, senc, start, iv_sizes) if flags & _HAS_SUBSAMPLES else list(iv_sizes)
    if start + sum(sizes) != senc.end:
        raise senc.fault("bad-aux", f"{count} entries of {sum(sizes)} bytes in {senc.end - start}", _SENC)
    return Entries(start, sizes)


def are_equal(numbers: Sequence[int]) -> bool:
    return bool(numbers) and numbers.count(numbers[0]) == len(numbers)


def promises_subsamples(data: bytes, senc: Box) -> bool:
    return bool(full_header(data, senc)[1] & _HAS_SUBSAMPLES)


def by_saio(data: bytes, saiz: Box, saio: Box, base: int, sample_count: int) -> Entries:
    """The entries that `saio` points at and `saiz` measures; offsets count from `base`.

    Raises: MediaError `bad-aux` unless they are one a sample, in one run, inside the resource.
    """
    sizes = _saiz_sizes(data, saiz, sample_count)
    offsets = _saio_offsets(data, saio)
    if len(offsets) != 1:
        raise saio.fault("bad-aux", f"{len(offsets)} offsets, 1 can be read", _SAIO)
    entries = Entries(base + offsets[0], sizes)
    _check_inside(data, saio, entries)
    return entries


def entries_by_saio(data: bytes, saiz: Box, saio: Box, counts: Sequence[int]) -> list[Entries]:
    """As `by_saio` for absolute offsets, of which there may be one for each chunk; `counts`: samples of each.

    Raises: MediaError `bad-aux` as there.
    """
    sizes = _saiz_sizes(data, saiz, sum(counts))
    offsets = _saio_offsets(data, saio)
    if len(offsets) == 1:
        counts = [len(sizes)]
    if len(offsets) != len(counts):
        raise saio.fault("bad-aux", f"{len(offsets)} offsets for {len(counts)} chunks", _SAIO)
    found: list[Entries] = []
    first = 0
    for start, count in zip(offsets, counts, strict=True):
        entries = Entries(start, sizes[first : first + count])
        _check_inside(data, saio, entries)
        found.append(entries)
        first += count
    return found


def _check_inside(data: bytes, saio: Box, entries: Entries) -> None:
    if not 0 <= entries.start <= entries.start + sum(entries.sizes) <= len(data):
        raise saio.fault("bad-aux", f"it points at {entries.start}, the resource ends at {len(data)}", _SAIO)


def info_type(data: bytes, box: Box) -> bytes | None:
    """The type a `saiz` or `saio` names; None: it names none and means the scheme of the sample entry."""
    _, flags = full_header(data, box)
    if not flags & _HAS_INFO_TYPE:
        return None
    require(box, 4 + _INFO_TYPE_BYTES)
    return data[box.body + 4 : box.body + 8]


def _sizes_with_tables(data: bytes, senc: Box, start: int, iv_sizes: Sequence[int]) -> list[int]:
    sizes = _equal_sizes(data, senc, start, iv_sizes)
    position = start + sum(sizes)
    for iv_size in iv_sizes[len(sizes) :]:
        at = position + iv_size
        if at + _COUNT.size > senc.end:
            raise senc.fault("bad-aux", f"{len(iv_sizes)} entries promised, {len(sizes)} present", _SENC, at=position)
        sizes.append(iv_size + _COUNT.size + _PAIR_BYTES * (data[at] << 8 | data[at + 1]))
        position += sizes[-1]
    return sizes


def _equal_sizes(data: bytes, senc: Box, start: int, iv_sizes: Sequence[int]) -> list[int]:
    """The usual case at once: as many subsamples in each entry as in the first. [] where it is not so."""
    if not are_equal(iv_sizes) or start + iv_sizes[0] + _COUNT.size > senc.end:
        return []
    at = start + iv_sizes[0]
    (pairs,) = _COUNT.unpack_from(data, at)
    count, size = len(iv_sizes), iv_sizes[0] + _COUNT.size + _PAIR_BYTES * pairs
    if start + count * size != senc.end:
        return []
    is_same = all(data[at + i : senc.end : size] == data[at + i : at + i + 1] * count for i in range(_COUNT.size))
    return [size] * count if is_same else []


def _saiz_sizes(data: bytes, saiz: Box, sample_count: int) -> list[int]:
    position = behind_info_type(data, saiz)
    require(saiz, position - saiz.body + 5)
    default = data[position]
    (count,) = _U32.unpack_from(data, position + 1)
    if count != sample_count:
        raise saiz.fault("bad-aux", f"{count} entries for {sample_count} samples", _SAIZ)
    if default:
        return [default] * count
    require_table(saiz, position + 5, count, 1)
    return list(data[position + 5 : position + 5 + count])


def _saio_offsets(data: bytes, saio: Box) -> Sequence[int]:
    version, _ = full_header(data, saio)
    letter, width = _OFFSET[min(version, 1)]
    position = behind_info_type(data, saio)
    require(saio, position - saio.body + _U32.size)
    (count,) = _U32.unpack_from(data, position)
    require_table(saio, position + _U32.size, count, width)
    return unpack_from(f">{count}{letter}", data, position + _U32.size)


def behind_info_type(data: bytes, box: Box) -> int:
    return box.body + 4 + (0 if info_type(data, box) is None else _INFO_TYPE_BYTES)
