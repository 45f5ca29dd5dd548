"""Init segments: a `moov` with its tracks, what protects them, and the init data (ISO/IEC 14496-12, 8.2 to 8.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

from player.isobmff.boxes import Box, Walk, full_header, no_moov, require, require_table, top_level
from player.isobmff.groups import Groups, is_seig, read_sgpd
from player.isobmff.model import InitSegment, SampleEntry, Track
from player.isobmff.pssh_runs import init_data_of
from player.isobmff.sample_entries import sinfs_in
from player.isobmff.tenc import read_sinf

_U32: Final = Struct(">I")
_TREX: Final = Struct(">5I")  # track, description index, duration, size, flags
_KINDS: Final[Mapping[bytes, str]] = {b"vide": "video", b"soun": "audio"}
_SMALLEST_ENTRY: Final = 16


class _Defaults(NamedTuple):
    """`trex` of a track."""

    entry: int = 1
    duration: int = 0
    size: int = 0
    flags: int = 0


def parse_init(data: bytes) -> InitSegment:
    """The first `moov` of an init segment or of a whole file; what follows it is not looked at.

    Raises: MediaError; `no-init` where there is no moov.
    """
    for box in top_level(data):
        if box.type == b"moov":
            return read_moov(data, box)
    raise no_moov(data)


def read_moov(data: bytes, moov: Box) -> InitSegment:
    walk = Walk(data)
    children = walk.enter(moov)
    defaults: dict[int, _Defaults] = {}
    for mvex in children:
        if mvex.type == b"mvex":
            defaults |= dict(_read_trex(walk.data, box) for box in walk.children(mvex) if box.type == b"trex")
    return InitSegment(
        tracks=tuple(_read_trak(walk, box, defaults) for box in children if box.type == b"trak"),
        init_data=init_data_of(walk, children),
        warnings=tuple(walk.warnings),
        moov=data[moov.start : moov.end],
    )


def _read_trex(data: bytes, box: Box) -> tuple[int, _Defaults]:
    full_header(data, box, 4 + _TREX.size)
    track_id, *values = _TREX.unpack_from(data, box.body + 4)
    return track_id, _Defaults(*values)


def _read_trak(walk: Walk, trak: Box, defaults: Mapping[int, _Defaults]) -> Track:
    parts = _only(walk.children(trak))
    mdia = _only(walk.children(_child(trak, parts, b"mdia")))
    stbl = _path(walk, trak, mdia, b"minf", b"stbl")
    tables = walk.children(stbl)
    entries = _read_stsd(walk, _child(stbl, _only(tables), b"stsd"))
    track_id = _read_track_id(walk.data, _child(trak, parts, b"tkhd"))
    default = defaults.get(track_id, _Defaults())
    return Track(
        id=track_id,
        kind=_read_kind(walk.data, _child(trak, mdia, b"hdlr")),
        timescale=_read_timescale(walk.data, _child(trak, mdia, b"mdhd")),
        entries=entries,
        groups=_read_groups(walk, tables, entries),
        default_entry=default.entry,
        default_duration=default.duration,
        default_size=default.size,
        default_flags=default.flags,
    )


def sample_table(walk: Walk, trak: Box) -> tuple[Box, Sequence[Box]]:
    """The `stbl` of a `trak`, and its children with those of the `trak` that belong to them (`senc`)."""
    parts = walk.children(trak)
    stbl = _path(walk, trak, _only(parts), b"mdia", b"minf", b"stbl")
    return stbl, [*walk.children(stbl), *(box for box in parts if box.type == b"senc")]


def _read_track_id(data: bytes, tkhd: Box) -> int:
    version, _ = full_header(data, tkhd)
    at = 20 if version else 12  # behind version, flags and two times
    require(tkhd, at + 4)
    return int.from_bytes(data[tkhd.body + at : tkhd.body + at + 4], "big")


def _read_timescale(data: bytes, mdhd: Box) -> int:
    version, _ = full_header(data, mdhd)
    at = 20 if version else 12
    require(mdhd, at + 4)
    timescale = int.from_bytes(data[mdhd.body + at : mdhd.body + at + 4], "big")
    if not timescale:
        raise mdhd.fault("bad-table", "a timescale of 0", "14496-12, 8.4.2")
    return timescale


def _read_kind(data: bytes, hdlr: Box) -> str:
    full_header(data, hdlr, 12)
    return _KINDS.get(data[hdlr.body + 8 : hdlr.body + 12], "other")


def _read_stsd(walk: Walk, stsd: Box) -> tuple[SampleEntry, ...]:
    """Several entries are normal: a clear lead has one of each (23001-7, 4.3)."""
    full_header(walk.data, stsd, 8)
    (count,) = _U32.unpack_from(walk.data, stsd.body + 4)
    require_table(stsd, stsd.body + 8, count, _SMALLEST_ENTRY)
    entries = tuple(_read_entry(walk, box) for box in walk.children(stsd, 8))
    if len(entries) != count:
        raise stsd.fault("bad-table", f"{count} entries promised, {len(entries)} present", "14496-12, 8.5.2")
    return entries


def _read_entry(walk: Walk, entry: Box) -> SampleEntry:
    sinfs = sinfs_in(walk, entry)
    if not sinfs:
        return SampleEntry(fourcc=entry.type.decode("ascii", "replace"), protection=None)
    return read_sinf(walk, sinfs[0])


def _read_groups(walk: Walk, tables: Sequence[Box], entries: Sequence[SampleEntry]) -> Groups:
    """The `seig` groups of a track, under the scheme of its first entry that has one."""
    scheme = next((entry.scheme for entry in entries if entry.scheme is not None), None)
    if scheme is None:
        return ()
    sgpd = next((box for box in tables if box.type == b"sgpd" and is_seig(walk, box)), None)
    return () if sgpd is None else read_sgpd(walk, sgpd, scheme)


def _only(boxes: Sequence[Box]) -> dict[bytes, Box]:
    """By type; of several the first counts."""
    return {box.type: box for box in reversed(boxes)}


def _child(parent: Box, boxes: Mapping[bytes, Box], kind: bytes) -> Box:
    if kind not in boxes:
        raise parent.fault("bad-box", f"no {kind.decode('ascii')}", "14496-12, 6.2.3")
    return boxes[kind]


def _path(walk: Walk, parent: Box, boxes: Mapping[bytes, Box], *kinds: bytes) -> Box:
    box = parent
    for kind in kinds:
        box = _child(parent, boxes, kind)
        boxes = _only(walk.children(box))
    return box
