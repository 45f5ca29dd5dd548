"""IV and subsamples of each sample, from whichever of `senc` and `saiz` + `saio` is consistent (ISO/IEC 23001-7, 7).

Two ways lead to the same bytes, and files in the field break either, so both must work. A way is consistent if it has
one entry a sample, and the subsamples of each sample add up to its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from itertools import chain
from operator import add
from struct import Struct
from typing import Any, Final, NamedTuple

from player.errors import MediaError
from player.isobmff.aux_boxes import Entries, are_equal, by_saio, in_senc, promises_subsamples
from player.isobmff.boxes import Box, Walk

Ranges = tuple[tuple[int, int], ...]

_CLAUSE: Final = "23001-7, 7.2"
_COUNT: Final = Struct(">H")
_PAIR: Final = Struct(">HI")  # clear bytes, protected bytes
_ROWS: Final = 128  # entries read at once, so that a layout stays small


class Wanted(NamedTuple):
    """What the entries must fit: per sample its size and the size of its IV."""

    sizes: Sequence[int]
    iv_sizes: Sequence[int]


class Auxiliary(NamedTuple):
    """Per sample its IV and ranges, b"" and () where it has none."""

    ivs: Sequence[bytes]
    ranges: Sequence[Ranges]


class _Way(NamedTuple):
    entries: Entries
    auxiliary: Auxiliary


def read_auxiliary(
    walk: Walk, senc: Box | None, saiz: Box | None, saio: Box | None, base: int, wanted: Wanted
) -> Auxiliary | None:
    """What the boxes say; None where there are none. Offsets of saio count from `base`.

    `senc` goes first where both ways are consistent; that they differ is the warning `aux-conflict`.

    Raises: MediaError `bad-aux` where there are boxes and neither way is consistent.
    """
    first: _Way | None = None
    fault: MediaError | None = None
    if senc is not None:
        try:
            first = _senc_way(walk.data, senc, wanted)
        except MediaError as error:
            fault = error
    if saiz is None or saio is None:
        if fault is not None:
            raise fault
        return first.auxiliary if first else None
    try:
        second = _saio_way(walk.data, senc, saiz, saio, base, wanted, first)
    except MediaError as error:
        if first is None:
            raise (fault or error) from None
        walk.warn("aux-conflict", saiz, error.reason)
        return first.auxiliary
    if fault is not None or (first is not None and first.auxiliary != second.auxiliary):
        walk.warn("aux-conflict", senc or saiz, fault.reason if fault else "they differ")
    return (first or second).auxiliary


def read_entries(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """What entries say that lie inside `data`; `box` is to blame for them.

    Raises: MediaError `bad-aux` for entries that do not fit their samples.
    """
    _check_entries(data, box, entries, wanted.iv_sizes)
    return _read(data, box, entries, wanted)


def _senc_way(data: bytes, senc: Box, wanted: Wanted) -> _Way:
    entries = in_senc(data, senc, wanted.iv_sizes)
    return _Way(entries, _read(data, senc, entries, wanted))


def _saio_way(
    data: bytes, senc: Box | None, saiz: Box, saio: Box, base: int, wanted: Wanted, known: _Way | None
) -> _Way:
    entries = by_saio(data, saiz, saio, base, len(wanted.sizes))
    if known is not None and entries == known.entries:  # the usual case: the same bytes, read once
        return known
    if senc is not None and promises_subsamples(data, senc) and entries.sizes == wanted.iv_sizes:
        raise saiz.fault("bad-aux", "senc promises subsamples, saiz has room for none", _CLAUSE)
    return _Way(entries, read_entries(data, saio, entries, wanted))


def _read(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """Entries whose sizes have been checked against the data, and against the subsample counts in them."""
    if are_equal(entries.sizes) and are_equal(wanted.iv_sizes):
        return _read_rows(data, box, entries, wanted)
    auxiliary = _read_each(data, entries, wanted.iv_sizes)
    for ranges, size in zip(auxiliary.ranges, wanted.sizes, strict=True):
        if ranges:
            _check_sum(box, size, sum(map(sum, ranges)))
    return auxiliary


def _check_sum(box: Box, size: int, in_subsamples: int) -> None:
    if in_subsamples != size:
        raise box.fault("bad-aux", f"a sample of {size} bytes has subsamples of {in_subsamples}", _CLAUSE)


def _read_rows(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """Entries of one size with IVs of one size, as the rows of a table, column by column."""
    count, size, iv_size = len(entries.sizes), entries.sizes[0], wanted.iv_sizes[0]
    if not size:
        return Auxiliary([b""] * count, [()] * count)
    pairs = max(0, size - iv_size - _COUNT.size) // _PAIR.size
    ivs, *numbers = _columns(data[entries.start : entries.start + count * size], iv_size, pairs, size)
    if not pairs:
        return Auxiliary(ivs, [()] * count)
    sums = reduce(_add, numbers)
    if sums != tuple(wanted.sizes):
        for size_of, total in zip(wanted.sizes, sums, strict=True):
            _check_sum(box, size_of, total)
    return Auxiliary(ivs, tuple(zip(*map(zip, numbers[::2], numbers[1::2]), strict=True)))


def _columns(table: bytes, iv_size: int, pairs: int, size: int) -> Sequence[Any]:
    """IVs, clear bytes, protected bytes, and so on by pairs: each a tuple of as many as there are entries."""
    width = 1 + 2 * pairs
    parts = [
        _rows(iv_size, pairs, size, min(_ROWS, (len(table) - at) // size)).unpack_from(table, at)
        for at in range(0, len(table), size * _ROWS)
    ]
    values = parts[0] if len(parts) == 1 else tuple(chain.from_iterable(parts))
    return [values[i::width] for i in range(width)]


def _add(left: Sequence[int], right: Sequence[int]) -> Sequence[int]:
    return tuple(map(add, left, right))


def _read_each(data: bytes, entries: Entries, iv_sizes: Sequence[int]) -> Auxiliary:
    """Entries of any sizes, one by one."""
    ivs: list[bytes] = []
    tables: list[Ranges] = []
    read_pairs = _PAIR.iter_unpack
    position = entries.start
    for size, iv_size in zip(entries.sizes, iv_sizes, strict=True):
        iv_end = position + iv_size
        ivs.append(data[position:iv_end])
        position += size
        tables.append(tuple(read_pairs(data[iv_end + _COUNT.size : position])))
    return Auxiliary(ivs, tables)


def _check_entries(data: bytes, box: Box, entries: Entries, iv_sizes: Sequence[int]) -> None:
    """An entry is an IV alone, or an IV with a count and that many pairs."""
    position = entries.start
    for size, iv_size in zip(entries.sizes, iv_sizes, strict=True):
        if size != iv_size:
            pairs, rest = divmod(size - iv_size - _COUNT.size, _PAIR.size)
            if pairs < 0 or rest or _COUNT.unpack_from(data, position + iv_size)[0] != pairs:
                reason = f"an entry of {size} bytes does not hold an IV of {iv_size} and its subsamples"
                raise box.fault("bad-aux", reason, _CLAUSE, at=position)
        position += size


@lru_cache(maxsize=64)  # layouts, not content
def _rows(iv_size: int, pairs: int, size: int, count: int) -> Struct:
    """IV and pairs of so many entries; the count between them is known."""
    return Struct(">" + (f"{iv_size}s{size - iv_size - pairs * _PAIR.size}x" + "HI" * pairs) * count)
