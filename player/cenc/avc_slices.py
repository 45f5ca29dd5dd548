"""Slice data of H.264: where each slice header ends, to the bit (ITU-T H.264, 7.3.3; ISO/IEC 23001-7, 9.5).

Protected are slices without partitions (NAL units 1 and 5); all else is clear. Parameter sets come from `avcC`, and in
samples where they may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from player.cenc.avc_parameter_sets import PictureParameterSet, SequenceParameterSet, read_picture, read_sequence
from player.cenc.bits import BitReader
from player.cenc.nal_units import Payload, nal_units, read_avcc

_SLICE, _IDR_SLICE, _SEQUENCE_SET, _PICTURE_SET = 1, 5, 7, 8  # nal_unit_type (table 7-1)
_P, _B, _I, _SP, _SI = range(5)  # slice_type modulo 5 (table 7-6)
_END_OF_LIST: Final = 3  # modification_of_pic_nums_idc (table 7-7)
_MOST_MARKINGS: Final = 66  # a choice: each of 32 fields marked twice, and the end
_MARKING_FIELDS: Final = (0, 1, 1, 2, 1, 0, 1)  # numbers behind each memory_management_control_operation (table 7-9)


class AvcSlices:
    """The slices of one track, its samples in decode order."""

    __slots__ = ("_length_size", "_pictures", "_sequences")

    def __init__(self, config: bytes) -> None:
        """`config`: the body of `avcC`. Raises: ValueError."""
        self._sequences: dict[int, SequenceParameterSet] = {}
        self._pictures: dict[int, PictureParameterSet] = {}
        self._length_size, parameter_sets = read_avcc(config)
        for each in parameter_sets:
            self._keep(each)

    def payloads(self, sample: bytes) -> Iterator[Payload]:
        """Raises: ValueError."""
        for start, end in nal_units(sample, self._length_size):
            kind = sample[start] & 0x1F
            if kind in (_SLICE, _IDR_SLICE):
                yield self._slice_data(sample, start, end), end
            else:
                self._keep(sample[start:end])

    def _keep(self, nal_unit: bytes) -> None:
        """Parameter sets; others pass."""
        kind = nal_unit[0] & 0x1F if nal_unit else 0
        if kind == _SEQUENCE_SET:
            sequence = read_sequence(nal_unit)
            self._sequences[sequence.id] = sequence
        elif kind == _PICTURE_SET:
            picture = read_picture(nal_unit)
            self._pictures[picture.id] = picture

    def _slice_data(self, sample: bytes, start: int, end: int) -> int:
        """Behind the header, and behind the rest of its last byte: alignment, or the first bits of CAVLC."""
        bits = BitReader(sample, start + 1, end, escaped=True)
        bits.ue()  # first_mb_in_slice
        kind = bits.ue(9) % 5
        number = bits.ue(255)
        picture = self._pictures.get(number)
        sequence = self._sequences.get(picture.sequence_id) if picture else None
        if picture is None or sequence is None:
            raise ValueError(f"a slice without its parameter sets, picture set {number}")
        header = sample[start]
        _read_header(bits, kind, sequence, picture, idr=header & 0x1F == _IDR_SLICE, reference=bool(header & 0x60))
        return bits.byte_position


def _read_header(
    bits: BitReader,
    kind: int,
    sequence: SequenceParameterSet,
    picture: PictureParameterSet,
    *,
    idr: bool,
    reference: bool,
) -> None:
    """From colour_plane_id on."""
    _read_order(bits, sequence, picture, idr=idr)
    if kind == _B:
        bits.flag()  # direct_spatial_mv_pred_flag
    references = _references(bits, kind, picture)
    for _ in references:
        if bits.flag():
            _read_list_modification(bits)
    if (picture.weighted_p and kind in (_P, _SP)) or (picture.weighted_b and kind == _B):
        _read_weights(bits, references, sequence.chroma_array_type)
    if reference:
        _read_marking(bits, idr=idr)
    if picture.cabac and references:
        bits.ue(2)  # cabac_init_idc
    _read_quantizers(bits, kind)
    if picture.deblocking_control and bits.ue(2) != 1:
        bits.se()
        bits.se()
    if picture.group_change_rate:  # 7.4.3: Ceil( Log2( PicSizeInMapUnits ÷ SliceGroupChangeRate + 1 ) )
        bits.skip((-(-sequence.map_units // picture.group_change_rate)).bit_length())


def _read_quantizers(bits: BitReader, kind: int) -> None:
    bits.se()  # slice_qp_delta
    if kind == _SP:
        bits.flag()
    if kind in (_SP, _SI):
        bits.se()


def _read_order(bits: BitReader, sequence: SequenceParameterSet, picture: PictureParameterSet, *, idr: bool) -> None:
    """Which picture it belongs to, up to redundant_pic_cnt."""
    bits.skip(2 if sequence.separate_colour_planes else 0)
    bits.skip(sequence.frame_num_bits)
    field = not sequence.frames_only and bits.flag()
    if field:
        bits.flag()  # bottom_field_flag
    if idr:
        bits.ue()  # idr_pic_id
    bottom_delta = picture.bottom_field_order and not field
    if sequence.order_count_type == 0:
        bits.skip(sequence.order_count_bits)
        if bottom_delta:
            bits.se()
    elif sequence.order_count_deltas:
        bits.se()
        if bottom_delta:
            bits.se()
    if picture.redundant_pictures:
        bits.ue()


def _references(bits: BitReader, kind: int, picture: PictureParameterSet) -> tuple[int, ...]:
    """How many are active in each reference list the slice has."""
    if kind in (_I, _SI):
        return ()
    lists = 2 if kind == _B else 1
    if bits.flag():
        return tuple(bits.ue(31) + 1 for _ in range(lists))
    return picture.default_references[:lists]


def _read_list_modification(bits: BitReader) -> None:
    """7.3.3.1, one list; as many entries as there can be fields, and the end."""
    for _ in range(33):
        if bits.ue(_END_OF_LIST) == _END_OF_LIST:
            return
        bits.ue()
    raise ValueError("a reference list with more modifications than references")


def _read_weights(bits: BitReader, references: tuple[int, ...], chroma_array_type: int) -> None:
    """7.3.3.2."""
    bits.ue(7)
    if chroma_array_type:
        bits.ue(7)
    for _ in range(sum(references)):
        if bits.flag():
            bits.se()
            bits.se()
        if chroma_array_type and bits.flag():
            for _ in range(4):
                bits.se()


def _read_marking(bits: BitReader, *, idr: bool) -> None:
    """7.3.3.3."""
    if idr:
        bits.skip(2)
        return
    if not bits.flag():
        return
    for _ in range(_MOST_MARKINGS):
        operation = bits.ue(len(_MARKING_FIELDS) - 1)
        if not operation:
            return
        for _ in range(_MARKING_FIELDS[operation]):
            bits.ue()
    raise ValueError("memory management operations without an end")
