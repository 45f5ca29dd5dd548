"""Reads what is to be packaged: the tracks of an MP4, fragmented or not, and where each of their samples lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from player.backend.packager import timing
from player.backend.packager.codecs import Codec, read_codec
from player.backend.packager.timing import Timing
from player.errors import MediaError
from player.isobmff.boxes import Box, Walk, require, top_level
from player.isobmff.file import parse_file
from player.isobmff.init import parse_init, sample_table
from player.isobmff.model import Fragment, InitSegment, Track

_KINDS: Final = ("video", "audio")
_MOST_TICKS: Final = 2**32


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


def read_tracks(data: bytes) -> tuple[SourceTrack, ...]:
    """The video and audio tracks that have samples.

    Raises: MediaError; `unsupported` for what is protected already, or of a codec we do not package.
    """
    init = parse_init(data)
    walk = Walk(data)
    moovs = [box for box in top_level(data) if box.type == b"moov"]
    if len(moovs) > 1:
        raise moovs[1].fault("unsupported", "a second moov")
    traks = [box for box in walk.enter(moovs[0]) if box.type == b"trak"]
    samples = _samples(walk, moovs[0], init)
    tracks = [
        _track(walk, trak, track, samples[track.id])
        for trak, track in zip(traks, init.tracks, strict=True)
        if track.kind in _KINDS and samples.get(track.id)
    ]
    if not tracks:
        raise moovs[0].fault("unsupported", "no samples of video or audio")
    return tuple(tracks)


def _samples(walk: Walk, moov: Box, init: InitSegment) -> dict[int, tuple[SourceSample, ...]]:
    """By track, in decode order."""
    found: dict[int, list[Fragment]] = {}
    for fragment in parse_file(walk.data).fragments:
        found.setdefault(fragment.track_id, []).append(fragment)
    timings = _timings(walk, moov, init, found)
    samples = {
        track_id: tuple(_numbered(fragments, timings.get(track_id, ()))) for track_id, fragments in found.items()
    }
    for each in samples.values():
        _check_times(moov, each)
    return samples


def _timings(
    walk: Walk, moov: Box, init: InitSegment, found: Mapping[int, list[Fragment]]
) -> Mapping[int, Sequence[Timing]]:
    children = walk.enter(moov)
    if any(box.type == b"moof" for box in top_level(walk.data)):
        return timing.of_fragments(walk, children)
    traks = [box for box in children if box.type == b"trak"]
    for fragments in found.values():
        fragments.sort(key=attrgetter("decode_time"))  # chunks may lie in any order
    counts = {track_id: sum(len(each.samples) for each in fragments) for track_id, fragments in found.items()}
    return {
        track.id: timing.of_tables(walk, sample_table(walk, trak)[1], counts.get(track.id, 0))
        for trak, track in zip(traks, init.tracks, strict=True)
    }


def _numbered(fragments: Sequence[Fragment], timings: Sequence[Timing]) -> Iterator[SourceSample]:
    told = iter(timings)
    for fragment in fragments:
        time = fragment.decode_time
        for sample, (sync, offset) in zip(fragment.samples, told, strict=False):
            start = fragment.data[0] + sample.offset
            yield SourceSample(start, sample.size, time, sample.duration, sync, offset)
            time += sample.duration


def _check_times(moov: Box, samples: Sequence[SourceSample]) -> None:
    """Raises: MediaError where time goes back, or farther than a duration can say."""
    for before, after in pairwise(samples):
        if not 0 <= after.time - before.time < _MOST_TICKS:
            reason = f"after a sample at {before.time} ticks one at {after.time}"
            raise moov.fault("unsupported", reason, "14496-12, 8.8.12", at=after.start)


def _track(walk: Walk, trak: Box, track: Track, samples: tuple[SourceSample, ...]) -> SourceTrack:
    parts = {box.type: box for box in walk.children(trak)}
    mdia = {box.type: box for box in walk.children(parts[b"mdia"])}
    stsd = next(box for box in sample_table(walk, trak)[1] if box.type == b"stsd")
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


def starts_anew(data: bytes) -> bool:
    """Whether an input has a `moov` of its own; else it continues the one before. Raises: MediaError."""
    try:
        return any(box.type == b"moov" for box in top_level(data))
    except MediaError as fault:
        if fault.code == "truncated":
            return False
        raise
