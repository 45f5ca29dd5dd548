"""Tile data of VP9 and AV1 samples: frames of a superframe, open bitstream units of a temporal unit.

Frame headers are not read: a fixed lead stays clear in their place. With several tiles in one AV1 frame the sizes
between the tiles are protected with them, which decrypts as well and which the AV1 binding would leave clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final

from player.cenc.nal_units import Payload

VP9_LEAD_BYTES: Final = 64  # the longest uncompressed header, all of its options used, has 62 (VP9, 6.2)
AV1_LEAD_BYTES: Final = 256  # a choice: frame headers with film grain tables have 166 (measured)
_SUPERFRAME_MARKER: Final = 0b110  # VP9, annex B
_OBU_TILES: Final = frozenset({4, 6})  # AV1, 6.2.2: tile group, frame
_OBU_HAS_EXTENSION: Final = 4
_OBU_HAS_SIZE: Final = 2
_MAX_LEB128_BYTES: Final = 8


def vp9_payloads(sample: bytes, _config: bytes) -> Iterator[Payload]:
    """What lies behind the uncompressed header of each frame; the superframe index stays clear."""
    for start, end in pairwise(accumulate(_superframe_sizes(sample), initial=0)):
        if end - start > VP9_LEAD_BYTES:
            yield start + VP9_LEAD_BYTES, end


def av1_payloads(sample: bytes, _config: bytes) -> Iterator[Payload]:
    """Frame and tile group OBUs behind their headers.

    Raises: ValueError if the OBUs do not fill the sample.
    """
    position = 0
    while position < len(sample):
        kind, end = sample[position] >> 3 & 0xF, _obu_end(sample, position)
        if kind in _OBU_TILES and end - position > AV1_LEAD_BYTES:
            yield position + AV1_LEAD_BYTES, end
        position = end


def _superframe_sizes(sample: bytes) -> list[int]:
    """The frames that the index at the end of a superframe names; else the sample is one frame (VP9, annex B)."""
    last = sample[-1] if sample else 0
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    index = len(sample) - 2 - count * width
    if last >> 5 != _SUPERFRAME_MARKER or index < 0 or sample[index] != last:
        return [len(sample)]
    sizes = [int.from_bytes(sample[at : at + width], "little") for at in range(index + 1, len(sample) - 1, width)]
    if sum(sizes) > index:
        raise ValueError(f"a superframe of {sum(sizes)} bytes in a sample of {len(sample)}")
    return sizes


def _obu_end(sample: bytes, start: int) -> int:
    """An OBU without a size ends with the sample (AV1, 5.3.1).

    Raises: ValueError if it ends behind the sample.
    """
    header = sample[start]
    position = start + (2 if header & _OBU_HAS_EXTENSION else 1)
    if not header & _OBU_HAS_SIZE:
        return len(sample)
    size = 0
    for i, byte in enumerate(sample[position : position + _MAX_LEB128_BYTES]):
        size |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            end = position + i + 1 + size
            if end <= len(sample):
                return end
            break
    raise ValueError(f"an OBU at {start} ends outside its sample of {len(sample)}")
