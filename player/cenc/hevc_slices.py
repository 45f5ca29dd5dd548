"""Slice segment data of HEVC: where each slice segment header ends (ITU-T H.265, 7.3.6; ISO/IEC 23001-7, 9.5).

Where the header is of a kind not followed here (`hevc_parameter_sets`; layers above the first), a lead of fixed length
stays clear in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from player.cenc.bits import BitReader
from player.cenc.hevc_parameter_sets import (
    PictureParameterSet,
    SequenceParameterSet,
    read_picture,
    read_reference_set,
    read_sequence,
)
from player.cenc.nal_units import Payload, nal_units, read_hvcc

FIXED_LEAD_BYTES: Final = 128  # a choice: weights of 8 references take 32 bytes, entry points of wavefronts 80
_SLICE_TYPES: Final = frozenset((*range(10), *range(16, 22)))  # nal_unit_type of coded slice segments (table 7-1)
_INTRA_RANDOM_ACCESS: Final = range(16, 24)
_IDR: Final = (19, 20)
_SEQUENCE_SET, _PICTURE_SET = 33, 34
_B, _P, _I = range(3)  # slice_type (table 7-7)
_NAL_HEADER_BYTES: Final = 2
_MAX_EXTENSION_BYTES: Final = 256  # slice_segment_header_extension_length (7.4.7.1)


class HevcSlices:
    """The slice segments of one track, its samples in decode order."""

    __slots__ = ("_length_size", "_pictures", "_sequences")

    def __init__(self, config: bytes) -> None:
        """`config`: the body of `hvcC`. Raises: ValueError."""
        self._sequences: dict[int, SequenceParameterSet] = {}
        self._pictures: dict[int, PictureParameterSet] = {}
        self._length_size, parameter_sets = read_hvcc(config)
        for each in parameter_sets:
            self._keep(each)

    def payloads(self, sample: bytes) -> Iterator[Payload]:
        """Raises: ValueError."""
        for start, end in nal_units(sample, self._length_size):
            if _type(sample, start) in _SLICE_TYPES:
                data = self._slice_segment_data(sample, start, end)
                if data < end:
                    yield data, end
            else:
                self._keep(sample[start:end])

    def _keep(self, nal_unit: bytes) -> None:
        """Parameter sets of the first layer; others pass."""
        if len(nal_unit) < _NAL_HEADER_BYTES or _layer(nal_unit, 0):
            return
        if _type(nal_unit, 0) == _SEQUENCE_SET:
            sequence = read_sequence(nal_unit)
            self._sequences[sequence.id] = sequence
        elif _type(nal_unit, 0) == _PICTURE_SET:
            picture = read_picture(nal_unit)
            self._pictures[picture.id] = picture

    def _slice_segment_data(self, sample: bytes, start: int, end: int) -> int:
        if end - start < _NAL_HEADER_BYTES:
            raise ValueError("a NAL unit that ends within its header")
        kind = _type(sample, start)
        bits = BitReader(sample, start + _NAL_HEADER_BYTES, end, escaped=True)
        first = bits.flag()
        if kind in _INTRA_RANDOM_ACCESS:
            bits.flag()  # no_output_of_prior_pics_flag
        number = bits.ue(63)
        if _layer(sample, start):
            return start + FIXED_LEAD_BYTES
        picture = self._pictures.get(number)
        sequence = self._sequences.get(picture.sequence_id) if picture else None
        if picture is None or sequence is None:
            raise ValueError(f"a slice segment without its parameter sets, picture set {number}")
        if not (picture.plain and sequence.plain):
            return start + FIXED_LEAD_BYTES
        _SliceSegmentHeader(bits, sequence, picture, idr=kind in _IDR).read(first=first)
        return bits.byte_position


class _SliceSegmentHeader:
    """From dependent_slice_segment_flag on; read in the order of 7.3.6.1."""

    __slots__ = ("_bits", "_deblocking_off", "_idr", "_offsets", "_picture", "_sequence", "_temporal_mvp")

    def __init__(
        self, bits: BitReader, sequence: SequenceParameterSet, picture: PictureParameterSet, *, idr: bool
    ) -> None:
        self._bits = bits
        self._sequence = sequence
        self._picture = picture
        self._idr = idr
        self._temporal_mvp = False
        self._offsets = False
        self._deblocking_off = picture.deblocking_off

    def read(self, *, first: bool) -> None:
        bits, picture = self._bits, self._picture
        dependent = False
        if not first:
            dependent = picture.dependent_slices and bits.flag()
            bits.skip((self._sequence.ctbs - 1).bit_length())  # slice_segment_address
        if not dependent:
            self._independent()
        if picture.entry_points:
            self._entry_points()
        if picture.header_extension:
            bits.skip(8 * bits.ue(_MAX_EXTENSION_BYTES))
        bits.skip(1)  # alignment_bit_equal_to_one
        bits.align()

    def _independent(self) -> None:
        bits, sequence, picture = self._bits, self._sequence, self._picture
        bits.skip(picture.extra_bits)
        kind = bits.ue(_I)
        bits.skip(picture.output_flag + 2 * sequence.separate_colour_planes)
        current = 0 if self._idr else self._reference_pictures()
        if sequence.sample_adaptive_offset:
            self._offsets = bits.flag()
            if sequence.chroma_array_type and bits.flag():
                self._offsets = True
        if kind != _I:
            self._inter(kind, current)
        bits.se()  # slice_qp_delta
        if picture.chroma_offsets:
            bits.se()
            bits.se()
        if picture.chroma_offset_list:
            bits.flag()
        self._loop_filters()

    def _reference_pictures(self) -> int:
        """NumPicTotalCurr (7-55)."""
        bits, sequence = self._bits, self._sequence
        bits.skip(sequence.order_count_bits)
        sets = sequence.reference_sets
        if not bits.flag():
            chosen = read_reference_set(bits, sets, in_slice=True)
        elif sets:
            index = bits.bits((len(sets) - 1).bit_length())
            if index >= len(sets):
                raise ValueError(f"short-term reference picture set {index} of {len(sets)}")
            chosen = sets[index]
        else:
            raise ValueError("a short-term reference picture set of none")
        current = sum(used for _, used in chosen)
        if sequence.long_term_allowed:
            current += self._long_term_pictures()
        self._temporal_mvp = sequence.temporal_mvp and bits.flag()
        return current

    def _long_term_pictures(self) -> int:
        """How many of them the picture uses."""
        bits, known = self._bits, self._sequence.long_term_used
        from_sequence = bits.ue(len(known)) if known else 0
        used = 0
        for number in range(from_sequence + bits.ue(32)):
            if number < from_sequence:
                index = bits.bits((len(known) - 1).bit_length())
                if index >= len(known):
                    raise ValueError(f"long-term reference picture {index} of {len(known)}")
                used += known[index]
            else:
                bits.skip(self._sequence.order_count_bits)
                used += bits.flag()
            if bits.flag():
                bits.ue()  # delta_poc_msb_cycle_lt
        return used

    def _inter(self, kind: int, current: int) -> None:
        bits, picture = self._bits, self._picture
        references = picture.default_references[: 2 if kind == _B else 1]
        if bits.flag():
            references = tuple(bits.ue(14) + 1 for _ in references)
        if picture.list_modification and current > 1:
            for count in references:
                if bits.flag():
                    bits.skip(count * (current - 1).bit_length())
        bits.skip((kind == _B) + picture.cabac_init)  # mvd_l1_zero_flag, cabac_init_flag
        if self._temporal_mvp:
            collocated = 1 if kind == _B and not bits.flag() else 0
            if references[collocated] > 1:
                bits.ue()
        if picture.weighted_p if kind == _P else picture.weighted_b:
            self._weights(references)
        bits.ue(4)  # five_minus_max_num_merge_cand

    def _weights(self, references: tuple[int, ...]) -> None:
        """pred_weight_table (7.3.6.3): all flags of a list before its weights."""
        bits, chroma = self._bits, self._sequence.chroma_array_type
        bits.ue(7)
        if chroma:
            bits.se()
        for count in references:
            weights = 2 * sum(bits.flag() for _ in range(count))
            if chroma:
                weights += 4 * sum(bits.flag() for _ in range(count))
            for _ in range(weights):
                bits.se()

    def _loop_filters(self) -> None:
        bits, picture = self._bits, self._picture
        if picture.deblocking_override and bits.flag():
            self._deblocking_off = bits.flag()
            if not self._deblocking_off:
                bits.se()
                bits.se()
        if picture.loop_filter_across and (self._offsets or not self._deblocking_off):
            bits.flag()

    def _entry_points(self) -> None:
        bits = self._bits
        count = bits.ue(self._sequence.ctbs)
        if count:
            bits.skip(count * (bits.ue(31) + 1))


def _type(data: bytes, at: int) -> int:
    """nal_unit_type, of the NAL unit that starts at `at`."""
    return data[at] >> 1 & 0x3F


def _layer(data: bytes, at: int) -> int:
    """nuh_layer_id."""
    return (data[at] & 1) << 5 | data[at + 1] >> 3
