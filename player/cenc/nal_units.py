"""NAL units behind length fields, and parameter sets in the decoder configuration records of H.264 and HEVC.

ISO/IEC 14496-15, 5.3.3 and 8.3.3. What is in a NAL unit is for `avc_slices` and `hevc_slices` to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_AVC_FIXED: Final = 5  # bytes of avcC before its parameter sets
_HEVC_FIXED: Final = 23  # bytes of hvcC before its arrays

Payload = tuple[int, int]
"""Where bytes that may be protected start and end in a sample."""


class DecoderConfiguration(NamedTuple):
    length_size: int  # bytes of the length before each NAL unit
    parameter_sets: Sequence[bytes]  # NAL units


def nal_units(sample: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Where each starts and ends, behind its length field.

    Raises: ValueError if they do not fill the sample.
    """
    position = 0
    while position < len(sample):
        start = position + length_size
        end = start + int.from_bytes(sample[position:start], "big")
        if not start < end <= len(sample):
            raise ValueError(f"a NAL unit of {end - start} bytes at {position} of a sample of {len(sample)}")
        yield start, end
        position = end


def read_avcc(record: bytes) -> DecoderConfiguration:
    """The body of `avcC`. Raises: ValueError for a record that ends too early."""
    cursor = _Cursor(record)
    length_size = (cursor.take(_AVC_FIXED)[4] & 3) + 1
    sets = [cursor.nal_unit() for _ in range(cursor.number(1) & 0x1F)]
    sets += [cursor.nal_unit() for _ in range(cursor.number(1))]
    return DecoderConfiguration(length_size, sets)


def read_hvcc(record: bytes) -> DecoderConfiguration:
    """The body of `hvcC`. Raises: ValueError for a record that ends too early."""
    cursor = _Cursor(record)
    fixed = cursor.take(_HEVC_FIXED)
    sets: list[bytes] = []
    for _ in range(fixed[22]):
        cursor.take(1)  # the type of this array's NAL units, which they say themselves
        sets += [cursor.nal_unit() for _ in range(cursor.number(2))]
    return DecoderConfiguration((fixed[21] & 3) + 1, sets)


class _Cursor:
    __slots__ = ("_position", "_record")

    def __init__(self, record: bytes) -> None:
        self._record = record
        self._position = 0

    def take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._record):
            raise ValueError(f"a decoder configuration of {len(self._record)} bytes")
        return self._record[start : self._position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def nal_unit(self) -> bytes:
        return self.take(self.number(2))
