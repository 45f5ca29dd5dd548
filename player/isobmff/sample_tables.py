"""The sample tables of an unfragmented track: which bytes each sample is (ISO/IEC 14496-12, 8.5 to 8.7).

Sizes, durations and chunks only; `ctts` changes no byte and is not read. What protects the samples is read in `file`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from player.isobmff.boxes import Box, full_header, require, require_table

MAX_FILE_SAMPLES: Final = 1_000_000  # choice: some six hours of one AAC track
_CLAUSE: Final = "14496-12, 8.7"
_U32: Final = Struct(">I")
_PAIR: Final = Struct(">II")
_TRIPLE: Final = Struct(">III")
_HEAD: Final = 8  # version, flags, and a count or the size of all samples
_OFFSET_FORMATS: Final[Mapping[bytes, tuple[str, int]]] = {b"stco": ("I", 4), b"co64": ("Q", 8)}
_FIELD_FORMATS: Final[Mapping[int, tuple[str, int]]] = {8: ("B", 1), 16: ("H", 2)}  # of stz2; 4 bits are halves of 8


class Chunk(NamedTuple):
    """Samples that lie one after the other, under one sample entry."""

    start: int
    first: int  # number of its first sample, from 0
    samples: int
    entry: int  # sample description index


def read_sizes(data: bytes, box: Box) -> tuple[int, ...]:
    """Bytes of each sample, from `stsz` or `stz2`.

    Raises: MediaError `bad-table` for a count that does not fit, `limit` for too many samples.
    """
    full_header(data, box, _HEAD + 4)
    count: int = _U32.unpack_from(data, box.body + _HEAD)[0]
    if count > MAX_FILE_SAMPLES:
        raise box.fault("limit", f"{count} samples", _CLAUSE)
    start = box.body + _HEAD + 4
    if box.type == b"stz2":
        return _read_small_sizes(data, box, start, count)
    size: int = _U32.unpack_from(data, box.body + 4)[0]
    if size:
        return (size,) * count
    require_table(box, start, count, 4)
    return unpack_from(f">{count}I", data, start)


def _read_small_sizes(data: bytes, box: Box, start: int, count: int) -> tuple[int, ...]:
    bits = data[box.body + 7]
    if bits == 4:
        require_table(box, start, (count + 1) // 2, 1)
        halves = ((byte >> 4, byte & 15) for byte in data[start : start + (count + 1) // 2])
        return tuple(chain.from_iterable(halves))[:count]
    if bits not in _FIELD_FORMATS:
        raise box.fault("bad-table", f"sizes of {bits} bits", "14496-12, 8.7.3.3")
    letter, width = _FIELD_FORMATS[bits]
    require_table(box, start, count, width)
    return unpack_from(f">{count}{letter}", data, start)


def read_durations(data: bytes, stts: Box, sample_count: int) -> tuple[int, ...]:
    """Ticks of each sample. A table that is too short leaves 0, one that is too long is cut: no byte depends on it."""
    left = sample_count
    runs: list[repeat[int]] = []
    for count, duration in _rows(data, stts, _PAIR):
        runs.append(repeat(duration, min(count, left)))
        left -= min(count, left)
    return tuple(chain(*runs, repeat(0, left)))


def read_chunks(data: bytes, stsc: Box, offsets: Box, sample_count: int) -> Sequence[Chunk]:
    """Every chunk with its samples, from `stsc` and `stco` or `co64`.

    Raises: MediaError `bad-table` for counts that do not fit, or chunks that do not hold all samples exactly.
    """
    starts = _read_offsets(data, offsets)
    runs = list(_rows(data, stsc, _TRIPLE))
    if [first for first, _, _ in runs] != sorted({first for first, _, _ in runs}) or (runs and runs[0][0] != 1):
        raise stsc.fault("bad-table", "first chunks that do not rise from 1", "14496-12, 8.7.4")
    ends = [first for first, _, _ in runs[1:]] + [len(starts) + 1]
    chunks: list[Chunk] = []
    number = 0
    for (first, samples, entry), end in zip(runs, ends, strict=False):  # an empty stsc: one end and no run
        for start in starts[first - 1 : end - 1]:
            chunks.append(Chunk(start, number, samples, entry))
            number += samples
    if number != sample_count:
        raise stsc.fault("bad-table", f"chunks of {number} samples in all, {sample_count} there", "14496-12, 8.7.4")
    return chunks


def _read_offsets(data: bytes, box: Box) -> Sequence[int]:
    full_header(data, box, _HEAD)
    (count,) = _U32.unpack_from(data, box.body + 4)
    letter, width = _OFFSET_FORMATS[box.type]
    require_table(box, box.body + _HEAD, count, width)
    return unpack_from(f">{count}{letter}", data, box.body + _HEAD)


def _rows(data: bytes, box: Box, row: Struct) -> Sequence[tuple[int, ...]]:
    require(box, _HEAD)
    (count,) = _U32.unpack_from(data, box.body + 4)
    require_table(box, box.body + _HEAD, count, row.size)
    return list(row.iter_unpack(data[box.body + _HEAD : box.body + _HEAD + count * row.size]))
