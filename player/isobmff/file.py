"""Whole files, fragmented or not: an unfragmented one is read from its sample tables, a chunk as if it were a fragment.

Everything lies at absolute offsets there, also auxiliary information (ISO/IEC 14496-12, 8.7.9), and there may be one
offset of it a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.aux_boxes import Sizes
from player.isobmff.auxiliary import Wanted, auxiliary_of
from player.isobmff.boxes import Box, Walk, top_level
from player.isobmff.groups import protections, read_sbgp
from player.isobmff.init import read_moov, sample_table
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment, MediaSegment, SampleEntry, Track
from player.isobmff.sample import Protection
from player.isobmff.sample_tables import Chunk, read_chunks, read_durations, read_sizes
from player.isobmff.samples import Auxiliary, Decoded, Samples, in_a_row, joined, nothing, without_ranges_of_clear
from player.isobmff.segment import parse_media
from player.isobmff.traf import single_boxes

_CLAUSE: Final = "14496-12, 8.7"


class _Table(NamedTuple):
    """The samples of one track, all of it in columns."""

    track: Track
    chunks: Sequence[Chunk]
    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    applied: Sequence[Protection | None]
    auxiliary: Decoded


def parse_file(data: bytes) -> MediaSegment:
    """The fragments of a file with a `moov` of its own; of an unfragmented one a fragment a chunk, as they lie.

    Raises: BrokenSegmentError, a MediaError. Of an unfragmented file nothing is delivered before a fault.
    """
    nothing = MediaSegment(fragments=())
    try:
        boxes = list(top_level(data))
        moov = next((box for box in boxes if box.type == b"moov"), None)
        if moov is None or any(box.type == b"moof" for box in boxes):
            return parse_media(data)
        walk = Walk(data)
        init = read_moov(data, moov)
        found = read_stored(walk, moov, init, [box for box in boxes if box.type == b"mdat"])
    except BrokenSegmentError:
        raise
    except MediaError as fault:
        raise BrokenSegmentError(fault, nothing) from None
    return MediaSegment(fragments=tuple(found), warnings=(*init.warnings, *walk.warnings))


def read_stored(walk: Walk, moov: Box, init: InitSegment, mdats: Sequence[Box]) -> Sequence[Fragment]:
    """The samples that the moov itself lists: a fragment a chunk, as they lie in these mdats.

    Raises: MediaError.
    """
    tables = list(_read_tables(walk, moov, init, mdats))
    return sorted(chain.from_iterable(map(_fragments, tables)), key=attrgetter("data"))


def _read_tables(walk: Walk, moov: Box, init: InitSegment, mdats: Sequence[Box]) -> Iterator[_Table]:
    traks = [box for box in walk.enter(moov) if box.type == b"trak"]
    taken: list[tuple[int, int, Box]] = []
    for trak, track in zip(traks, init.tracks, strict=True):
        stbl, boxes = sample_table(walk, trak)
        table = _read_track(walk, stbl, boxes, track)
        ends = list(accumulate(table.sizes, initial=0))
        taken += [
            (chunk.start, chunk.start + ends[chunk.first + chunk.samples] - ends[chunk.first], stbl)
            for chunk in table.chunks
        ]
        yield table
    _check_places(taken, mdats)


def _check_places(taken: Sequence[tuple[int, int, Box]], mdats: Sequence[Box]) -> None:
    """Raises: MediaError `bad-reference` unless each chunk lies whole in one mdat, and no two share a byte."""
    last_end = 0
    remaining = iter(sorted(mdats, key=attrgetter("start")))
    mdat = next(remaining, None)
    for start, end, stbl in sorted(taken, key=lambda each: each[:2]):
        while mdat is not None and mdat.end < start:
            mdat = next(remaining, None)
        if mdat is None or not mdat.body <= start <= end <= mdat.end:
            raise stbl.fault("bad-reference", f"samples from {start} to {end} lie in no mdat", _CLAUSE)
        if start < last_end:
            raise stbl.fault("bad-reference", f"samples from {start} overlap others", _CLAUSE)
        last_end = end


def _read_track(walk: Walk, stbl: Box, boxes: Sequence[Box], track: Track) -> _Table:
    one_of = {box.type: box for box in reversed(boxes)}
    sizes_box = _needed(stbl, one_of, b"stsz", b"stz2")
    sizes = read_sizes(walk.data, sizes_box)
    durations = read_durations(walk.data, _needed(stbl, one_of, b"stts"), len(sizes))
    chunks = read_chunks(walk.data, _needed(stbl, one_of, b"stsc"), _needed(stbl, one_of, b"stco", b"co64"), len(sizes))
    if sum(sizes) > len(walk.data):
        raise sizes_box.fault("bad-reference", f"{sum(sizes)} bytes of samples", _CLAUSE)
    entries = _entries(stbl, track, chunks)
    scheme = next((entry.scheme for entry in entries if entry.scheme is not None), None)
    ours = single_boxes(walk, boxes, scheme)
    applied = _applied(walk, stbl, ours.get(b"sbgp"), track, entries)
    auxiliary = _auxiliary(walk, stbl, ours, chunks, applied, sizes)
    return _Table(track, chunks, sizes, durations, applied, auxiliary)


def _needed(stbl: Box, boxes: Mapping[bytes, Box], *kinds: bytes) -> Box:
    for kind in kinds:
        if kind in boxes:
            return boxes[kind]
    raise stbl.fault("bad-box", f"no {kinds[0].decode('ascii')}", "14496-12, 8.5.1")


def _entries(stbl: Box, track: Track, chunks: Sequence[Chunk]) -> Sequence[SampleEntry]:
    """Of each sample: that of its chunk."""
    found: list[SampleEntry] = []
    for chunk in chunks:
        if not 1 <= chunk.entry <= len(track.entries):
            reason = f"sample description {chunk.entry}, {len(track.entries)} there"
            raise stbl.fault("bad-reference", reason, "14496-12, 8.7.4")
        found += [track.entries[chunk.entry - 1]] * chunk.samples
    return found


def _applied(
    walk: Walk, stbl: Box, sbgp: Box | None, track: Track, entries: Sequence[SampleEntry]
) -> Sequence[Protection | None]:
    """What protects each sample: its group before its entry, which is clear for good where it has no scheme."""
    applied = [entry.protection for entry in entries]
    if sbgp is not None and any(entry.scheme is not None for entry in track.entries):
        position = 0
        for size, index in read_sbgp(walk, sbgp, len(entries)):
            if index:
                ((_, group),) = protections(sbgp, [(size, index)], None, track.groups, (), size)
                applied[position : position + size] = [
                    None if entry.scheme is None else group for entry in entries[position : position + size]
                ]
            position += size
    if any(each is not None and each.kid.is_zero for each in applied):
        raise stbl.fault("bad-protection", "a protected sample has the zero KID and no group", "23001-7, 8.2")
    return applied


def _auxiliary(
    walk: Walk,
    stbl: Box,
    boxes: Mapping[bytes, Box],
    chunks: Sequence[Chunk],
    applied: Sequence[Protection | None],
    sizes: tuple[int, ...],
) -> Decoded:
    """At absolute offsets, of which there may be one a chunk (14496-12, 8.7.9)."""
    if all(each is None for each in applied):
        return nothing(len(sizes)).decoded
    wanted = Wanted(sizes, Sizes.of([0 if each is None else each.iv_size for each in applied]))
    return auxiliary_of(walk, stbl, boxes, 0, [chunk.samples for chunk in chunks], wanted).decoded


def _fragments(table: _Table) -> Iterator[Fragment]:
    times = list(accumulate(table.durations, initial=0))
    for chunk in table.chunks:
        samples = _samples(table, chunk)
        kids = [protection.kid for _, protection in samples.protections if protection is not None]
        yield Fragment(
            track_id=table.track.id,
            timescale=table.track.timescale,
            decode_time=times[chunk.first],
            data=(chunk.start, chunk.start + sum(samples.sizes)),
            samples=samples,
            kids=tuple(dict.fromkeys(kids)),
        )


def _samples(table: _Table, chunk: Chunk) -> Samples:
    own = slice(chunk.first, chunk.first + chunk.samples)
    applied = [(1, protection) for protection in table.applied[own]]
    ivs, ranges = table.auxiliary
    auxiliary = Auxiliary.of(ivs[own], ranges[own])
    return Samples(
        sizes=table.sizes[own],
        durations=table.durations[own],
        protections=joined(applied),
        places=in_a_row([(chunk.samples, 0, 0)]),
        auxiliary=auxiliary
        if all(each is not None for _, each in applied)
        else without_ranges_of_clear(auxiliary, applied),
    )
