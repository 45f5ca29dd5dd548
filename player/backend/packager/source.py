"""Reads what is to be packaged: the tracks of a fragmented MP4 with a sample entry, and where each sample lies.

Which samples are sync samples and how far composition is from decoding is read here, since a player never asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from player.backend.packager.codecs import Codec, read_codec
from player.errors import MediaError
from player.isobmff.boxes import Box, Walk, require, top_level
from player.isobmff.fragment_boxes import read_tfhd, read_trun
from player.isobmff.init import parse_init
from player.isobmff.model import InitSegment, Track
from player.isobmff.segment import parse_media

_NON_SYNC: Final = 0x00010000  # sample_is_non_sync_sample (14496-12, 8.8.3.1)
_TREX_BYTES: Final = 24
_KINDS: Final = ("video", "audio")


class SourceSample(NamedTuple):
    """`start` counts from the start of the input, times are ticks."""

    start: int
    size: int
    time: int
    duration: int
    sync: bool
    time_offset: int  # composition minus decode time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceTrack:
    kind: str  # "video" or "audio"
    timescale: int
    language: int  # as in `mdhd`
    edits: bytes  # the `edts` box, or nothing
    sample_entry: bytes
    codec: Codec
    data: bytes  # the whole input
    samples: tuple[SourceSample, ...]

    @property
    def end(self) -> int:
        """Ticks at which the last sample ends."""
        return self.samples[-1].time + self.samples[-1].duration

    def join(self, first: int, last: int) -> bytearray:
        """The payloads of samples first … last - 1."""
        return bytearray().join(self.data[each.start : each.start + each.size] for each in self.samples[first:last])


class _Timing(NamedTuple):
    sync: bool
    time_offset: int


def read_tracks(data: bytes) -> tuple[SourceTrack, ...]:
    """The video and audio tracks that have samples.

    Raises: MediaError; `unsupported` for what is protected already, not fragmented, or of a codec we do not package.
    """
    init = parse_init(data)
    walk = Walk(data)
    moov = next(box for box in top_level(data) if box.type == b"moov")
    children = walk.enter(moov)
    timings = _timings(walk, children)
    traks = [box for box in children if box.type == b"trak"]
    samples = _samples(data, init, timings)
    tracks = [
        _track(walk, trak, track, samples[track.id])
        for trak, track in zip(traks, init.tracks, strict=True)
        if track.kind in _KINDS and samples.get(track.id)
    ]
    if not tracks:
        raise moov.fault("unsupported", "no fragments of video or audio (ffmpeg makes them with -movflags +cmaf)")
    return tuple(tracks)


def _samples(
    data: bytes, init: InitSegment, timings: Mapping[int, Sequence[_Timing]]
) -> dict[int, tuple[SourceSample, ...]]:
    found: dict[int, list[SourceSample]] = {track.id: [] for track in init.tracks}
    for fragment in parse_media(data, init).fragments:
        samples = found[fragment.track_id]
        time = fragment.decode_time
        for sample in fragment.samples:
            timing = timings[fragment.track_id][len(samples)]
            start = fragment.data[0] + sample.offset
            samples.append(SourceSample(start, sample.size, time, sample.duration, *timing))
            time += sample.duration
    return {track_id: tuple(samples) for track_id, samples in found.items()}


def _timings(walk: Walk, moov_children: Sequence[Box]) -> dict[int, list[_Timing]]:
    """By track, in the order of the fragments; the boxes are known to be sound only once the segment was parsed."""
    defaults = dict(_trex_flags(walk, moov_children))
    found: dict[int, list[_Timing]] = {}
    for moof in top_level(walk.data):
        if moof.type == b"moof":
            for traf in walk.enter(moof):
                if traf.type == b"traf":
                    _read_traf(walk, traf, defaults, found)
    return found


def _read_traf(walk: Walk, traf: Box, defaults: Mapping[int, int], found: dict[int, list[_Timing]]) -> None:
    boxes = walk.children(traf)
    header = next((box for box in boxes if box.type == b"tfhd"), None)
    if header is None:
        raise traf.fault("bad-box", "no tfhd", "14496-12, 8.8.7")
    tfhd = read_tfhd(walk.data, header)
    default = defaults.get(tfhd.track_id, 0) if tfhd.sample_flags is None else tfhd.sample_flags
    for box in boxes:
        if box.type == b"trun":
            found.setdefault(tfhd.track_id, []).extend(_read_run(walk.data, box, default))


def _read_run(data: bytes, box: Box, default: int) -> Iterator[_Timing]:
    """Offsets are read as signed in version 0 too: writers put negative ones there (14496-12, 8.8.8)."""
    trun = read_trun(data, box)
    for i in range(trun.sample_count):
        flags = default if trun.sample_flags is None else trun.sample_flags[i]
        if i == 0 and trun.first_flags is not None:
            flags = trun.first_flags
        offset = 0 if trun.time_offsets is None else trun.time_offsets[i]
        yield _Timing(not flags & _NON_SYNC, offset - 2**32 if offset >= 2**31 else offset)


def _trex_flags(walk: Walk, moov_children: Sequence[Box]) -> Iterator[tuple[int, int]]:
    for mvex in moov_children:
        if mvex.type == b"mvex":
            for box in walk.children(mvex):
                if box.type == b"trex":
                    require(box, _TREX_BYTES)
                    yield _u32(walk.data, box, 4), _u32(walk.data, box, 20)


def _track(walk: Walk, trak: Box, track: Track, samples: tuple[SourceSample, ...]) -> SourceTrack:
    parts = {box.type: box for box in walk.children(trak)}
    mdia = {box.type: box for box in walk.children(parts[b"mdia"])}
    minf = {box.type: box for box in walk.children(mdia[b"minf"])}
    stsd = next(box for box in walk.children(minf[b"stbl"]) if box.type == b"stsd")
    entries = walk.children(stsd, 8)
    if any(entry.protection is not None for entry in track.entries):
        raise stsd.fault("unsupported", "it is protected already")
    if len(entries) != 1:
        raise stsd.fault("unsupported", f"{len(entries)} sample entries; one is packaged")
    edts = parts.get(b"edts")
    return SourceTrack(
        kind=track.kind,
        timescale=track.timescale,
        language=_language(walk.data, mdia[b"mdhd"]),
        edits=b"" if edts is None else walk.data[edts.start : edts.end],
        sample_entry=walk.data[entries[0].start : entries[0].end],
        codec=read_codec(walk, entries[0]),
        data=walk.data,
        samples=samples,
    )


def _language(data: bytes, mdhd: Box) -> int:
    at = 32 if data[mdhd.body] else 20  # behind times, timescale and duration
    require(mdhd, at + 2)
    return int.from_bytes(data[mdhd.body + at : mdhd.body + at + 2], "big")


def _u32(data: bytes, box: Box, at: int) -> int:
    return int.from_bytes(data[box.body + at : box.body + at + 4], "big")


def starts_anew(data: bytes) -> bool:
    """Whether an input has a `moov` of its own; else it continues the one before. Raises: MediaError."""
    try:
        return any(box.type == b"moov" for box in top_level(data))
    except MediaError as fault:
        if fault.code == "truncated":
            return False
        raise
