"""Where the auxiliary information of each sample lies: `senc`, or `saiz` with `saio`.

`senc` is ISO/IEC 23001-7, 7.2; `saiz` and `saio` are ISO/IEC 14496-12, 8.7.8 and 8.7.9. What the entries say is read
in `auxiliary`, the same way for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
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
_SAIZ_HEAD: Final = Struct(">BI")  # size of each entry or 0, number of entries
_OFFSET: Final = (("I", 4), ("Q", 8))  # by version of saio


class Sizes(NamedTuple):
    """Bytes of something that each sample has; `each` None: they differ, by `several`."""

    samples: int
    each: int | None
    several: Sequence[int] = ()

    @classmethod
    def of(cls, sizes: Sequence[int]) -> Sizes:
        if not sizes or sizes.count(sizes[0]) == len(sizes):
            return cls(len(sizes), sizes[0] if sizes else 0)
        return cls(len(sizes), None, tuple(sizes))

    @property
    def total(self) -> int:
        return sum(self.several) if self.each is None else self.each * self.samples

    @property
    def all(self) -> Sequence[int]:
        return self.several if self.each is None else (self.each,) * self.samples


class Entries(NamedTuple):
    """One entry a sample. `places`: how many lie one after the other, and where the first of them begins."""

    places: tuple[tuple[int, int], ...]
    sizes: Sizes

    def starts(self) -> Iterator[int]:
        """Of each entry."""
        sizes = iter(self.sizes.all)
        for samples, start in self.places:
            yield from list(accumulate(islice(sizes, samples), initial=start))[:-1]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of the bytes at each place."""
        if self.sizes.each is not None:
            return [(start, start + self.sizes.each * samples) for samples, start in self.places]
        sizes = iter(self.sizes.several)
        return [(start, start + sum(islice(sizes, samples))) for samples, start in self.places]


def in_senc(data: bytes, senc: Box, iv_sizes: Sizes) -> Entries:
    """The entries of a `senc` for samples with IVs of these sizes.

    Raises: MediaError `bad-aux` unless they are one a sample and use the box up exactly.
    """
    _, flags = full_header(data, senc, 8)
    count: int = _U32.unpack_from(data, senc.body + 4)[0]
    if count != iv_sizes.samples:
        raise senc.fault("bad-aux", f"{count} entries for {iv_sizes.samples} samples", _SENC)
    start = senc.body + 8
    sizes = _sizes_with_tables(data, senc, start, iv_sizes) if flags & _HAS_SUBSAMPLES else iv_sizes
    if start + sizes.total != senc.end:
        raise senc.fault("bad-aux", f"{count} entries of {sizes.total} bytes in {senc.end - start}", _SENC)
    return Entries(((count, start),), sizes)


def promises_subsamples(data: bytes, senc: Box) -> bool:
    return bool(full_header(data, senc)[1] & _HAS_SUBSAMPLES)


def by_saio(data: bytes, saiz: Box, saio: Box, base: int, runs: Sequence[int]) -> Entries:
    """The entries that `saio` points at and `saiz` measures; offsets count from `base`.

    `runs`: how many samples lie one after the other. There is one offset for each run, or one for all entries.

    Raises: MediaError `bad-aux` unless the entries are one a sample, and inside the resource.
    """
    sizes = _saiz_sizes(data, saiz, sum(runs))
    offsets = _saio_offsets(data, saio)
    if len(offsets) == 1:
        runs = (sizes.samples,)
    if len(offsets) != len(runs):
        raise saio.fault("bad-aux", f"{len(offsets)} offsets, 1 or {len(runs)} can be read", _SAIO)
    entries = Entries(tuple((samples, base + offset) for samples, offset in zip(runs, offsets, strict=True)), sizes)
    if sizes.total > len(data):  # in places that overlap
        raise saiz.fault("bad-aux", f"{sizes.total} bytes of entries in a resource of {len(data)}", _SAIZ)
    for start, end in entries.spans:
        if not 0 <= start <= end <= len(data):
            raise saio.fault("bad-aux", f"it points at {start}, the resource ends at {len(data)}", _SAIO)
    return entries


def info_type(data: bytes, box: Box) -> bytes | None:
    """The type a `saiz` or `saio` names; None: it names none and means the scheme of the sample entry."""
    _, flags = full_header(data, box)
    if not flags & _HAS_INFO_TYPE:
        return None
    require(box, 4 + _INFO_TYPE_BYTES)
    return data[box.body + 4 : box.body + 8]


def _sizes_with_tables(data: bytes, senc: Box, start: int, iv_sizes: Sizes) -> Sizes:
    size = _common_size(data, senc, start, iv_sizes)
    if size is not None:
        return Sizes(iv_sizes.samples, size)
    sizes: list[int] = []
    position = start
    for iv_size in iv_sizes.all:
        at = position + iv_size
        if at + _COUNT.size > senc.end:
            raise senc.fault(
                "bad-aux", f"{iv_sizes.samples} entries promised, {len(sizes)} present", _SENC, at=position
            )
        sizes.append(iv_size + _COUNT.size + _PAIR_BYTES * (data[at] << 8 | data[at + 1]))
        position += sizes[-1]
    return Sizes.of(sizes)


def _common_size(data: bytes, senc: Box, start: int, iv_sizes: Sizes) -> int | None:
    """The usual case at once: as many subsamples in each entry as in the first. None where it is not so."""
    if iv_sizes.each is None or start + iv_sizes.each + _COUNT.size > senc.end:
        return None
    at, end, count = start + iv_sizes.each, senc.end, iv_sizes.samples
    size = iv_sizes.each + _COUNT.size + _PAIR_BYTES * (data[at] << 8 | data[at + 1])
    if start + count * size != end:
        return None
    is_same = all(data[at + i : end : size] == data[at + i : at + i + 1] * count for i in range(_COUNT.size))
    return size if is_same else None


def _saiz_sizes(data: bytes, saiz: Box, sample_count: int) -> Sizes:
    position = behind_info_type(data, saiz)
    require(saiz, position - saiz.body + _SAIZ_HEAD.size)
    default, count = _SAIZ_HEAD.unpack_from(data, position)
    if count != sample_count:
        raise saiz.fault("bad-aux", f"{count} entries for {sample_count} samples", _SAIZ)
    if default:
        return Sizes(count, default)
    position += _SAIZ_HEAD.size
    require_table(saiz, position, count, 1)
    return Sizes.of(data[position : position + count])


def _saio_offsets(data: bytes, saio: Box) -> Sequence[int]:
    position = behind_info_type(data, saio)
    require(saio, position - saio.body + _U32.size)
    letter, width = _OFFSET[min(data[saio.body], 1)]
    (count,) = _U32.unpack_from(data, position)
    position += _U32.size
    require_table(saio, position, count, width)
    return unpack_from(f">{count}{letter}", data, position)


def behind_info_type(data: bytes, box: Box) -> int:
    return box.body + 4 + (0 if info_type(data, box) is None else _INFO_TYPE_BYTES)
