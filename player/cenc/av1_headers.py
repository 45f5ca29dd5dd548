"""The frame header of AV1, to its last bit (AV1, 5.9).

What is kept of it: how its tiles are laid out, and what headers to come depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.cenc import av1_parameters as parameters
from player.cenc.av1_parameters import TileLayout
from player.cenc.av1_references import (
    REFERENCES,
    REFERENCES_OF_A_FRAME,
    Quantizers,
    Reference,
    Slots,
    reference,
    set_references,
    skip_mode_allowed,
)
from player.cenc.av1_sequence import SequenceHeader
from player.cenc.bits import BitReader

_KEY, _INTER, _INTRA_ONLY, _SWITCH = range(4)  # frame_type (6.8.2)
_ALL_FRAMES: Final = 0xFF
_SUPERRES_NUMERATOR: Final = 8
_SUPERRES_LEAST: Final = 9
_NO_QUANTIZERS: Final[Quantizers] = (None,) * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """`tiles` None: an existing frame is shown, and no tiles follow. `slots`: once the frame is decoded."""

    tiles: TileLayout | None
    slots: Slots


def read_frame_header(bits: BitReader, sequence: SequenceHeader, slots: Slots, layer: tuple[int, int]) -> FrameHeader:
    """uncompressed_header (5.9.2). `layer`: temporal_id and spatial_id of its OBU.

    Raises: ValueError.
    """
    if not sequence.reduced_still_picture and bits.flag():
        shown = reference(slots, bits.bits(3))
        bits.skip(sequence.temporal_point_bits + sequence.frame_id_bits)
        return FrameHeader(tiles=None, slots=(shown,) * REFERENCES if shown.key_frame else slots)  # 7.21
    return _Reading(bits, sequence, slots).header(layer)


@dataclass(slots=True)
class _Reading:
    """A frame header that is being read, its fields in the order of 5.9.2."""

    bits: BitReader
    sequence: SequenceHeader
    slots: Slots
    frame_type: int = _KEY
    shown: bool = True
    showable: bool = False
    resilient: bool = True
    screen_content: bool = False
    integer_mv: bool = False
    other_size: bool = False  # frame_size_override_flag
    order_hint: int = 0
    refreshed: int = _ALL_FRAMES
    references: tuple[Reference, ...] = ()  # by ref_frame_idx
    primary: Reference | None = None
    upscaled_width: int = 0
    size: tuple[int, int] = (0, 0)  # FrameWidth, FrameHeight

    @property
    def intra(self) -> bool:
        return self.frame_type in (_KEY, _INTRA_ONLY)

    @property
    def restarts(self) -> bool:
        return self.frame_type == _SWITCH or (self.frame_type == _KEY and self.shown)

    def header(self, layer: tuple[int, int]) -> FrameHeader:
        bits, sequence = self.bits, self.sequence
        if not sequence.reduced_still_picture:
            self._kind()
        cdf_update = not bits.flag()
        primary = self._order(layer)
        intra_copy = high_precision = False
        if self.intra:
            self._frame_size()
            intra_copy = self.screen_content and self.upscaled_width == self.size[0] and bits.flag()
        else:
            high_precision = self._inter()
        if cdf_update and not sequence.reduced_still_picture:
            bits.flag()  # disable_frame_end_update_cdf
        if primary < REFERENCES_OF_A_FRAME:
            self.primary = self.references[primary]
        tiles = parameters.tile_layout(bits, self.size, large=sequence.superblocks_of_128)
        quantizers = self._coding(intra_copy=intra_copy)
        self._prediction(high_precision=high_precision)
        if sequence.film_grain and (self.shown or self.showable):
            parameters.film_grain(bits, sequence.color, inter=self.frame_type == _INTER)
        return FrameHeader(tiles=tiles, slots=self._updated(quantizers))

    def _kind(self) -> None:
        """frame_type to error_resilient_mode."""
        bits = self.bits
        self.frame_type, self.shown = bits.bits(2), bits.flag()
        if self.shown:
            bits.skip(self.sequence.temporal_point_bits)
        self.showable = self.frame_type != _KEY if self.shown else bits.flag()
        self.resilient = self.restarts or bits.flag()

    def _order(self, layer: tuple[int, int]) -> int:
        """allow_screen_content_tools to ref_order_hint; gives primary_ref_frame."""
        bits, sequence = self.bits, self.sequence
        tools = sequence.tools
        self.screen_content = bits.flag() if tools.screen_content is None else tools.screen_content
        if self.screen_content:
            self.integer_mv = bits.flag() if tools.integer_mv is None else tools.integer_mv
        bits.skip(sequence.frame_id_bits)
        self.other_size = self.frame_type == _SWITCH or (not sequence.reduced_still_picture and bits.flag())
        self.order_hint = bits.bits(tools.order_hint_bits)
        primary = REFERENCES_OF_A_FRAME if self.intra or self.resilient else bits.bits(3)
        if sequence.timing.removal_time_bits and bits.flag():
            bits.skip(self._removal_times(*layer) * sequence.timing.removal_time_bits)
        self.refreshed = _ALL_FRAMES if self.restarts else bits.bits(8)
        if self.resilient and tools.order_hint_bits and not (self.intra and self.refreshed == _ALL_FRAMES):
            self.slots = tuple(self._at_hint(each, bits.bits(tools.order_hint_bits)) for each in self.slots)
        return primary

    def _removal_times(self, temporal: int, spatial: int) -> int:
        """Of how many operating points buffer_removal_time is told."""
        return sum(
            point.decoder_model and (not point.idc or bool(point.idc >> temporal & point.idc >> spatial + 8 & 1))
            for point in self.sequence.operating_points
        )

    def _at_hint(self, slot: Reference | None, hint: int) -> Reference:
        """Where the frame of this order hint was lost, another stands for it (6.8.2, ref_order_hint)."""
        if slot is not None and slot.order_hint == hint:
            return slot
        return Reference(key_frame=False, size=self.sequence.max_size, order_hint=hint, quantizers=_NO_QUANTIZERS)

    def _inter(self) -> bool:
        """References, size and motion vectors; gives allow_high_precision_mv."""
        bits, tools = self.bits, self.sequence.tools
        names = self._short_names() if tools.order_hint_bits and bits.flag() else ()
        told: list[int] = []
        for i in range(REFERENCES_OF_A_FRAME):
            told.append(names[i] if names else bits.bits(3))
            bits.skip(self.sequence.delta_frame_id_bits)
        self.references = tuple(reference(self.slots, each) for each in told)
        if self.other_size and not self.resilient:
            self._frame_size_with_references()
        else:
            self._frame_size()
        high_precision = not self.integer_mv and bits.flag()
        if not bits.flag():  # is_filter_switchable
            bits.skip(2)
        bits.flag()  # is_motion_mode_switchable
        if tools.ref_frame_mvs and not self.resilient:
            bits.flag()
        return high_precision

    def _short_names(self) -> tuple[int, ...]:
        last, golden = self.bits.bits(3), self.bits.bits(3)
        return set_references(self.slots, last, golden, self.order_hint, self.sequence.tools.order_hint_bits)

    def _frame_size(self) -> None:
        """frame_size and render_size (5.9.5, 5.9.6)."""
        bits, size = self.bits, self.sequence.max_size
        if self.other_size:
            width_bits, height_bits = self.sequence.size_bits
            size = (bits.bits(width_bits) + 1, bits.bits(height_bits) + 1)
        self._superres(size)
        if bits.flag():
            bits.skip(32)

    def _frame_size_with_references(self) -> None:
        """5.9.7."""
        for each in self.references:
            if self.bits.flag():
                self._superres(each.size)
                return
        self._frame_size()

    def _superres(self, size: tuple[int, int]) -> None:
        """5.9.8."""
        self.upscaled_width = width = size[0]
        if self.sequence.superres and self.bits.flag():
            denominator = self.bits.bits(3) + _SUPERRES_LEAST
            width = (width * _SUPERRES_NUMERATOR + denominator // 2) // denominator
        self.size = (width, size[1])

    def _coding(self, *, intra_copy: bool) -> Quantizers:
        """quantization_params to read_tx_mode."""
        bits, sequence = self.bits, self.sequence
        base, exact = parameters.quantization(bits, sequence.color)
        before = self.primary.quantizers if self.primary else None
        quantizers = parameters.segmentation(bits, before) or _NO_QUANTIZERS
        parameters.quantizer_deltas(bits, base, intra_copy=intra_copy)
        lossless = exact and all(base + (each or 0) <= 0 for each in quantizers)  # CodedLossless
        if not lossless and not intra_copy:
            parameters.loop_filter(bits, sequence.color)
            if sequence.cdef:
                parameters.cdef(bits, sequence.color)
        if sequence.restoration and not intra_copy and not (lossless and self.size[0] == self.upscaled_width):
            parameters.loop_restoration(bits, sequence.color, large=sequence.superblocks_of_128)
        bits.skip(0 if lossless else 1)  # tx_mode_select
        return quantizers

    def _prediction(self, *, high_precision: bool) -> None:
        """frame_reference_mode to global_motion_params."""
        bits, tools = self.bits, self.sequence.tools
        if not self.intra:
            hints = [each.order_hint for each in self.references]
            selected = bits.flag()  # reference_select
            if selected and tools.order_hint_bits:
                bits.skip(skip_mode_allowed(hints, self.order_hint, tools.order_hint_bits))
            if tools.warped_motion and not self.resilient:
                bits.flag()
        bits.flag()  # reduced_tx_set
        if not self.intra:
            parameters.global_motion(bits, high_precision=high_precision)

    def _updated(self, quantizers: Quantizers) -> Slots:
        """7.20."""
        this = Reference(
            key_frame=self.frame_type == _KEY,
            size=(self.upscaled_width, self.size[1]),
            order_hint=self.order_hint,
            quantizers=quantizers,
        )
        return tuple(this if self.refreshed >> i & 1 else old for i, old in enumerate(self.slots))
