"""Encrypted boxes turned into clear, playable ones: what is said of protection goes, what points at data follows.

A sample entry is given back its own type (ISO/IEC 14496-12, 8.12.1); entries that are the same then become one. Samples
are not looked at: whoever calls this decrypts them. A presentation without a protected entry is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

from player.isobmff.aux_boxes import info_type
from player.isobmff.boxes import Box, Walk, full_header, require, require_table
from player.isobmff.edits import Edits, Moves
from player.isobmff.file import read_stored
from player.isobmff.fragment_boxes import read_tfhd
from player.isobmff.groups import is_seig
from player.isobmff.init import read_moov, sample_table
from player.isobmff.model import Fragment
from player.isobmff.sample import Scheme
from player.isobmff.sample_entries import PROTECTED, sinfs_in
from player.isobmff.traf import base_of

_U32: Final = Struct(">I")
_I32: Final = Struct(">i")
_U64: Final = Struct(">Q")
_HAS_DATA_OFFSET: Final = 1  # flag of trun
_INFO_TYPES: Final = (None, *(scheme.encode() for scheme in Scheme))
_CHUNK_OFFSETS: Final[Mapping[bytes, Struct]] = {b"stco": _U32, b"co64": _U64}
_PIFF_BOXES: Final = (  # twins of senc and pssh from before Common Encryption, which its writers may leave beside them
    bytes.fromhex("a2394f525a9b4f14a2446c427c648df4"),
    bytes.fromhex("d08a4f1810f34a82b6c832d8aba183d3"),
)
_STSD_FIELDS: Final = 8  # bytes before the entries
_STSC_ENTRY: Final = Struct(">III")  # first chunk, samples a chunk, sample description index

Entries = Mapping[int, tuple[int, ...]]
"""By track: the new sample description index of each old one, in order."""


class ClearMoov(NamedTuple):
    """`entries` None: nothing was protected, and nothing was changed."""

    box: bytes
    entries: Entries | None


def clear_moov(data: bytes, moov: Box, moves: Moves) -> ClearMoov:
    """Adds the moov to `moves`: chunk offsets are right once all that shrinks has been added.

    Raises: MediaError as `read_moov`.
    """
    init = read_moov(data, moov)
    walk = Walk(data)
    children = walk.enter(moov)
    tables = [sample_table(walk, trak) for trak in children if trak.type == b"trak"]
    edits = Edits(data, moov)
    if not any(entry.type in PROTECTED for stbl, _ in tables for entry in _sample_entries(walk, stbl)):
        return ClearMoov(data[moov.start : moov.end], None)
    _drop_protection(walk, children, edits)
    entries = {
        track.id: _clear_tables(walk, stbl, boxes, edits)
        for track, (stbl, boxes) in zip(init.tracks, tables, strict=True)
    }
    for mvex in children:
        if mvex.type == b"mvex":
            _renumber_trex(walk, mvex, entries, edits)
    moves.add(moov, edits.shrink)
    for _, boxes in tables:
        _move_chunks(walk, boxes, moves, edits)
    return ClearMoov(edits.built(), entries)


def stored_fragments(data: bytes, moov: Box, mdats: Sequence[Box]) -> Sequence[Fragment]:
    """What the moov lists itself; () for a fragmented file, or where nothing is protected. Raises: MediaError."""
    init = read_moov(data, moov)
    if all(entry.scheme is None for track in init.tracks for entry in track.entries):
        return ()
    walk = Walk(data)
    traks = [box for box in walk.enter(moov) if box.type == b"trak"]
    sizes = [box for trak in traks for box in sample_table(walk, trak)[1] if box.type in (b"stsz", b"stz2")]
    if not any(data[box.body + 8 : box.body + 12].strip(b"\0") for box in sizes):  # the number of samples, in both
        return ()
    return read_stored(walk, moov, init, mdats)


def clear_moof(data: bytes, moof: Box, entries: Entries, fragments: Sequence[Fragment], moves: Moves) -> bytes:
    """Adds the moof to `moves`. `fragments`: what was read of its trafs, in order.

    Raises: MediaError for a broken box that `parse_media` would not have let through either.
    """
    walk = Walk(data)
    children = walk.enter(moof)
    trafs = [(box, walk.children(box)) for box in children if box.type == b"traf"]
    edits = Edits(data, moof)
    _drop_protection(walk, children, edits)
    for _, boxes in trafs:
        _drop_protection(walk, boxes, edits)
    moves.add(moof, edits.shrink)
    data_end: int | None = None
    for (_, boxes), fragment in zip(trafs, fragments, strict=True):
        _move_data(walk, boxes, data_end, moof, entries, moves, edits)
        data_end = fragment.data[1]
    return edits.built()


def _drop_protection(walk: Walk, boxes: Sequence[Box], edits: Edits) -> None:
    """`pssh` and `senc`, and of boxes that also serve others those that are about protection."""
    for box in boxes:
        is_about_it = _ABOUT_PROTECTION.get(box.type)
        if is_about_it is not None and is_about_it(walk, box):
            edits.drop(box)


def _is_of_scheme(walk: Walk, box: Box) -> bool:
    return info_type(walk.data, box) in _INFO_TYPES


def _is_of_piff(walk: Walk, box: Box) -> bool:
    return walk.data[box.body : box.body + 16] in _PIFF_BOXES


def _always(_walk: Walk, _box: Box) -> bool:
    return True


_ABOUT_PROTECTION: Final[Mapping[bytes, Callable[[Walk, Box], bool]]] = {
    **dict.fromkeys((b"pssh", b"senc"), _always),
    **dict.fromkeys((b"saiz", b"saio"), _is_of_scheme),
    **dict.fromkeys((b"sbgp", b"sgpd"), is_seig),
    b"uuid": _is_of_piff,
}


# ── moov ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _descend(walk: Walk, box: Box, *kinds: bytes) -> Box:
    """Along boxes that `read_moov` has found."""
    for kind in kinds:
        box = next(child for child in walk.children(box) if child.type == kind)
    return box


def _sample_entries(walk: Walk, stbl: Box) -> Sequence[Box]:
    return walk.children(_descend(walk, stbl, b"stsd"), _STSD_FIELDS)


def _clear_tables(walk: Walk, stbl: Box, boxes: Sequence[Box], edits: Edits) -> tuple[int, ...]:
    """The new index of each sample entry."""
    _drop_protection(walk, boxes, edits)
    numbers = _clear_entries(walk, stbl, edits)
    for box in boxes:
        if box.type == b"stsc" and numbers != _unchanged(numbers):
            _renumber_stsc(walk, box, numbers, edits)
    return numbers


def _clear_entries(walk: Walk, stbl: Box, edits: Edits) -> tuple[int, ...]:
    stsd = _descend(walk, stbl, b"stsd")
    numbers: list[int] = []
    met: dict[bytes, int] = {}
    for entry in walk.children(stsd, _STSD_FIELDS):
        changes = Edits(walk.data, entry)
        if entry.type in PROTECTED:
            _clear_entry(walk, entry, changes)
        new = len(met) + 1
        numbers.append(met.setdefault(changes.built(), new))
        if numbers[-1] != new:
            edits.drop(entry)  # one like it came before
        elif entry.type in PROTECTED:
            _clear_entry(walk, entry, edits)
    edits.write(stsd.body + 4, _U32.pack(len(met)))
    return tuple(numbers)


def _clear_entry(walk: Walk, entry: Box, edits: Edits) -> None:
    sinfs = sinfs_in(walk, entry)
    frma = _descend(walk, sinfs[0], b"frma")
    edits.write(entry.start + 4, walk.data[frma.body : frma.body + 4])
    for sinf in sinfs:
        edits.drop(sinf)


def _renumber_stsc(walk: Walk, stsc: Box, numbers: tuple[int, ...], edits: Edits) -> None:
    require(stsc, 8)
    (count,) = _U32.unpack_from(walk.data, stsc.body + 4)
    require_table(stsc, stsc.body + 8, count, _STSC_ENTRY.size)
    for at in range(stsc.body + 16, stsc.body + 16 + count * _STSC_ENTRY.size, _STSC_ENTRY.size):
        _renumber(walk, at, numbers, edits)


def _renumber_trex(walk: Walk, mvex: Box, entries: Entries, edits: Edits) -> None:
    for trex in walk.children(mvex):
        if trex.type == b"trex":
            (track,) = _U32.unpack_from(walk.data, trex.body + 4)
            if track in entries:
                _renumber(walk, trex.body + 8, entries[track], edits)


def _renumber(walk: Walk, at: int, numbers: tuple[int, ...], edits: Edits) -> None:
    """A sample description index in place. One that names nothing stays: the parser refuses it where it is used."""
    (number,) = _U32.unpack_from(walk.data, at)
    if 1 <= number <= len(numbers) and numbers[number - 1] != number:
        edits.write(at, _U32.pack(numbers[number - 1]))


def _unchanged(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(1, len(numbers) + 1))


def _move_chunks(walk: Walk, boxes: Sequence[Box], moves: Moves, edits: Edits) -> None:
    for box in boxes:
        layout = _CHUNK_OFFSETS.get(box.type)
        if layout is None:
            continue
        require(box, 8)
        (count,) = _U32.unpack_from(walk.data, box.body + 4)
        require_table(box, box.body + 8, count, layout.size)
        offsets = layout.iter_unpack(walk.data[box.body + 8 : box.body + 8 + count * layout.size])
        edits.write(box.body + 8, b"".join(layout.pack(moves(offset)) for (offset,) in offsets))


# ── moof ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _move_data(
    walk: Walk, boxes: Sequence[Box], data_end: int | None, moof: Box, entries: Entries, moves: Moves, edits: Edits
) -> None:
    """`data_end`: where the data of the traf before ended; None for the first (14496-12, 8.8.7.1)."""
    tfhd_box = next(box for box in boxes if box.type == b"tfhd")
    tfhd = read_tfhd(walk.data, tfhd_box)
    at = tfhd_box.body + 8
    base = base_of(tfhd, moof, data_end)
    if tfhd.base_data_offset is not None:
        edits.write(at, _U64.pack(moves(base)))
        at += _U64.size
    if tfhd.description_index is not None:
        _renumber(walk, at, entries[tfhd.track_id], edits)
    for box in boxes:
        if box.type == b"trun" and full_header(walk.data, box)[1] & _HAS_DATA_OFFSET:
            (offset,) = _I32.unpack_from(walk.data, box.body + 8)
            edits.write(box.body + 8, _I32.pack(moves(base + offset) - moves(base)))
