"""Which bytes of an H.264 sample are protected (ISO/IEC 23001-7, 9.5).

The map is the encryptor's choice; a player takes it as it comes. NAL units behind a length field are read, nothing of
their payload is: instead of the exact slice header a fixed lead stays clear that no baseline slice header outgrows.
"""

from __future__ import annotations

from typing import Final

from player.crypto.aes import BLOCK
from player.isobmff.sample import Scheme

Ranges = tuple[tuple[int, int], ...]

SLICES: Final = frozenset({1, 5})  # NAL unit types: coded slices (H.264, table 7-1)
SLICES_AND_FILLER: Final = SLICES | {12}  # with filler data, for decryption load
SMALL_NAL_BYTES: Final = 112  # length field included; shorter NAL units stay clear
CLEAR_LEAD_BYTES: Final = 32  # length field, NAL header and slice header
MAX_CLEAR: Final = 0xFFFF  # BytesOfClearData has 16 bits; longer clear runs take several subsamples
_NAL_TYPE: Final = 0x1F


def avc_ranges(sample: bytes, scheme: Scheme, *, length_size: int = 4, nal_types: frozenset[int] = SLICES) -> Ranges:
    """(clear, protected) pairs whose sum is the size of the sample.

    In `cbcs` a slice is protected to its end; in the other schemes the lead grows until a multiple of 16 is left.

    Raises: ValueError if the NAL units do not fill the sample.
    """
    ranges: list[tuple[int, int]] = []
    position = clear = 0
    while position < len(sample):
        size = _nal_size(sample, position, length_size)
        protected = 0
        if size >= SMALL_NAL_BYTES and sample[position + length_size] & _NAL_TYPE in nal_types:
            protected = size - CLEAR_LEAD_BYTES
            protected -= 0 if scheme is Scheme.CBCS else protected % BLOCK
        clear += size - protected
        if protected:
            ranges += _subsamples(clear, protected)
            clear = 0
        position += size
    return tuple(ranges + _subsamples(clear, 0)) if clear else tuple(ranges)


def _nal_size(sample: bytes, position: int, length_size: int) -> int:
    """With its length field."""
    size = length_size + int.from_bytes(sample[position : position + length_size], "big")
    if size <= length_size or position + size > len(sample):
        raise ValueError(f"a NAL unit of {size} bytes at {position} of a sample of {len(sample)}")
    return size


def _subsamples(clear: int, protected: int) -> list[tuple[int, int]]:
    full, rest = divmod(clear, MAX_CLEAR)
    return [(MAX_CLEAR, 0)] * full + ([(rest, protected)] if rest or protected else [])
