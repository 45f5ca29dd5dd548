"""Slices of H.264 and HEVC samples: NAL units behind length fields (ISO/IEC 14496-15; 23001-7, 9.5).

Nothing of a NAL unit but its type is read: instead of the exact slice header a fixed lead stays clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SLICES: Final = frozenset({1, 5})  # H.264, table 7-1: coded slices
SLICES_AND_FILLER: Final = SLICES | {12}  # with filler data, for decryption load
HEVC_SLICES: Final = frozenset(range(32))  # H.265, table 7-1: all coded slice segments
LEAD_BYTES: Final = 128  # a choice: weights of 8 references take 32 bytes, entry points of wavefronts 80 at 2160 lines
BASELINE_LEAD_BYTES: Final = 32  # length field and headers; no baseline slice header outgrows it
SMALL_NAL_BYTES: Final = 112  # baseline, length field included; shorter NAL units stay clear
_AVC_LENGTH_SIZE_AT: Final = 4  # in the body of `avcC` (ISO/IEC 14496-15, 5.3.3)
_HEVC_LENGTH_SIZE_AT: Final = 21  # in the body of `hvcC` (ISO/IEC 14496-15, 8.3.3)

Payload = tuple[int, int]
"""Where bytes that may be protected start and end in a sample."""


def avc_payloads(sample: bytes, config: bytes) -> Iterator[Payload]:
    """`config`: the body of `avcC`."""
    length_size = _length_size(config, _AVC_LENGTH_SIZE_AT)
    for start, end in _nal_units(sample, length_size):
        if end - start > LEAD_BYTES and sample[start + length_size] & 0x1F in SLICES:
            yield start + LEAD_BYTES, end


def baseline_payloads(sample: bytes, length_size: int, nal_types: frozenset[int]) -> Iterator[Payload]:
    """H.264 of the baseline profile, whose slice headers are short."""
    for start, end in _nal_units(sample, length_size):
        if end - start >= SMALL_NAL_BYTES and sample[start + length_size] & 0x1F in nal_types:
            yield start + BASELINE_LEAD_BYTES, end


def hevc_payloads(sample: bytes, config: bytes) -> Iterator[Payload]:
    """`config`: the body of `hvcC`."""
    length_size = _length_size(config, _HEVC_LENGTH_SIZE_AT)
    for start, end in _nal_units(sample, length_size):
        if end - start > LEAD_BYTES and sample[start + length_size] >> 1 & 0x3F in HEVC_SLICES:
            yield start + LEAD_BYTES, end


def _nal_units(sample: bytes, length_size: int) -> Iterator[Payload]:
    """Each with its length field.

    Raises: ValueError if they do not fill the sample.
    """
    position = 0
    while position < len(sample):
        size = length_size + int.from_bytes(sample[position : position + length_size], "big")
        if size <= length_size or position + size > len(sample):
            raise ValueError(f"a NAL unit of {size} bytes at {position} of a sample of {len(sample)}")
        yield position, position + size
        position += size


def _length_size(config: bytes, at: int) -> int:
    """Raises: ValueError for a configuration record that ends too early."""
    if len(config) <= at:
        raise ValueError(f"a decoder configuration of {len(config)} bytes")
    return (config[at] & 3) + 1
