"""Parts of the AV1 frame header that need little of the rest (AV1, 5.9.11 to 5.9.30): one function a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.cenc.av1_references import REFERENCES_OF_A_FRAME, Quantizers
from player.cenc.av1_sequence import Color
from player.cenc.bits import BitReader

_MAX_TILE_WIDTH: Final = 4096  # AV1, 3
_MAX_TILE_AREA: Final = 4096 * 2304
_MAX_TILES: Final = 64  # columns, and rows
_SEGMENTS: Final = 8
_FEATURE_BITS: Final = (9, 7, 7, 7, 7, 3, 0, 0)  # with sign (6.10.14); the first is SEG_LVL_ALT_Q
_GLOBAL_BITS: Final = 12  # GM_ABS_ALPHA_BITS, GM_ABS_TRANS_BITS
_TRANSLATION_BITS: Final = 9  # GM_ABS_TRANS_ONLY_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLayout:
    count: int
    number_bits: int  # of tg_start and tg_end
    size_bytes: int  # of tile_size_minus_1; 0 for a frame of one tile


def tile_layout(bits: BitReader, size: tuple[int, int], *, large: bool) -> TileLayout:
    """tile_info (5.9.15). `size`: FrameWidth and FrameHeight; `large`: superblocks of 128 samples."""
    shift = 7 if large else 6
    columns, rows = (-(-2 * ((each + 7) >> 3) >> shift - 2) for each in size)  # superblocks
    widest = _MAX_TILE_WIDTH >> shift
    fewest_columns_log2 = _log2(widest, columns)
    fewest_log2 = max(fewest_columns_log2, _log2(_MAX_TILE_AREA >> 2 * shift, rows * columns))
    if bits.flag():  # uniform_tile_spacing_flag
        columns_log2 = _uniform(bits, fewest_columns_log2, columns)
        rows_log2 = _uniform(bits, max(fewest_log2 - columns_log2, 0), rows)
        tile_columns, tile_rows = (_tiles(each, log2) for each, log2 in ((columns, columns_log2), (rows, rows_log2)))
    else:
        widths = _sizes(bits, columns, widest)
        area = rows * columns >> (fewest_log2 + 1 if fewest_log2 else 0)
        heights = _sizes(bits, rows, max(area // max(widths), 1))
        tile_columns, tile_rows = len(widths), len(heights)
        columns_log2, rows_log2 = _log2(1, tile_columns), _log2(1, tile_rows)
    if max(tile_columns, tile_rows) > _MAX_TILES:
        raise ValueError(f"a frame of {tile_columns} times {tile_rows} tiles")
    number_bits = columns_log2 + rows_log2
    bits.skip(number_bits)  # context_update_tile_id
    size_bytes = bits.bits(2) + 1 if number_bits else 0
    return TileLayout(count=tile_columns * tile_rows, number_bits=number_bits, size_bytes=size_bytes)


def _log2(unit: int, target: int) -> int:
    """tile_log2 (5.9.16)."""
    power = 0
    while unit << power < target:
        power += 1
    return power


def _uniform(bits: BitReader, fewest_log2: int, superblocks: int) -> int:
    most_log2 = _log2(1, min(superblocks, _MAX_TILES))
    while fewest_log2 < most_log2 and bits.flag():
        fewest_log2 += 1
    return fewest_log2


def _tiles(superblocks: int, log2: int) -> int:
    size = (superblocks + (1 << log2) - 1) >> log2
    return -(-superblocks // size)


def _sizes(bits: BitReader, superblocks: int, largest: int) -> list[int]:
    found: list[int] = []
    while superblocks > 0:
        found.append(_ns(bits, min(superblocks, largest)) + 1)
        superblocks -= found[-1]
    return found


def _ns(bits: BitReader, count: int) -> int:
    """ns(n), one of `count` numbers (4.10.7)."""
    width = count.bit_length()
    short = (1 << width) - count
    value = bits.bits(width - 1)
    return value if value < short else (value << 1) - short + bits.flag()


def quantization(bits: BitReader, color: Color) -> tuple[int, bool]:
    """base_q_idx, and whether no plane differs from it (5.9.12)."""
    base = bits.bits(8)
    deltas = [_delta_q(bits)]
    if not color.monochrome:
        apart = color.separate_uv_delta_q and bits.flag()
        deltas += [_delta_q(bits) for _ in range(4 if apart else 2)]
    if bits.flag():  # using_qmatrix
        bits.skip(12 if color.separate_uv_delta_q else 8)
    return base, not any(deltas)


def _delta_q(bits: BitReader) -> int:
    """Whether it is 0 counts, not its sign."""
    return bits.bits(7) if bits.flag() else 0


def segmentation(bits: BitReader, before: Quantizers | None) -> Quantizers | None:
    """5.9.14. `before`: of the primary reference frame, None without one. None: no segmentation."""
    if not bits.flag():
        return None
    if before is not None:
        if bits.flag():  # segmentation_update_map
            bits.flag()
        if not bits.flag():  # segmentation_update_data
            return before
    return tuple(_segment(bits) for _ in range(_SEGMENTS))


def _segment(bits: BitReader) -> int | None:
    told = [bits.bits(size) if bits.flag() else None for size in _FEATURE_BITS]
    quantizer, sign = told[0], 1 << _FEATURE_BITS[0] - 1
    return None if quantizer is None else (quantizer & sign - 1) - (quantizer & sign)


def quantizer_deltas(bits: BitReader, base: int, *, intra_copy: bool) -> None:
    """delta_q_params and delta_lf_params (5.9.17, 5.9.18)."""
    if not base or not bits.flag():
        return
    bits.skip(2)
    if not intra_copy and bits.flag():
        bits.skip(3)


def loop_filter(bits: BitReader, color: Color) -> None:
    """5.9.11."""
    levels = bits.bits(12)
    if levels and not color.monochrome:
        bits.skip(12)
    bits.skip(3)
    if bits.flag() and bits.flag():  # loop_filter_delta_enabled, loop_filter_delta_update
        for _ in range(10):
            if bits.flag():
                bits.skip(7)


def cdef(bits: BitReader, color: Color) -> None:
    """5.9.19."""
    bits.skip(2)
    bits.skip((6 if color.monochrome else 12) << bits.bits(2))


def loop_restoration(bits: BitReader, color: Color, *, large: bool) -> None:
    """5.9.20."""
    types = [bits.bits(2) for _ in range(1 if color.monochrome else 3)]
    if not any(types):
        return
    if bits.flag() and not large:  # lr_unit_shift
        bits.flag()
    if all(color.subsampling) and any(types[1:]):
        bits.flag()


def global_motion(bits: BitReader, *, high_precision: bool) -> None:
    """5.9.24: how long a parameter is does not depend on the one it is predicted from."""
    for _ in range(REFERENCES_OF_A_FRAME):
        if not bits.flag():
            continue
        rotation_zoom = bits.flag()
        translation = not rotation_zoom and bits.flag()
        if translation:
            sizes = [_TRANSLATION_BITS - (not high_precision)] * 2
        else:
            sizes = [_GLOBAL_BITS] * (4 if rotation_zoom else 6)
        for each in sizes:
            _subexp(bits, (2 << each) + 1)


def _subexp(bits: BitReader, count: int) -> None:
    """decode_subexp (5.9.28)."""
    start, width = 0, 3
    while count > start + (3 << width):
        if not bits.flag():  # subexp_more_bits
            bits.skip(width)
            return
        start += 1 << width
        width += start > 8
    _ns(bits, count - start)


def film_grain(bits: BitReader, color: Color, *, inter: bool) -> None:
    """5.9.30."""
    if not bits.flag():
        return
    bits.skip(16)
    if inter and not bits.flag():  # update_grain
        bits.skip(3)
        return
    luma_points = _points(bits)
    from_luma = not color.monochrome and bits.flag()
    blue = red = 0
    if not (color.monochrome or from_luma or (all(color.subsampling) and not luma_points)):
        blue, red = _points(bits), _points(bits)
    bits.skip(2)
    lag = bits.bits(2)
    positions = 2 * lag * (lag + 1)
    chroma_positions = positions + (luma_points > 0)
    bits.skip(8 * positions * (luma_points > 0))
    bits.skip(8 * chroma_positions * ((from_luma or blue > 0) + (from_luma or red > 0)))
    bits.skip(2 + 2 + 25 * ((blue > 0) + (red > 0)) + 2)


def _points(bits: BitReader) -> int:
    count = bits.bits(4)
    bits.skip(16 * count)
    return count
