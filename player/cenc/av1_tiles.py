"""Tiles of AV1: what of each open bitstream unit is a tile, to the byte (AV1, 5.3, 5.10, 5.11).

AV1 Codec ISO Media File Format Binding, Common Encryption: each `decode_tile` structure is protected; headers, and the
sizes between tiles, are clear.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from player.cenc.av1_headers import FrameHeader, read_frame_header
from player.cenc.av1_references import REFERENCES, Slots
from player.cenc.av1_sequence import SequenceHeader, read_sequence_header
from player.cenc.bits import BitReader
from player.cenc.nal_units import Payload

_SEQUENCE_HEADER, _FRAME_HEADER, _TILE_GROUP, _FRAME = 1, 3, 4, 6  # obu_type (6.2.2)
_HAS_EXTENSION: Final = 4
_HAS_SIZE: Final = 2
_MAX_LEB128_BYTES: Final = 8
_CONFIG_OBUS_AT: Final = 4  # in the body of `av1C`


class Obu(NamedTuple):
    """An open bitstream unit (5.3): its type, temporal_id and spatial_id, and where its payload starts and ends."""

    type: int
    layer: tuple[int, int]
    start: int
    end: int


class Av1Tiles:
    """The tiles of one track, its samples in decode order."""

    __slots__ = ("_frame", "_next_tile", "_sequence", "_slots")

    def __init__(self, config: bytes) -> None:
        """`config`: the body of `av1C`. Raises: ValueError."""
        self._sequence: SequenceHeader | None = None
        self._slots: Slots = (None,) * REFERENCES
        self._frame: FrameHeader | None = None  # whose tiles are to come
        self._next_tile = 0
        for _ in self.payloads(config[_CONFIG_OBUS_AT:]):
            raise ValueError("a decoder configuration with tiles")

    def payloads(self, sample: bytes) -> Iterator[Payload]:
        """Raises: ValueError."""
        self._frame = None
        for obu in obus(sample):
            bits = BitReader(sample, obu.start, obu.end)
            if obu.type == _SEQUENCE_HEADER:
                self._sequence = read_sequence_header(bits)
            elif obu.type == _FRAME or (obu.type == _FRAME_HEADER and self._frame is None):
                self._read_frame_header(bits, obu)
            if obu.type in (_FRAME, _TILE_GROUP):
                bits.align()
                yield from self._tile_group(sample, bits, obu.end)
        if self._frame is not None:
            raise ValueError(f"a sample that ends before tile {self._next_tile} of its last frame")

    def _read_frame_header(self, bits: BitReader, obu: Obu) -> None:
        """A frame that is shown again has no tiles; a header that comes again, as a copy, is not read."""
        if self._sequence is None or self._frame is not None:
            raise ValueError("a frame before its sequence header, or before the last tile of another")
        frame = read_frame_header(bits, self._sequence, self._slots, obu.layer)
        if frame.tiles is None:
            self._slots = frame.slots
        else:
            self._frame, self._next_tile = frame, 0

    def _tile_group(self, sample: bytes, bits: BitReader, end: int) -> Iterator[Payload]:
        """5.11.1: all tiles but the last of a group have their size before them."""
        frame = self._frame
        if frame is None or frame.tiles is None:
            raise ValueError("a tile group without a frame header")
        layout = frame.tiles
        first, last = 0, layout.count - 1
        if layout.count > 1 and bits.flag():
            first, last = bits.bits(layout.number_bits), bits.bits(layout.number_bits)
        bits.align()
        if first != self._next_tile or not first <= last < layout.count:
            raise ValueError(f"tiles {first} to {last}, expected {self._next_tile} of {layout.count}")
        position = bits.byte_position
        for _ in range(first, last):
            start = position + layout.size_bytes
            position = start + int.from_bytes(sample[position:start], "little") + 1
            if position >= end:
                raise ValueError(f"a tile at {start} ends outside its group")
            yield start, position
        if position >= end:
            raise ValueError(f"a tile group of {end - position} bytes for its last tile")
        yield position, end
        self._next_tile = last + 1
        if self._next_tile == layout.count:
            self._frame, self._slots = None, frame.slots


def obus(sample: bytes) -> Iterator[Obu]:
    """Raises: ValueError if they do not fill the sample."""
    position = 0
    while position < len(sample):
        header, start, layer = sample[position], position + 1, (0, 0)
        if header & _HAS_EXTENSION and start < len(sample):
            layer = (sample[start] >> 5, sample[start] >> 3 & 3)
            start += 1
        end = len(sample)
        if header & _HAS_SIZE:
            size, start = _leb128(sample, start)
            end = start + size
        if end > len(sample):
            raise ValueError(f"an OBU at {position} ends outside its sample of {len(sample)}")
        yield Obu(header >> 3 & 0xF, layer, start, end)
        position = end


def _leb128(sample: bytes, position: int) -> tuple[int, int]:
    """A number (4.10.5), and where it ends."""
    value = 0
    for i, byte in enumerate(sample[position : position + _MAX_LEB128_BYTES]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, position + i + 1
    raise ValueError(f"a size at {position} of a sample of {len(sample)} that does not end in it")
