"""IV and subsamples of each sample, from whichever of `senc` and `saiz` + `saio` is consistent (ISO/IEC 23001-7, 7).

Two ways lead to the same bytes, and files in the field break either, so both must work. A way is consistent if it has
one entry a sample, and the subsamples of each sample add up to its size. That is checked here and now; what the entries
say is decoded later, by those who decrypt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial, reduce
from itertools import chain
from operator import add
from struct import Struct
from typing import Any, Final, NamedTuple

from player.errors import MediaError
from player.isobmff.aux_boxes import Entries, Sizes, by_saio, in_senc, promises_subsamples
from player.isobmff.boxes import Box, Walk
from player.isobmff.samples import Auxiliary, Decoded, Ranges, nothing

_CLAUSE: Final = "23001-7, 7.2"
_COUNT: Final = Struct(">H")
_PAIR: Final = Struct(">HI")  # clear bytes, protected bytes
_ROWS: Final = 128  # up to so many entries are read at once, and
_MOST_PAIRS: Final = 32  # of so many pairs: a layout that is kept must stay small


class Wanted(NamedTuple):
    """What the entries must fit: per sample its size and the size of its IV."""

    sizes: tuple[int, ...]
    iv_sizes: Sizes


class _Way(NamedTuple):
    """Consistent entries."""

    entries: Entries
    auxiliary: Auxiliary


class _Boxes(NamedTuple):
    senc: Box | None
    saiz: Box
    saio: Box
    base: int
    runs: Sequence[int]


def auxiliary_of(
    walk: Walk, parent: Box, boxes: Mapping[bytes, Box], base: int, runs: Sequence[int], wanted: Wanted
) -> Auxiliary:
    """What `senc`, `saiz` and `saio` say, which stand in `parent`; nothing where a constant IV needs none of them.

    `base` and `runs` are as in `by_saio`. `senc` goes first where both ways are consistent; that they differ is the
    warning `aux-conflict`.

    Raises: MediaError `bad-aux` where neither way is consistent, or where there is none and an IV is needed.
    """
    senc, saiz, saio = (boxes.get(kind) for kind in (b"senc", b"saiz", b"saio"))
    first: _Way | None = None
    fault: MediaError | None = None
    if senc is not None:
        try:
            first = _senc_way(walk.data, senc, wanted)
        except MediaError as error:
            fault = error
    if saiz is not None and saio is not None:
        return _both(walk, _Boxes(senc, saiz, saio, base, runs), wanted, first, fault)
    if fault is not None:
        raise fault
    if first is None and wanted.iv_sizes.each != 0:
        raise parent.fault("bad-aux", "no auxiliary information and no constant IV", "23001-7, 7")
    return nothing(len(wanted.sizes)) if first is None else first.auxiliary


def _both(walk: Walk, found: _Boxes, wanted: Wanted, first: _Way | None, fault: MediaError | None) -> Auxiliary:
    """By `saiz` and `saio` too; `first` and `fault`: what came of `senc`."""
    try:
        second = _saio_way(walk.data, found, wanted, first)
    except MediaError as error:
        if first is None:
            raise (fault or error) from None
        walk.warn("aux-conflict", found.saiz, error.reason)
        return first.auxiliary
    they_differ = first is not None and first is not second and first.auxiliary != second.auxiliary
    if fault is not None or they_differ:
        walk.warn("aux-conflict", found.senc or found.saiz, fault.reason if fault else "they differ")
    return (first or second).auxiliary


def _senc_way(data: bytes, senc: Box, wanted: Wanted) -> _Way:
    entries = in_senc(data, senc, wanted.iv_sizes)
    return _Way(entries, _checked(data, senc, entries, wanted))


def _saio_way(data: bytes, found: _Boxes, wanted: Wanted, known: _Way | None) -> _Way:
    senc, saiz, saio, base, runs = found
    entries = by_saio(data, saiz, saio, base, runs)
    if known is not None and entries == known.entries:  # the usual case: the same bytes, read once
        return known
    if senc is not None and promises_subsamples(data, senc) and entries.sizes == wanted.iv_sizes:
        raise saiz.fault("bad-aux", "senc promises subsamples, saiz has room for none", _CLAUSE)
    _check_entries(data, saio, entries, wanted.iv_sizes)
    return _Way(entries, _checked(data, saio, entries, wanted))


# ── checked when parsed ──────────────────────────────────────────────────────────────────────────────────────────────


def _check_entries(data: bytes, box: Box, entries: Entries, iv_sizes: Sizes) -> None:
    """An entry is an IV alone, or an IV with a count and that many pairs."""
    if entries.sizes == iv_sizes:
        return
    for position, size, iv_size in zip(entries.starts(), entries.sizes.all, iv_sizes.all, strict=True):
        if size != iv_size:
            pairs, rest = divmod(size - iv_size - _COUNT.size, _PAIR.size)
            if pairs < 0 or rest or _COUNT.unpack_from(data, position + iv_size)[0] != pairs:
                reason = f"an entry of {size} bytes does not hold an IV of {iv_size} and its subsamples"
                raise box.fault("bad-aux", reason, _CLAUSE, at=position)


def _checked(data: bytes, box: Box, entries: Entries, wanted: Wanted) -> Auxiliary:
    """Entries whose sizes have been checked against the data, and against the subsample counts in them.

    Raises: MediaError `bad-aux` where the subsamples of a sample do not add up to its size.
    """
    sizes, iv_sizes = entries.sizes, wanted.iv_sizes
    if not sizes.total:
        return nothing(sizes.samples)
    table = _table(data, entries)
    sums: Sequence[int | None]
    if sizes.each is None or iv_sizes.each is None or _pairs(sizes.each, iv_sizes.each) > _MOST_PAIRS:
        sums = _sums_of_each(table, sizes.all, iv_sizes.all)
        decode = partial(_decode_each, table, sizes.all, iv_sizes.all)
    else:
        sums = _sums_of_rows(table, sizes.each, iv_sizes.each)
        decode = partial(_decode_rows, table, sizes.each, iv_sizes.each)
    if sums != wanted.sizes:
        _check_sums(box, wanted.sizes, sums)
    return Auxiliary(decode)


def _table(data: bytes, entries: Entries) -> bytes:
    """All entries, one after the other; they mostly lie so."""
    parts = [data[start:end] for start, end in entries.spans]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_sums(box: Box, sizes: Sequence[int], sums: Sequence[int | None]) -> None:
    for size, in_subsamples in zip(sizes, sums, strict=False):
        if in_subsamples not in (None, size):
            raise box.fault("bad-aux", f"a sample of {size} bytes has subsamples of {in_subsamples}", _CLAUSE)


def _sums_of_rows(table: bytes, size: int, iv_size: int) -> tuple[int, ...]:
    """Bytes of each sample by its subsamples; () where no sample has any."""
    pairs = _pairs(size, iv_size)
    if not pairs:
        return ()
    return reduce(_add, _columns(table, size, iv_size, pairs, with_ivs=False))


def _sums_of_each(table: bytes, sizes: Sequence[int], iv_sizes: Sequence[int]) -> tuple[int | None, ...]:
    """The same where each may have other numbers of them; None for a sample without."""
    return tuple(sum(map(sum, ranges)) if ranges else None for ranges in _decode_each(table, sizes, iv_sizes)[1])


def _add(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(add, left, right))


# ── decoded when asked for ───────────────────────────────────────────────────────────────────────────────────────────


def _decode_rows(table: bytes, size: int, iv_size: int) -> Decoded:
    """Entries of one size with IVs of one size, as the rows of a table, column by column."""
    pairs = _pairs(size, iv_size)
    ivs, *numbers = _columns(table, size, iv_size, pairs, with_ivs=True)
    if not pairs:
        return ivs, ((),) * len(ivs)
    return ivs, tuple(zip(*map(zip, numbers[::2], numbers[1::2]), strict=True))


def _decode_each(table: bytes, sizes: Sequence[int], iv_sizes: Sequence[int]) -> Decoded:
    """Entries of any sizes, one by one."""
    ivs: list[bytes] = []
    tables: list[Ranges] = []
    read_pairs = _PAIR.iter_unpack
    position = 0
    for size, iv_size in zip(sizes, iv_sizes, strict=True):
        iv_end = position + iv_size
        ivs.append(table[position:iv_end])
        position += size
        tables.append(tuple(read_pairs(table[iv_end + _COUNT.size : position])))
    return ivs, tables


def _pairs(size: int, iv_size: int) -> int:
    return max(0, size - iv_size - _COUNT.size) // _PAIR.size


def _columns(table: bytes, size: int, iv_size: int, pairs: int, *, with_ivs: bool) -> Sequence[Any]:
    """IVs if asked for, clear bytes, protected bytes, and so on by pairs: each a tuple of as many as there are rows."""
    width, count = int(with_ivs) + 2 * pairs, len(table) // size
    if count <= _ROWS:
        values = _rows(size, iv_size, pairs, count, with_ivs).unpack(table)
    else:
        row = _rows(size, iv_size, pairs, 1, with_ivs)
        values = tuple(chain.from_iterable(row.iter_unpack(table)))
    return [values[i::width] for i in range(width)]


@lru_cache(maxsize=64)  # layouts, not content
def _rows(size: int, iv_size: int, pairs: int, count: int, with_ivs: bool) -> Struct:
    """IV and pairs of so many entries; the count between them is known."""
    iv = f"{iv_size}{'s' if with_ivs else 'x'}"
    return Struct(">" + (f"{iv}{size - iv_size - pairs * _PAIR.size}x" + "HI" * pairs) * count)
