"""An origin that was started anew: another @availabilityStartTime, or a timeline that begins again.

Playback goes on at the same instant of wall time. All that is remembered in presentation time is moved to the new
timeline, what is buffered plays on, and what the origin did not make meanwhile is a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import tracks, window
from player.engine.actions import Cancel
from player.engine.events import PresentationRestarted
from player.engine.track import Track
from player.errors import ManifestError
from player.mpd.model import Presentation

if TYPE_CHECKING:
    from player.engine.machine import Machine

CORRECTION_US: Final = SECOND  # some packagers correct @availabilityStartTime by a little, and go on as before
BACK_US: Final = 10 * SECOND  # a timeline that ends so far before what was played has begun again


def is_restart(before: Presentation, after: Presentation) -> bool:
    moved_us = after.availability_start_wall_us - before.availability_start_wall_us
    return before.dynamic and after.dynamic and abs(moved_us) > CORRECTION_US


def follow(m: Machine, before: Presentation, now: int) -> None:
    """Called with the new MPD in force, before anything else is done with it."""
    if not m.stream.tracks or not m.manifest.presentation.dynamic:
        return
    if is_restart(before, m.manifest.presentation):
        _move(m, before.availability_start_wall_us - m.manifest.presentation.availability_start_wall_us, now)
    elif (back_us := _went_back_us(m)) > BACK_US:
        _move(m, -back_us, now)


def _went_back_us(m: Machine) -> int:
    """How far every timeline lies before what was loaded of it; 0: at least one goes on."""
    ends = []
    for track in m.stream.tracks:
        period = m.manifest.presentation.periods[-1]
        group = tracks.same(period, track.adaptation_set)
        if group is None or track.last is None or track.period.id != period.id:
            return 0
        end_us = m.manifest.index(period, group.representations[0], None).end_us
        if end_us is None:
            return 0
        ends.append(track.loaded_us - end_us)
    return min(ends, default=0)


def _move(m: Machine, by_us: int, now: int) -> None:
    """Everything in presentation time, by as much as the new timeline lies beside the old one."""
    s = m.stream
    for track in s.tracks:
        _leave(m, track, by_us)
    s.origin_us += by_us
    s.anchor_us += by_us
    s.stall_us += by_us
    if m.hears(PresentationRestarted):
        m.tell(PresentationRestarted(moved_us=by_us, position_us=s.position(now)))
    for track in s.tracks:
        period = window.period_at(m, track.loaded_us)
        if tracks.enter(m, track, period, now):
            s.lost_us += max(0, track.period.start_us - track.loaded_us)
            track.skip(track.period.start_us)
        else:
            place = f"/MPD/Period[@id='{period.id}']"
            m.fail(ManifestError("restarted", place, f"the origin has begun again without {track.kind}"), now)
            return


def _leave(m: Machine, track: Track, by_us: int) -> None:
    if track.request is not None:
        m.act(Cancel(track.request))
    track.request = track.coming = track.last = None
    track.attempts, track.held_until, track.ended = 0, -1, False
    track.from_us += by_us
    track.ready_us += by_us
    track.loaded_us += by_us
    for pending in track.pending:
        pending.start_us += by_us
