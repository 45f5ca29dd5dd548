"""What slice headers of H.264 depend on: fields of sequence and picture parameter sets (ITU-T H.264, 7.3.2.1, 7.3.2.2).

A set is read as far as its last field of use; the rest of it, VUI among it, is nobody's business here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.cenc.bits import BitReader

_WITH_CHROMA_FORMAT: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})  # profile_idc
_CHROMA_444: Final = 3
_MAX_PICTURE_MBS: Final = 139_264  # MaxFS of level 6.2 (H.264, A.3.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceParameterSet:
    id: int
    chroma_array_type: int
    separate_colour_planes: bool
    frame_num_bits: int
    order_count_type: int
    order_count_bits: int  # of pic_order_cnt_lsb, where the type is 0
    order_count_deltas: bool  # told in slice headers, where the type is 1
    map_units: int  # PicSizeInMapUnits
    frames_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureParameterSet:
    id: int
    sequence_id: int
    cabac: bool
    bottom_field_order: bool
    group_change_rate: int  # SliceGroupChangeRate; 0 where slices do not tell a cycle
    default_references: tuple[int, int]
    weighted_p: bool
    weighted_b: bool  # explicitly
    deblocking_control: bool
    redundant_pictures: bool


def read_sequence(nal_unit: bytes) -> SequenceParameterSet:
    """Raises: ValueError."""
    bits = BitReader(nal_unit, 1, escaped=True)
    profile = bits.bits(8)
    bits.skip(16)  # constraint flags, level
    number = bits.ue(31)
    chroma_format, separate = _chroma_format(bits) if profile in _WITH_CHROMA_FORMAT else (1, False)
    frame_num_bits = bits.ue(12) + 4
    order_type, order_bits, deltas = _order_count(bits)
    bits.ue()  # max_num_ref_frames
    bits.flag()
    map_units = (bits.ue(_MAX_PICTURE_MBS) + 1) * (bits.ue(_MAX_PICTURE_MBS) + 1)
    return SequenceParameterSet(
        id=number,
        chroma_array_type=0 if separate else chroma_format,
        separate_colour_planes=separate,
        frame_num_bits=frame_num_bits,
        order_count_type=order_type,
        order_count_bits=order_bits,
        order_count_deltas=deltas,
        map_units=map_units,
        frames_only=bits.flag(),
    )


def _chroma_format(bits: BitReader) -> tuple[int, bool]:
    """chroma_format_idc and separate_colour_plane_flag, with all up to the scaling lists."""
    chroma_format = bits.ue(_CHROMA_444)
    separate = chroma_format == _CHROMA_444 and bits.flag()
    bits.ue()  # bit depths
    bits.ue()
    bits.flag()
    if bits.flag():
        for number in range(12 if chroma_format == _CHROMA_444 else 8):
            if bits.flag():
                _scaling_list(bits, 16 if number < 6 else 64)
    return chroma_format, separate


def _scaling_list(bits: BitReader, size: int) -> None:
    """7.3.2.1.1.1: deltas until a scale of 0 stands for the rest."""
    last = 8
    for _ in range(size):
        last = (last + bits.se()) % 256
        if not last:
            return


def _order_count(bits: BitReader) -> tuple[int, int, bool]:
    kind = bits.ue(2)
    if kind == 0:
        return kind, bits.ue(12) + 4, False
    if kind == 2:
        return kind, 0, False
    always_zero = bits.flag()
    bits.se()
    bits.se()
    for _ in range(bits.ue(255)):
        bits.se()
    return kind, 0, not always_zero


def read_picture(nal_unit: bytes) -> PictureParameterSet:
    """Raises: ValueError."""
    bits = BitReader(nal_unit, 1, escaped=True)
    number, sequence_id = bits.ue(255), bits.ue(31)
    cabac, bottom = bits.flag(), bits.flag()
    change_rate = _slice_groups(bits)
    references = (bits.ue(31) + 1, bits.ue(31) + 1)
    weighted_p, weighted_b = bits.flag(), bits.bits(2)
    for _ in range(3):  # quantizers and their offset for chroma
        bits.se()
    deblocking, _, redundant = bits.flag(), bits.flag(), bits.flag()
    return PictureParameterSet(
        id=number,
        sequence_id=sequence_id,
        cabac=cabac,
        bottom_field_order=bottom,
        group_change_rate=change_rate,
        default_references=references,
        weighted_p=weighted_p,
        weighted_b=weighted_b == 1,
        deblocking_control=deblocking,
        redundant_pictures=redundant,
    )


def _slice_groups(bits: BitReader) -> int:
    """SliceGroupChangeRate, 0 where the groups do not change."""
    groups = bits.ue(7)
    kind = bits.ue(6) if groups else 1
    match kind:
        case 0:
            for _ in range(groups + 1):
                bits.ue()
        case 2:
            for _ in range(2 * groups):
                bits.ue()
        case 3 | 4 | 5:
            bits.flag()
            return bits.ue() + 1
        case 6:
            bits.skip((bits.ue(_MAX_PICTURE_MBS) + 1) * groups.bit_length())
        case _:  # dispersed: nothing more is told
            pass
    return 0
