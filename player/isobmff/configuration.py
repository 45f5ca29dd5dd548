"""What a decoder has to know before the first sample: the configuration record in a sample entry, in the clear.

Also the init segment that a clear copy of one track begins with.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import Box, Walk, top_level
from player.isobmff.clear import clear_moov
from player.isobmff.edits import Edits, Moves
from player.isobmff.init import read_moov

_VISUAL, _AUDIO = 78, 28  # bytes before the child boxes of a sample entry (14496-12, 12.1.3 and 12.2.3)
_RECORDS: Final[Mapping[bytes, tuple[int, bytes]]] = {
    b"avc1": (_VISUAL, b"avcC"),
    b"avc3": (_VISUAL, b"avcC"),
    b"hvc1": (_VISUAL, b"hvcC"),
    b"hev1": (_VISUAL, b"hvcC"),
    b"mp4a": (_AUDIO, b"esds"),
}
_FTYP: Final = pack(">I4s4sI4s4s4s", 28, b"ftyp", b"iso6", 0, b"iso6", b"isom", b"mp41")


class ClearInit(NamedTuple):
    """The init segment of one track without protection. `entries`: the new index of each sample entry, in order."""

    moov: bytes
    entries: tuple[int, ...]

    @property
    def segment(self) -> bytes:
        return _FTYP + self.moov


class Configuration(NamedTuple):
    """A sample entry's type, and the payload of its `avcC`, `hvcC` or `esds`; b"" for others."""

    fourcc: bytes
    record: bytes


def clear_init(moov: bytes, track_id: int) -> ClearInit:
    """`moov`: the whole box, as it came. Raises: MediaError."""
    entries = clear_moov(moov, _only(moov), Moves())
    box = _only(entries.box)
    numbers = None if entries.entries is None else entries.entries.get(track_id)
    tracks = {track.id: track for track in read_moov(entries.box, box).tracks}
    if track_id not in tracks:
        raise box.fault("bad-reference", f"no track {track_id}")
    return ClearInit(
        _one_track(entries.box, box, list(tracks).index(track_id), track_id),
        numbers or tuple(range(1, len(tracks[track_id].entries) + 1)),
    )


def configuration(init: ClearInit, entry: int) -> Configuration:
    """`entry`: a sample description index of the input, from 1. Raises: MediaError."""
    walk = Walk(init.moov)
    box = next(child for child in walk.enter(_only(init.moov)) if child.type == b"trak")
    for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
        box = next(child for child in walk.children(box) if child.type == kind)
    entries = walk.children(box, 8)
    if not 1 <= entry <= len(init.entries):
        raise box.fault("bad-reference", f"sample description {entry}, {len(init.entries)} there", "14496-12, 8.8.7")
    found = entries[init.entries[entry - 1] - 1]
    fields, kind = _RECORDS.get(found.type, (0, b""))
    records = (child for child in walk.children(found, fields) if child.type == kind) if kind else iter(())
    record = next(records, None)
    return Configuration(found.type, b"" if record is None else walk.data[record.body : record.end])


def _one_track(data: bytes, moov: Box, number: int, track_id: int) -> bytes:
    walk, edits = Walk(data), Edits(data, moov)
    for box in walk.enter(moov):
        if box.type == b"trak" and box.number != number:
            edits.drop(box)
        elif box.type == b"mvex":
            for trex in walk.children(box):
                if trex.type == b"trex" and int.from_bytes(data[trex.body + 4 : trex.body + 8], "big") != track_id:
                    edits.drop(trex)
    return edits.built()


def _only(data: bytes) -> Box:
    box = next(top_level(data), None)
    if box is None:
        raise MediaError("no-init", "/", 0, "no moov")
    return box
