"""The sequence header of AV1, as far as frame headers depend on it (AV1, 5.5).

Where a field is not told, its inferred value stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.cenc.bits import BitReader

_SELECT: Final = 2  # SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV (AV1, 3)
_BT_709, _SRGB, _IDENTITY = 1, 13, 0  # color_primaries, transfer_characteristics, matrix_coefficients (6.4.2)
_UNSPECIFIED: Final = (2, 2, 2)
_TIERED_LEVEL: Final = 7  # levels above have a tier


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    idc: int
    decoder_model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """enable_* and seq_* of 5.5.1; `None` where each frame chooses."""

    warped_motion: bool = False
    ref_frame_mvs: bool = False
    screen_content: bool | None = None
    integer_mv: bool | None = None
    order_hint_bits: int = 0  # 0: without order hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """color_config (5.5.2)."""

    monochrome: bool
    subsampling: tuple[bool, bool]
    separate_uv_delta_q: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """timing_info and decoder_model_info (5.5.3, 5.5.4): lengths in bits, 0 where there is none."""

    equal_picture_interval: bool = False
    buffer_delay_bits: int = 0
    removal_time_bits: int = 0
    presentation_time_bits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceHeader:
    reduced_still_picture: bool
    timing: Timing
    operating_points: tuple[OperatingPoint, ...]
    size_bits: tuple[int, int]  # of a width and a height
    max_size: tuple[int, int]
    delta_frame_id_bits: int  # 0: without frame ids
    frame_id_bits: int
    superblocks_of_128: bool
    tools: Tools
    superres: bool
    cdef: bool
    restoration: bool
    color: Color
    film_grain: bool

    @property
    def planes(self) -> int:
        return 1 if self.color.monochrome else 3

    @property
    def temporal_point_bits(self) -> int:
        """Of temporal_point_info (5.9.31), which only shown frames have."""
        return 0 if self.timing.equal_picture_interval else self.timing.presentation_time_bits


def read_sequence_header(bits: BitReader) -> SequenceHeader:
    """5.5.1. Raises: ValueError."""
    profile = bits.bits(3)
    bits.flag()
    reduced = bits.flag()
    timing, points = _reduced_points(bits) if reduced else _operating_points(bits)
    size_bits = (bits.bits(4) + 1, bits.bits(4) + 1)
    max_size = (bits.bits(size_bits[0]) + 1, bits.bits(size_bits[1]) + 1)
    delta_id_bits = id_bits = 0
    if not reduced and bits.flag():
        delta_id_bits = bits.bits(4) + 2
        id_bits = delta_id_bits + bits.bits(3) + 1
    superblocks_of_128 = bits.flag()
    bits.skip(2)  # enable_filter_intra, enable_intra_edge_filter
    tools = Tools() if reduced else _tools(bits)
    return SequenceHeader(
        reduced_still_picture=reduced,
        timing=timing,
        operating_points=points,
        size_bits=size_bits,
        max_size=max_size,
        delta_frame_id_bits=delta_id_bits,
        frame_id_bits=id_bits,
        superblocks_of_128=superblocks_of_128,
        tools=tools,
        superres=bits.flag(),
        cdef=bits.flag(),
        restoration=bits.flag(),
        color=_color(bits, profile),
        film_grain=bits.flag(),
    )


def _reduced_points(bits: BitReader) -> tuple[Timing, tuple[OperatingPoint, ...]]:
    bits.skip(5)  # seq_level_idx
    return Timing(), (OperatingPoint(idc=0, decoder_model=False),)


def _operating_points(bits: BitReader) -> tuple[Timing, tuple[OperatingPoint, ...]]:
    timing = _timing(bits) if bits.flag() else Timing()
    delays = bits.flag()
    points: list[OperatingPoint] = []
    for _ in range(bits.bits(5) + 1):
        idc = bits.bits(12)
        if bits.bits(5) > _TIERED_LEVEL:
            bits.flag()
        model = timing.buffer_delay_bits > 0 and bits.flag()
        if model:
            bits.skip(2 * timing.buffer_delay_bits + 1)
        if delays and bits.flag():
            bits.skip(4)
        points.append(OperatingPoint(idc=idc, decoder_model=model))
    return timing, tuple(points)


def _timing(bits: BitReader) -> Timing:
    bits.skip(64)
    equal = bits.flag()
    if equal:
        bits.ue()  # num_ticks_per_picture_minus_1, a uvlc() (4.10.3)
    if not bits.flag():
        return Timing(equal_picture_interval=equal)
    buffer_delay_bits = bits.bits(5) + 1
    bits.skip(32)
    return Timing(
        equal_picture_interval=equal,
        buffer_delay_bits=buffer_delay_bits,
        removal_time_bits=bits.bits(5) + 1,
        presentation_time_bits=bits.bits(5) + 1,
    )


def _tools(bits: BitReader) -> Tools:
    bits.skip(2)  # enable_interintra_compound, enable_masked_compound
    warped_motion = bits.flag()
    bits.flag()  # enable_dual_filter
    order_hint = bits.flag()
    ref_frame_mvs = bool(bits.bits(2) & 1) if order_hint else False  # behind enable_jnt_comp
    screen_content = None if bits.flag() else bits.flag()
    integer_mv = None if screen_content is False or bits.flag() else bits.flag()
    return Tools(
        warped_motion=warped_motion,
        ref_frame_mvs=ref_frame_mvs,
        screen_content=screen_content,
        integer_mv=integer_mv,
        order_hint_bits=bits.bits(3) + 1 if order_hint else 0,
    )


def _color(bits: BitReader, profile: int) -> Color:
    high = bits.flag()
    twelve = profile == 2 and high and bits.flag()
    monochrome = profile != 1 and bits.flag()
    described = (bits.bits(8), bits.bits(8), bits.bits(8)) if bits.flag() else _UNSPECIFIED
    if monochrome:
        bits.flag()  # color_range
        return Color(monochrome=True, subsampling=(True, True), separate_uv_delta_q=False)
    if described == (_BT_709, _SRGB, _IDENTITY):
        subsampling = (False, False)
    else:
        bits.flag()  # color_range
        subsampling = _subsampling(bits, profile, twelve=twelve)
        bits.skip(2 if all(subsampling) else 0)  # chroma_sample_position
    return Color(monochrome=False, subsampling=subsampling, separate_uv_delta_q=bits.flag())


def _subsampling(bits: BitReader, profile: int, *, twelve: bool) -> tuple[bool, bool]:
    if profile < 2:
        return (profile == 0, profile == 0)
    if not twelve:
        return (True, False)
    horizontal = bits.flag()
    return (horizontal, horizontal and bits.flag())
