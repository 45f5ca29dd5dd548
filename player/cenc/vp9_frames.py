"""Frames of VP9 behind their uncompressed headers (VP9, 6.1 and 6.2; VP Codec ISO Media File Format Binding).

Compressed header and tiles are protected; uncompressed headers and the index of a superframe stay clear. How long a
header is depends on the width of the frames it refers to: these are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final

from player.cenc.bits import BitReader
from player.cenc.nal_units import Payload

_SUPERFRAME_MARKER: Final = 0b110  # annex B
_FRAME_MARKER: Final = 0b10
_SYNC_CODE: Final = 0x498342
_REFERENCES: Final = 8
_ALL_FRAMES: Final = 0xFF
_RGB: Final = 7  # color_space (7.2.2)
_SEGMENTS: Final = 8
_FEATURE_BITS: Final = (9, 7, 2, 0)  # with sign (7.2.9)
_MIN_TILE_WIDTH, _MAX_TILE_WIDTH = 4, 64  # in blocks of 64 samples


class Vp9Frames:
    """The frames of one track, its samples in decode order."""

    __slots__ = ("_widths",)

    def __init__(self, _config: bytes) -> None:
        self._widths: list[int | None] = [None] * _REFERENCES

    def payloads(self, sample: bytes) -> Iterator[Payload]:
        """Raises: ValueError."""
        for start, end in pairwise(accumulate(_superframe_sizes(sample), initial=0)):
            if start < end:
                bits = BitReader(sample, start, end)
                self._read_header(bits)
                yield bits.byte_position, end

    def _read_header(self, bits: BitReader) -> None:
        """uncompressed_header (6.2), and what it leaves for headers to come."""
        if bits.bits(2) != _FRAME_MARKER:
            raise ValueError("a frame without its marker")
        profile = bits.flag() + 2 * bits.flag()
        if profile == 3:
            bits.flag()
        if bits.flag():  # show_existing_frame
            bits.skip(3)
            return
        key, shown, resilient = not bits.flag(), bits.flag(), bits.flag()
        refreshed, width = self._key_frame(bits, profile) if key else self._other_frame(bits, profile, shown, resilient)
        if not resilient:
            bits.skip(2)
        bits.skip(2)  # frame_context_idx
        _loop_filter(bits)
        _quantization(bits)
        _segmentation(bits)
        _tiles(bits, width)
        bits.skip(16)  # header_size_in_bytes
        self._widths = [width if refreshed >> i & 1 else old for i, old in enumerate(self._widths)]

    @staticmethod
    def _key_frame(bits: BitReader, profile: int) -> tuple[int, int]:
        """Which references it refreshes, and its width."""
        _sync_code(bits)
        _color_config(bits, profile)
        return _ALL_FRAMES, _frame_size(bits)

    def _other_frame(self, bits: BitReader, profile: int, shown: bool, resilient: bool) -> tuple[int, int]:
        intra_only = not shown and bits.flag()
        bits.skip(0 if resilient else 2)  # reset_frame_context
        if intra_only:
            _sync_code(bits)
            if profile > 0:
                _color_config(bits, profile)
            return bits.bits(8), _frame_size(bits)
        refreshed = bits.bits(8)
        references = [bits.bits(4) >> 1 for _ in range(3)]
        width = self._size_with_references(bits, references)
        bits.flag()  # allow_high_precision_mv
        if not bits.flag():
            bits.skip(2)  # raw_interpolation_filter
        return refreshed, width

    def _size_with_references(self, bits: BitReader, references: list[int]) -> int:
        """frame_size_with_refs (6.2.5)."""
        for each in references:
            if bits.flag():
                width = self._widths[each]
                if width is None:
                    raise ValueError(f"a frame as wide as reference {each}, which has not come")
                _render_size(bits)
                return width
        return _frame_size(bits)


def _sync_code(bits: BitReader) -> None:
    if bits.bits(24) != _SYNC_CODE:
        raise ValueError("an intra frame without its sync code")


def _color_config(bits: BitReader, profile: int) -> None:
    """6.2.2."""
    bits.skip(1 if profile >= 2 else 0)  # ten_or_twelve_bit
    rgb = bits.bits(3) == _RGB
    bits.skip(0 if rgb else 1)  # color_range
    if profile & 1:
        bits.skip(1 if rgb else 3)  # subsampling, reserved_zero


def _frame_size(bits: BitReader) -> int:
    """The width, with frame_size and render_size read."""
    width = bits.bits(16) + 1
    bits.skip(16)
    _render_size(bits)
    return width


def _render_size(bits: BitReader) -> None:
    if bits.flag():
        bits.skip(32)


def _loop_filter(bits: BitReader) -> None:
    """6.2.8."""
    bits.skip(9)
    if bits.flag() and bits.flag():
        _skip_where_told(bits, 6, 7)


def _quantization(bits: BitReader) -> None:
    """6.2.9."""
    bits.skip(8)
    _skip_where_told(bits, 3, 5)


def _segmentation(bits: BitReader) -> None:
    """6.2.11."""
    if not bits.flag():
        return
    if bits.flag():  # segmentation_update_map
        _skip_where_told(bits, 7, 8)
        if bits.flag():
            _skip_where_told(bits, 3, 8)
    if bits.flag():  # segmentation_update_data
        bits.flag()
        for _ in range(_SEGMENTS):
            for size in _FEATURE_BITS:
                if bits.flag():
                    bits.skip(size)


def _tiles(bits: BitReader, width: int) -> None:
    """6.2.13: tile columns as a run of ones, between bounds that the width sets."""
    blocks = (width + 63) // 64
    fewest = most = 0
    while _MAX_TILE_WIDTH << fewest < blocks:
        fewest += 1
    while blocks >> most + 1 >= _MIN_TILE_WIDTH:
        most += 1
    while fewest < most and bits.flag():
        fewest += 1
    if bits.flag():
        bits.flag()


def _skip_where_told(bits: BitReader, count: int, size: int) -> None:
    """As many flags, each with `size` bits behind it if it is set."""
    for _ in range(count):
        if bits.flag():
            bits.skip(size)


def _superframe_sizes(sample: bytes) -> list[int]:
    """The frames that the index at the end of a superframe names; else the sample is one frame (annex B)."""
    last = sample[-1] if sample else 0
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    index = len(sample) - 2 - count * width
    if last >> 5 != _SUPERFRAME_MARKER or index < 0 or sample[index] != last:
        return [len(sample)]
    sizes = [int.from_bytes(sample[at : at + width], "little") for at in range(index + 1, len(sample) - 1, width)]
    if sum(sizes) > index:
        raise ValueError(f"a superframe of {sum(sizes)} bytes in a sample of {len(sample)}")
    return sizes
