"""AAC samples with an ADTS header each (ISO/IEC 14496-3, 1.A.2.2), from the `esds` of their sample entry."""

from __future__ import annotations

from typing import Final, NamedTuple

from player.errors import MediaError

HEADER_BYTES: Final = 7  # without CRC
MAX_FRAME_BYTES: Final = (1 << 13) - 1
_ES, _DECODER, _SPECIFIC = 3, 4, 5  # tags of descriptors (14496-1, 7.2.2)
_FIELDS: Final = {_ES: 3, _DECODER: 13}  # bytes before the descriptors inside; of an ES descriptor without its options
_SPECTRAL_BAND, _PARAMETRIC_STEREO = 5, 29  # object types that name another one underneath
_ESCAPE: Final = 15  # the sampling frequency stands by itself
_OBJECT_TYPES: Final = range(1, 5)  # those that two bits can say


class AdtsConfiguration(NamedTuple):
    object_type: int
    frequency: int  # index
    channels: int  # configuration


def read_esds(payload: bytes) -> AdtsConfiguration:
    """`payload`: of the esds box, from version and flags on.

    Raises: MediaError `bad-table`, or `unsupported` for what ADTS has no words for.
    """
    bits = _Bits(_specific_of(payload))
    object_type = bits.take(5)
    frequency = bits.take(4)
    channels = 0 if frequency == _ESCAPE else bits.take(4)
    if object_type in (_SPECTRAL_BAND, _PARAMETRIC_STEREO) and frequency != _ESCAPE:
        if bits.take(4) == _ESCAPE:
            bits.take(24)
        object_type = bits.take(5)
    if object_type not in _OBJECT_TYPES or frequency == _ESCAPE or not 1 <= channels <= 7:
        reason = f"object type {object_type}, frequency {frequency}, channels {channels} have no ADTS form"
        raise MediaError("unsupported", "esds", 0, reason, "14496-3, 1.A.2.2")
    return AdtsConfiguration(object_type, frequency, channels)


def frame(sample: bytes, configuration: AdtsConfiguration) -> bytes:
    """Raises: MediaError `unsupported` for a sample that is too long for the header."""
    size = HEADER_BYTES + len(sample)
    if size > MAX_FRAME_BYTES:
        raise MediaError("unsupported", "mdat", 0, f"a frame of {size} bytes has no ADTS form", "14496-3, 1.A.2.2")
    object_type, frequency, channels = configuration
    header = 0xFFF1 << 40 | (object_type - 1) << 38 | frequency << 34 | channels << 30 | size << 13 | 0x7FF << 2
    return header.to_bytes(HEADER_BYTES, "big") + sample


def _specific_of(payload: bytes) -> bytes:
    """DecoderSpecificInfo: down through the descriptors that hold it."""
    rest = payload[4:]
    for tag in (_ES, _DECODER, _SPECIFIC):
        rest = _descriptor(rest, tag)
        if tag == _ES and rest[2:3] and rest[2] & 0xE0:
            rest = rest[:3] + rest[3 + _options_bytes(rest) :]
        rest = rest[_FIELDS.get(tag, 0) :]
    return rest


def _options_bytes(descriptor: bytes) -> int:
    """Of an ES descriptor: what it depends on, a URL, a clock reference."""
    flags, size = descriptor[2], 0
    size += 2 if flags & 0x80 else 0
    if flags & 0x40:
        size += 1 + int.from_bytes(descriptor[3 + size : 4 + size], "big")
    return size + (2 if flags & 0x20 else 0)


def _descriptor(data: bytes, tag: int) -> bytes:
    """The payload of a descriptor; its size is a number of seven bits a byte."""
    size, position = 0, 1
    while data[:1] == bytes([tag]) and position < min(5, len(data)):
        byte = data[position]
        size, position = size << 7 | byte & 0x7F, position + 1
        if not byte & 0x80:
            if position + size > len(data):
                break
            return data[position : position + size]
    raise MediaError("bad-table", "esds", 0, f"no descriptor {tag}", "14496-1, 7.2.2")


class _Bits:
    """A bit string from its first bit on."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise MediaError("bad-table", "esds", 0, "the decoder's configuration is cut short", "14496-3, 1.6.2.1")
        return self._value >> self._left & (1 << count) - 1
