"""What slice segment headers of HEVC depend on: fields of sequence and picture parameter sets (ITU-T H.265, 7.3.2).

A set is read as far as its last field of use. Screen content coding (9.3 of annex A), 3D and layers change the syntax
of headers in ways not followed here: such sets say so, and nobody reads headers by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from player.cenc.bits import BitReader

_CHROMA_444: Final = 3
_MAX_SUB_LAYERS: Final = 8
_PROFILE_BITS: Final = 88  # of profile_tier_level, without the level (7.3.3)
_SCREEN_PROFILES: Final = (9, 11)  # general_profile_idc of screen content coding (A.3.7, A.3.8)
_MAX_REFERENCES: Final = 16
_MAX_SIDE: Final = 2**16  # luma samples; level 6.2 ends at 16888 (A.4.1)

ReferenceSet = tuple[tuple[int, bool], ...]
"""A short-term reference picture set: distance in picture order, used by the current picture; S0 before S1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceParameterSet:
    id: int
    plain: bool  # without screen content coding
    chroma_array_type: int
    separate_colour_planes: bool
    order_count_bits: int
    ctbs: int  # PicSizeInCtbsY
    sample_adaptive_offset: bool
    reference_sets: tuple[ReferenceSet, ...]
    long_term_allowed: bool
    long_term_used: tuple[bool, ...]  # used_by_curr_pic_lt_sps_flag
    temporal_mvp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureParameterSet:
    id: int
    sequence_id: int
    plain: bool  # without extensions but that for ranges
    dependent_slices: bool
    output_flag: bool
    extra_bits: int
    cabac_init: bool
    default_references: tuple[int, int]
    chroma_offsets: bool
    weighted_p: bool
    weighted_b: bool
    entry_points: bool
    loop_filter_across: bool
    deblocking_override: bool
    deblocking_off: bool
    list_modification: bool
    header_extension: bool
    chroma_offset_list: bool


def read_sequence(nal_unit: bytes) -> SequenceParameterSet:
    """7.3.2.2.1. Raises: ValueError."""
    bits = BitReader(nal_unit, 2, escaped=True)
    bits.skip(4)
    sub_layers = bits.bits(3) + 1
    bits.flag()
    plain = _plain_profile(bits, sub_layers)
    number = bits.ue(15)
    chroma_format = bits.ue(_CHROMA_444)
    separate = chroma_format == _CHROMA_444 and bits.flag()
    width, height = bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE)
    if bits.flag():
        _skip_codes(bits, 4)  # conformance window
    _skip_codes(bits, 2)  # bit depths
    order_count_bits = bits.ue(12) + 4
    _skip_codes(bits, 3 * (sub_layers if bits.flag() else 1))
    ctb_log2 = bits.ue(3) + 3 + bits.ue(3)
    _skip_codes(bits, 4)
    if bits.flag() and bits.flag():
        _scaling_lists(bits)
    bits.flag()  # amp_enabled_flag
    adaptive_offset = bits.flag()
    if bits.flag():  # pcm_enabled_flag
        bits.skip(8)
        _skip_codes(bits, 2)
        bits.flag()
    reference_sets = _reference_sets(bits)
    long_term = bits.flag()
    return SequenceParameterSet(
        id=number,
        plain=plain,
        chroma_array_type=0 if separate else chroma_format,
        separate_colour_planes=separate,
        order_count_bits=order_count_bits,
        ctbs=-(-width >> ctb_log2) * -(-height >> ctb_log2),
        sample_adaptive_offset=adaptive_offset,
        reference_sets=reference_sets,
        long_term_allowed=long_term,
        long_term_used=_long_term(bits, order_count_bits) if long_term else (),
        temporal_mvp=bits.flag(),
    )


def _plain_profile(bits: BitReader, sub_layers: int) -> bool:
    """profile_tier_level (7.3.3)."""
    profile, compatibility = bits.bits(8) & 0x1F, bits.bits(32)
    bits.skip(_PROFILE_BITS - 40 + 8)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers - 1)]
    if present:
        bits.skip(2 * (_MAX_SUB_LAYERS - len(present)))
    for with_profile, with_level in present:
        bits.skip(_PROFILE_BITS * with_profile + 8 * with_level)
    return profile not in _SCREEN_PROFILES and not any(compatibility >> 31 - each & 1 for each in _SCREEN_PROFILES)


def _skip_codes(bits: BitReader, count: int) -> None:
    for _ in range(count):
        bits.ue()


def _scaling_lists(bits: BitReader) -> None:
    """7.3.4."""
    for size_id in range(4):
        for _ in range(2 if size_id == 3 else 6):
            if not bits.flag():
                bits.ue()
                continue
            _skip_codes(bits, min(64, 16 << 2 * size_id) + (size_id > 1))


def _reference_sets(bits: BitReader) -> tuple[ReferenceSet, ...]:
    found: list[ReferenceSet] = []
    for _ in range(bits.ue(64)):
        found.append(read_reference_set(bits, found, in_slice=False))
    return tuple(found)


def read_reference_set(bits: BitReader, before: Sequence[ReferenceSet], *, in_slice: bool) -> ReferenceSet:
    """st_ref_pic_set (7.3.7): of a slice header, or the one behind those `before` in its sequence parameter set."""
    if before and bits.flag():
        return _predicted_set(bits, before, in_slice=in_slice)
    negatives, positives = bits.ue(_MAX_REFERENCES), bits.ue(_MAX_REFERENCES)
    if negatives + positives > _MAX_REFERENCES:
        raise ValueError(f"{negatives + positives} short-term reference pictures")
    found: list[tuple[int, bool]] = []
    for sign, count in ((-1, negatives), (1, positives)):
        distance = 0
        for _ in range(count):
            distance += sign * (bits.ue(2**15) + 1)
            found.append((distance, bits.flag()))
    return tuple(found)


def _predicted_set(bits: BitReader, before: Sequence[ReferenceSet], *, in_slice: bool) -> ReferenceSet:
    """From another set, all of it moved (7.4.8): pictures on either side, nearest first."""
    back = bits.ue(len(before) - 1) + 1 if in_slice else 1
    reference = before[-back]
    sign = -1 if bits.flag() else 1
    moved_by = sign * (bits.ue(2**15) + 1)
    kept: list[tuple[int, bool]] = []
    for distance, _ in (*reference, (0, False)):
        used = bits.flag()
        if (used or bits.flag()) and distance + moved_by:
            kept.append((distance + moved_by, used))
    if len(kept) > _MAX_REFERENCES:
        raise ValueError(f"{len(kept)} short-term reference pictures")
    negatives = sorted((each for each in kept if each[0] < 0), reverse=True)
    return (*negatives, *sorted(each for each in kept if each[0] > 0))


def _long_term(bits: BitReader, order_count_bits: int) -> tuple[bool, ...]:
    used: list[bool] = []
    for _ in range(bits.ue(32)):
        bits.skip(order_count_bits)
        used.append(bits.flag())
    return tuple(used)


def read_picture(nal_unit: bytes) -> PictureParameterSet:
    """7.3.2.3.1. Raises: ValueError."""
    bits = BitReader(nal_unit, 2, escaped=True)
    number, sequence_id = bits.ue(63), bits.ue(15)
    dependent, output, extra_bits = bits.flag(), bits.flag(), bits.bits(3)
    _, cabac_init = bits.flag(), bits.flag()
    references = (bits.ue(14) + 1, bits.ue(14) + 1)
    bits.se()
    _, transform_skip = bits.flag(), bits.flag()
    if bits.flag():  # cu_qp_delta_enabled_flag
        bits.ue()
    bits.se()
    bits.se()
    chroma_offsets, weighted_p, weighted_b, _ = (bits.flag() for _ in range(4))
    tiles, wavefronts = bits.flag(), bits.flag()
    if tiles:
        _tiles(bits)
    loop_filter_across = bits.flag()
    override, off = _deblocking(bits)
    if bits.flag():
        _scaling_lists(bits)
    list_modification = bits.flag()
    bits.ue()
    header_extension = bits.flag()
    plain, offset_list = _extensions(bits, transform_skip=transform_skip)
    return PictureParameterSet(
        id=number,
        sequence_id=sequence_id,
        plain=plain,
        dependent_slices=dependent,
        output_flag=output,
        extra_bits=extra_bits,
        cabac_init=cabac_init,
        default_references=references,
        chroma_offsets=chroma_offsets,
        weighted_p=weighted_p,
        weighted_b=weighted_b,
        entry_points=tiles or wavefronts,
        loop_filter_across=loop_filter_across,
        deblocking_override=override,
        deblocking_off=off,
        list_modification=list_modification,
        header_extension=header_extension,
        chroma_offset_list=offset_list,
    )


def _tiles(bits: BitReader) -> None:
    columns, rows = bits.ue(_MAX_SIDE), bits.ue(_MAX_SIDE)
    if not bits.flag():
        _skip_codes(bits, columns + rows)
    bits.flag()


def _deblocking(bits: BitReader) -> tuple[bool, bool]:
    """Whether slices may override it, and whether it is off."""
    if not bits.flag():
        return False, False
    override, off = bits.flag(), bits.flag()
    if not off:
        bits.se()
        bits.se()
    return override, off


def _extensions(bits: BitReader, *, transform_skip: bool) -> tuple[bool, bool]:
    """Whether there is none but that for ranges, and its chroma_qp_offset_list_enabled_flag (7.3.2.3.2)."""
    if not bits.flag():
        return True, False
    ranges, others = bits.flag(), bits.bits(7)
    if not ranges:
        return not others, False
    if transform_skip:
        bits.ue()
    bits.flag()
    return not others, bits.flag()
