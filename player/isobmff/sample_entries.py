"""Where the boxes in a sample entry begin: behind fields that differ from format to format (ISO/IEC 14496-12, 12).

Of a protected entry only the `frma` in one of these boxes names the format. Pictures and sound have fields of one
length whatever the format; text, subtitles and metadata do not: there boxes begin where they fill the rest exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from player.errors import MediaError
from player.isobmff.boxes import Box, Walk, header_at

_HEAD: Final = 8  # bytes of fields that every sample entry has
_VISUAL: Final = 78  # 12.1.3
_AUDIO: Final = 28  # 12.2.3
_VOLUMETRIC: Final = 40  # 12.10: the name of a compressor
_TX3G: Final = 38  # 3GPP TS 26.245, 5.16
_QUICKTIME_SOUND: Final[Mapping[int, int]] = {1: 16, 2: 36}  # bytes more by version, where `stsd` has version 0
_MOST_STRINGS: Final = 3  # stpp and metx; sbtt, stxt and mett have two
_MOST_BOXES: Final = 100  # choice: more do not make an entry

PROTECTED: Final = frozenset(
    {b"encv", b"enca", b"enct", b"encs", b"encm", b"encu", b"encf", b"encp", b"enc3"}  # 8.12, 12
)
_SOUND: Final = frozenset({b"enca", b"mp4a", b"Opus", b"fLaC", b"ac-3", b"ec-3", b"ac-4"})
_FIXED: Final[Mapping[bytes, int]] = {
    **dict.fromkeys((b"encv", b"avc1", b"avc3", b"hvc1", b"hev1", b"vp08", b"vp09", b"av01"), _VISUAL),
    **dict.fromkeys((b"dvh1", b"dvhe", b"dav1"), _VISUAL),
    b"enc3": _VOLUMETRIC,
    **dict.fromkeys((b"encf", b"encp", b"encs", b"mp4s", b"wvtt", b"urim"), _HEAD),
    b"tx3g": _TX3G,
}
_VARYING: Final = frozenset({b"enct", b"encu", b"encm", b"stpp", b"sbtt", b"stxt", b"metx", b"mett"})


def boxes_in(walk: Walk, entry: Box) -> Sequence[Box]:
    """The boxes in an entry of a known kind, () in another.

    Raises: MediaError `bad-box` where they do not fit it.
    """
    fields = fields_before_boxes(walk.data, entry)
    return () if fields is None else walk.children(entry, fields)


def sinfs_in(walk: Walk, entry: Box) -> Sequence[Box]:
    """The `sinf` of a protected entry; () for one that is not protected.

    Raises: MediaError `bad-protection` where a protected entry has none.
    """
    if entry.type not in PROTECTED:
        return ()
    found = [box for box in boxes_in(walk, entry) if box.type == b"sinf"]
    if not found:
        raise entry.fault("bad-protection", "no sinf", "14496-12, 8.12")
    return found


def fields_before_boxes(data: bytes, entry: Box) -> int | None:
    """Bytes of an entry's own; None where its kind is not known, or its fields have no end."""
    if entry.type in _SOUND:
        return _AUDIO + _QUICKTIME_SOUND.get(_sound_version(data, entry), 0)
    if entry.type in _VARYING:
        return next((fields for fields in _field_ends(data, entry) if _is_filled(data, entry, fields)), None)
    return _FIXED.get(entry.type)


def _sound_version(data: bytes, entry: Box) -> int:
    """That of QuickTime; 0 where `stsd` has a version, which ISO sound entries of version 1 ask for (12.2.3)."""
    stsd = entry.parent
    if stsd is None or data[stsd.body] or entry.end - entry.body < _AUDIO:
        return 0
    return int.from_bytes(data[entry.body + _HEAD : entry.body + _HEAD + 2], "big")


def _field_ends(data: bytes, entry: Box) -> Iterator[int]:
    """No fields, those of tx3g, or strings (12.3, 12.5, 12.6; 14496-30)."""
    yield _HEAD
    yield _TX3G
    position = entry.body + _HEAD
    for _ in range(_MOST_STRINGS):
        position = data.find(b"\0", position, entry.end) + 1
        if not position:
            return
        yield position - entry.body


def _is_filled(data: bytes, entry: Box, fields: int) -> bool:
    position = entry.body + fields
    for _ in range(_MOST_BOXES):
        if position >= entry.end:
            break
        try:
            _, _, position = header_at(data, position, entry.end, entry)
        except MediaError:
            return False
    return position == entry.end
