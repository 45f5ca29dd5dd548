"""Where tracks are cut into segments: the sync samples nearest to the multiples of the segment duration.

One track leads (the first video, else the first track); the others are cut nearest to where it was. Times are
fractions of a second from the start of the presentation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from player.backend.packager.source import SourceTrack
from player.errors import UsageError


class Cut(NamedTuple):
    """The start of a segment: the instant that was wanted, and that of the sync sample nearest to it."""

    wanted: Fraction
    at: Fraction


class Piece(NamedTuple):
    """Samples first … last - 1 of a track."""

    first: int
    last: int


def start_of(tracks: Sequence[SourceTrack]) -> Fraction:
    """The instant of the source at which the presentation starts."""
    return min(Fraction(track.samples[0].time, track.timescale) for track in tracks)


def cuts(tracks: Sequence[SourceTrack], segment: Fraction, wanted: Iterable[Fraction]) -> tuple[Cut, ...]:
    """`wanted`: instants besides the multiples of `segment` at which a segment is to start."""
    leader = next((track for track in tracks if track.kind == "video"), tracks[0])
    zero = start_of(tracks)
    starts = [Fraction(sample.time, leader.timescale) - zero for sample in leader.samples if sample.sync]
    end = Fraction(leader.end, leader.timescale) - zero
    if not starts:
        raise UsageError("the leading video track has no sync sample")
    multiples = {segment * k for k in range(ceil(end / segment))}
    found: dict[Fraction, Fraction] = {}
    for instant in sorted(multiples | {instant for instant in wanted if 0 < instant < end}):
        at = starts[_nearest(starts, instant)]
        if at not in found or abs(instant - at) < abs(found[at] - at):
            found[at] = instant
    ordered = [Cut(instant, at) for at, instant in found.items()]
    if len(ordered) > 1 and end - ordered[-1].at < segment / 2:
        ordered.pop()  # a stump goes with the segment before it, whatever was to start there
    return (Cut(Fraction(0), ordered[0].at), *ordered[1:])


def pieces(track: SourceTrack, given: Sequence[Cut], zero: Fraction) -> tuple[Piece, ...]:
    """Raises: UsageError where a segment of this track would be empty or start without a sync sample."""
    indices = [i for i, sample in enumerate(track.samples) if sample.sync]
    starts = [Fraction(track.samples[i].time, track.timescale) - zero for i in indices]
    if not starts or indices[0] != 0:
        raise UsageError(f"a {track.kind} track does not start with a sync sample")
    firsts = [0, *(indices[_nearest(starts, cut.at)] for cut in given[1:])]
    for (first, last), cut in zip(pairwise(firsts), given[1:], strict=True):
        if last <= first:
            raise UsageError(f"a {track.kind} track has no sync sample of its own near {float(cut.at):g} s")
    return tuple(Piece(first, last) for first, last in pairwise([*firsts, len(track.samples)]))


def _nearest(ordered: Sequence[Fraction], instant: Fraction) -> int:
    right = bisect_left(ordered, instant)
    candidates = range(max(right - 1, 0), min(right + 1, len(ordered)))
    return min(candidates, key=lambda i: abs(ordered[i] - instant))
