"""Reads the embedded clip from its package files: `NAME.toml` says what lies in `NAME.samples`.

Clear at rest: nothing here knows of keys, segments or boxes; `packager` makes those. A clip is made by tools/make_clip.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any

from player.errors import BackendError

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """2 s of a track: the smallest piece that a segment can be made of. Its first sample is a sync sample."""

    samples: tuple[bytes, ...]
    durations: tuple[int, ...]  # ticks
    sha256: str  # over the samples, joined

    @property
    def duration(self) -> int:
        """Ticks."""
        return sum(self.durations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTrack:
    """One track of the loop. What does not apply to its kind is 0."""

    name: str
    kind: str  # "video" or "audio"
    timescale: int
    codecs: str  # RFC 6381
    bandwidth: int  # bits a second of its largest segment, boxes included
    sample_entry: bytes  # the clear `avc1` or `mp4a` box
    groups: tuple[Group, ...]
    starts: tuple[int, ...]  # ticks from the start of the loop at which each group starts, then the loop's duration
    sha256: str  # over all samples, joined
    width: int = 0
    height: int = 0
    frame_rate: int = 0
    sample_rate: int = 0
    channels: int = 0

    @property
    def duration(self) -> int:
        """Ticks of the whole loop."""
        return self.starts[-1]

    def group(self, number: int) -> Group:
        """Group `number` of the endless loop, counted from 0."""
        return self.groups[number % len(self.groups)]

    def start(self, number: int) -> int:
        """Ticks at which group `number` of the endless loop starts."""
        loops, within = divmod(number, len(self.groups))
        return loops * self.duration + self.starts[within]

    def number_at(self, ticks: int) -> int:
        """The group of the endless loop in which an instant lies; inverse of `start`."""
        loops, within = divmod(ticks, self.duration)
        return loops * len(self.groups) + bisect_right(self.starts, within) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    name: str
    loop_s: int
    tracks: Mapping[str, ClipTrack]


@lru_cache
def load(name: str = "loop") -> Clip:
    """The clip of this name, read once.

    Raises:
        BackendError: `no-clip`, there is none of this name.
    """
    folder = resources.files(__package__)
    index_file = folder / f"{name}.toml"
    if not name.isidentifier() or not index_file.is_file():
        raise BackendError("no-clip", f"no embedded clip is called {name!r}")
    index = tomllib.loads(index_file.read_text("utf-8"))
    if index["format"] != FORMAT:
        raise BackendError("bad-clip", f"clip {name!r} has format {index['format']}, this version reads {FORMAT}")
    samples = (folder / f"{name}.samples").read_bytes()
    tracks = {track: _track(track, facts, samples) for track, facts in index["tracks"].items()}
    return Clip(name=name, loop_s=index["loop_s"], tracks=MappingProxyType(tracks))


def _track(name: str, facts: dict[str, Any], samples: bytes) -> ClipTrack:
    ticks = facts.pop("sample_duration")
    groups = tuple(_group(group, ticks, samples) for group in facts.pop("groups"))
    starts = tuple(accumulate((group.duration for group in groups), initial=0))
    entry = bytes.fromhex(facts.pop("sample_entry"))
    return ClipTrack(name=name, sample_entry=entry, groups=groups, starts=starts, **facts)


def _group(facts: dict[str, Any], ticks: int, samples: bytes) -> Group:
    sizes = facts["sizes"]
    ends = list(accumulate(sizes, initial=facts["offset"]))
    return Group(
        samples=tuple(samples[a:b] for a, b in pairwise(ends)),
        durations=(ticks,) * len(sizes),
        sha256=facts["sha256"],
    )
