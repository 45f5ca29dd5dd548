"""IV and subsamples of each sample, from whichever of `senc` and `saiz` + `saio` is consistent (ISO/IEC 23001-7, 7).

Two ways lead to the same bytes, and files in the field break either, so both must work. A way is consistent if it has
one entry a sample, and the subsamples of each sample add up to its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import starmap
from operator import add
from struct import Struct
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.aux_boxes import Entries, by_saio, in_senc, promises_subsamples
from player.isobmff.boxes import Box, Walk

Ranges = tuple[tuple[int, int], ...]

_CLAUSE: Final = "23001-7, 7.2"
_COUNT: Final = Struct(">H")
_PAIR: Final = Struct(">HI")  # clear bytes, protected bytes


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
    return _Way(entries, _read(data, saio, entries, wanted))


def _read(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """The entries at their places; the sizes have been checked against the data."""
    read = _read_rows if _are_uniform(entries.sizes, wanted.iv_sizes) else _read_each
    auxiliary = read(data, box, entries, wanted)
    for position, (ranges, size) in enumerate(zip(auxiliary.ranges, wanted.sizes, strict=True)):
        if ranges and sum(starmap(add, ranges)) != size:
            reason = f"sample {position} has {size} bytes, its subsamples {sum(starmap(add, ranges))}"
            raise box.fault("bad-aux", reason, _CLAUSE)
    return auxiliary


def _are_uniform(sizes: Sequence[int], iv_sizes: Sequence[int]) -> bool:
    return bool(sizes) and sizes.count(sizes[0]) == len(sizes) and iv_sizes.count(iv_sizes[0]) == len(iv_sizes)


def _read_rows(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """Entries of one size with IVs of one size, as rows of a table."""
    count, iv_size, size = len(entries.sizes), wanted.iv_sizes[0], entries.sizes[0]
    _check_entry(data, box, entries.start, iv_size, size)
    if size <= iv_size:
        body = data[entries.start : entries.start + count * size]
        return Auxiliary([body[i * size : (i + 1) * size] for i in range(count)], [()] * count)
    pairs = (size - iv_size - _COUNT.size) // _PAIR.size
    rows = list(_row(iv_size, pairs).iter_unpack(data[entries.start : entries.start + count * size]))
    columns = list(zip(*rows, strict=True))
    if columns[1].count(pairs) != count:
        raise box.fault("bad-aux", "a subsample count does not fit its entry", _CLAUSE, at=entries.start)
    both = [zip(columns[i], columns[i + 1], strict=True) for i in range(2, 2 + 2 * pairs, 2)]
    return Auxiliary(columns[0], list(zip(*both, strict=True)) if pairs else [()] * count)


def _read_each(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """Entries of any sizes, one by one."""
    ivs: list[bytes] = []
    tables: list[Ranges] = []
    position = entries.start
    for size, iv_size in zip(entries.sizes, wanted.iv_sizes, strict=True):
        _check_entry(data, box, position, iv_size, size)
        ivs.append(data[position : position + min(iv_size, size)])
        tables.append(tuple(_PAIR.iter_unpack(data[position + iv_size + _COUNT.size : position + size])))
        position += size
    return Auxiliary(ivs, tables)


def _check_entry(data: bytes, box: Box, position: int, iv_size: int, size: int) -> None:
    """An entry is an IV alone, or an IV with a count and that many pairs."""
    if size == iv_size:
        return
    table = size - iv_size - _COUNT.size
    if table < 0 or table % _PAIR.size or _COUNT.unpack_from(data, position + iv_size)[0] != table // _PAIR.size:
        reason = f"an entry of {size} bytes with an IV of {iv_size} and a table that does not fit"
        raise box.fault("bad-aux", reason, _CLAUSE, at=position)


@lru_cache(maxsize=64)  # layouts, not content
def _row(iv_size: int, pairs: int) -> Struct:
    return Struct(f">{iv_size}sH" + "HI" * pairs)
