"""From version to version of the MPD, and from Period to Period: what a track goes on with.

Periods come, go and change while they are played; a set may be missing in one of them, another may begin in the middle.
Sources: ISO/IEC 23009-1, 5.3.2 and 5.4; DASH-IF IOP (Period continuity and connectivity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from player.engine import choosing, remote, tracks, triggers
from player.engine.track import Track
from player.mpd.availability import refresh_due
from player.mpd.model import Period, Presentation, Representation, Segment
from player.mpd.timeline import segment_index

if TYPE_CHECKING:
    from player.engine.machine import Machine

KINDS: Final = ("video", "audio")  # what is played, in the order of track numbers


# ── a new version of the MPD ─────────────────────────────────────────────────────────────────────────────────────────


def renewed(m: Machine, now: int) -> None:
    """Every track goes on with what the MPD now says of its Period and Representation."""
    for track in m.stream.tracks:
        period = m.manifest.period(track.period.id)
        group = None if period is None else tracks.same(period, track.adaptation_set)
        if period is None or group is None:
            _vanished(m, track)
        else:
            again = next((r for r in group.representations if r.id == track.representation.id), None)
            if _is_moved(track, period, again or group.representations[0]):
                track.last = None  # other ticks: the next segment is found by presentation time
            track.period, track.adaptation_set, track.ended = period, group, False
            if again is None:
                tracks.represent(m, track, choosing.wished(m, track, None, now), now)
            else:
                track.representation = again
                track.index = m.manifest.index(period, again, track.sidx)


def _is_moved(track: Track, period: Period, representation: Representation) -> bool:
    """Does the same tick mean another time than before?"""
    before, after = track.representation.source, representation.source
    return (track.period.start_us, before.timescale, before.presentation_time_offset) != (
        period.start_us,
        after.timescale,
        after.presentation_time_offset,
    )


def _vanished(m: Machine, track: Track) -> None:
    """The Period is no longer in the MPD: what is known of it still plays, up to where the next one begins."""
    if track.ended or track.index.index is not None:
        return
    following = next(iter(_after(m, track.period)), None)
    if following is None and may_go_on(m):
        return
    if following is not None:
        track.period = replace(track.period, duration_us=following.start_us - track.period.start_us)
    track.index = segment_index(m.manifest.presentation, track.period, track.representation)
    track.index.ended = True


# ── the next Period ──────────────────────────────────────────────────────────────────────────────────────────────────


def go_on(m: Machine, track: Track, now: int) -> bool:
    """The track has fetched all of its Period. True: it is in another one now."""
    following = _after(m, track.period)
    if remote.is_between(m, track.period, next(iter(following), None)):
        return False  # it is being fetched, or will be when playback is nearer
    at = triggers.next_period_at(m, track, following[0].start_us, now) if following else now
    if at > now:
        track.due = at
        return False
    if tracks.enter_first(m, track, following, now, keeps=continues):
        track.skip(track.period.start_us)
        _join(m, track.period, now)
        return True
    track.ended = not may_go_on(m)
    return False


def _after(m: Machine, period: Period) -> Sequence[Period]:
    """By its id where it is in the MPD, else by time."""
    periods = m.manifest.presentation.periods
    place = next((i for i, other in enumerate(periods) if other.id == period.id), None)
    if place is not None:
        return periods[place + 1 :]
    return [other for other in periods if other.start_us > period.start_us]


def continues(before: Period, after: Period) -> bool:
    """Do the init segments of one Period serve the other? Said for sets and Representations of the same ids."""
    return before.id in (after.continues, after.connects)


def _join(m: Machine, period: Period, now: int) -> None:
    """Kinds of media that begin with this Period."""
    kinds = {track.kind for track in m.stream.tracks}
    for kind in KINDS:
        group = None if kind in kinds else choosing.first(period, kind)
        if group is not None:
            track = Track(len(m.stream.tracks), period.start_us)
            track.period_number = max(other.period_number for other in m.stream.tracks)
            m.stream.tracks = (*m.stream.tracks, track)
            tracks.open_period(m, track, period, group, now)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def may_go_on(m: Machine) -> bool:
    """May a refresh bring another Period? Not in a static MPD, not in one that is the last, not behind its end."""
    presentation = m.manifest.presentation
    if refresh_due(presentation) is None:
        return False
    total, end = presentation.duration_us, presentation.periods[-1].end_us
    return total is None or (end is not None and end < total)


def is_closed(m: Machine, segment: Segment, now: int) -> bool:
    """Is this segment behind @availabilityEndTime, or is it that late already? (5.3.1.2)"""
    presentation = m.manifest.presentation
    end = presentation.availability_end_wall_us
    if end is None or not presentation.dynamic:
        return False
    return end <= max(m.wall_us(now), presentation.availability_start_wall_us + segment.start_us)


def is_over(m: Machine, presentation: Presentation, now: int) -> bool:
    """Nothing of it can be had any more, so nothing can change."""
    end = presentation.availability_end_wall_us
    return presentation.dynamic and end is not None and m.wall_us(now) >= end
