"""What a clear sample entry says of its codec: RFC 6381 string, configuration record, picture size, sound.

Nothing of a sample is read, and of a configuration record only what the codec string needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import unpack_from
from typing import Final

from player.backend.packager.sound import Sound, read_sound
from player.isobmff.boxes import Box, Walk, require

VISUAL_FIELDS: Final = 78  # bytes of a visual sample entry before its child boxes (14496-12, 12.1.3)
AUDIO_FIELDS: Final = 28  # of an audio one (12.2.3)
_DECODER_CONFIG: Final = 0x04  # descriptor tags (14496-1, 7.2.2.1)
_DECODER_SPECIFIC: Final = 0x05
_ES: Final = 0x03
_FIXED_FIELDS: Final = {_ES: 3, _DECODER_CONFIG: 13}  # bytes before the descriptors inside
_MPEG4_AUDIO: Final = 0x40
_ESCAPE: Final = 31  # an audio object type of 32 and more follows in six bits (14496-3, 1.6.2.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """What does not apply to its kind is 0."""

    fourcc: str
    codecs: str  # RFC 6381
    config: bytes  # the body of its configuration box
    width: int = 0
    height: int = 0
    sound: Sound


def read_codec(walk: Walk, entry: Box) -> Codec:
    """Raises: MediaError `unsupported` for a codec without a row below, `bad-box` for a broken entry."""
    form = _FORMS.get(entry.type)
    if form is None:
        raise entry.fault("unsupported", f"no codec we package: {entry.name}")
    config_type, write, fields = form
    require(entry, fields)
    children = {box.type: box for box in reversed(walk.children(entry, fields))}
    if config_type not in children:
        raise entry.fault("bad-box", f"no {config_type.decode('ascii')}")
    box = children[config_type]
    config = walk.data[box.body : box.end]
    try:
        codecs = write(entry.type.decode("ascii"), config)
        own_fields = walk.data[entry.body : entry.body + fields]
        sound = read_sound(entry.type, own_fields, config) if fields == AUDIO_FIELDS else Sound()
    except IndexError:
        raise box.fault("bad-box", f"{len(config)} bytes are too few, or say what cannot be") from None
    width, height = unpack_from(">HH", own_fields, 24) if fields == VISUAL_FIELDS else (0, 0)
    fourcc = entry.type.decode("ascii")
    return Codec(fourcc=fourcc, codecs=codecs, config=config, width=width, height=height, sound=sound)


def _avc(fourcc: str, config: bytes) -> str:
    """Profile, constraint flags and level (14496-15, annex E.3)."""
    return f"{fourcc}.{config[1]:02x}{config[2]:02x}{config[3]:02x}"


def _hevc(fourcc: str, config: bytes) -> str:
    """14496-15, annex E.3: profile, compatibility flags in reverse bit order, tier and level, constraints."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    compatibility = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if config[1] & 0x20 else "L"
    constraints = config[6:12].rstrip(b"\0")
    parts = [fourcc, f"{space}{config[1] & 0x1F}", f"{compatibility:X}", f"{tier}{config[12]}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints)])


def _vp9(fourcc: str, config: bytes) -> str:
    """VP Codec ISO Media File Format Binding: profile, level, bit depth; version and flags come first."""
    return f"{fourcc}.{config[4]:02d}.{config[5]:02d}.{config[6] >> 4:02d}"


def _av1(fourcc: str, config: bytes) -> str:
    """AV1 Codec ISO Media File Format Binding, 5: profile, level and tier, bit depth."""
    high, twelve = config[2] & 0x40, config[2] & 0x20
    depth = (12 if twelve else 10) if high else 8
    return f"{fourcc}.{config[1] >> 5}.{config[1] & 0x1F:02d}{'H' if config[2] & 0x80 else 'M'}.{depth:02d}"


def _aac(fourcc: str, config: bytes) -> str:
    """14496-1, 7.2.6: object type of the decoder configuration, then that of the audio itself."""
    found = _descriptors(config[4:])
    object_type = found[_DECODER_CONFIG][0]
    if object_type != _MPEG4_AUDIO:
        return f"{fourcc}.{object_type:02x}"
    specific = found[_DECODER_SPECIFIC]
    audio = specific[0] >> 3
    if audio == _ESCAPE:
        audio = 32 + ((specific[0] & 7) << 3 | specific[1] >> 5)
    return f"{fourcc}.40.{audio}"


def _descriptors(data: bytes) -> Mapping[int, bytes]:
    """Those of an `esds` by tag, the outer ones opened. Raises: IndexError where one is missing or cut."""
    found: dict[int, bytes] = {}
    position = 0
    while position < len(data) and _DECODER_SPECIFIC not in found:
        tag, size = data[position], 0
        position += 1
        while (byte := data[position]) & 0x80:
            size, position = (size << 7 | byte & 0x7F), position + 1
        size, position = size << 7 | byte, position + 1
        found[tag] = data[position : position + size]
        position += _FIXED_FIELDS.get(tag, size)
    if _DECODER_CONFIG not in found or not found.get(_DECODER_SPECIFIC, b"-"):
        raise IndexError
    return found


def _plain(name: str) -> Callable[[str, bytes], str]:
    return lambda _fourcc, _config: name


_FORMS: Final[Mapping[bytes, tuple[bytes, Callable[[str, bytes], str], int]]] = {
    b"avc1": (b"avcC", _avc, VISUAL_FIELDS),
    b"avc3": (b"avcC", _avc, VISUAL_FIELDS),
    b"hvc1": (b"hvcC", _hevc, VISUAL_FIELDS),
    b"hev1": (b"hvcC", _hevc, VISUAL_FIELDS),
    b"vp09": (b"vpcC", _vp9, VISUAL_FIELDS),
    b"av01": (b"av1C", _av1, VISUAL_FIELDS),
    b"mp4a": (b"esds", _aac, AUDIO_FIELDS),
    b"Opus": (b"dOps", _plain("opus"), AUDIO_FIELDS),
    b"ac-3": (b"dac3", _plain("ac-3"), AUDIO_FIELDS),
    b"ec-3": (b"dec3", _plain("ec-3"), AUDIO_FIELDS),
    b"fLaC": (b"dfLa", _plain("flac"), AUDIO_FIELDS),
}
