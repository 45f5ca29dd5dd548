"""What a user does to the position: seek, pause, resume, another rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.eme import element
from player.engine import pacing, playback, tracks, window
from player.engine.actions import Cancel, FetchKind
from player.engine.track import Track
from player.mpd.model import Period
from player.stream import choice
from player.stream.events import Paused, Seeking, Unpaused

if TYPE_CHECKING:
    from player.engine.machine import Machine


def seek(m: Machine, position_us: int, now: int) -> None:
    """Go there, or as near as there is media. Before anything is known: start there."""
    s = m.stream
    if not s.tracks:
        s.asked_us = max(0, position_us)
        return
    to_us, left_us = window.clamped_us(m, position_us, now), playback.position(m, now)
    playback.leave(m, now)
    if m.hears(Seeking):
        m.tell(Seeking(position_us=left_us, to_us=to_us))
    element.moved(m.element)  # EME 7: what was waited for counts no more
    for track in s.tracks:
        track.leave(left_us)
        _move(m, track, to_us, now)
    s.origin_us, s.seeking_at = to_us, now
    s.set_position(to_us, now, moving=False)


def _move(m: Machine, track: Track, to_us: int, now: int) -> None:
    if track.holds(to_us):
        track.move_within(to_us)
        return
    request, period = track.request, window.period_at(m, to_us)
    track.empty(to_us)
    track.memory = choice.sought(track.memory)
    if period.id == track.period.id and request is not None and request.kind is not FetchKind.MEDIA:
        track.request = request  # an init segment or an index serves every position of its Period
    elif request is not None:
        m.act(Cancel(request))
    if period.id != track.period.id:
        _enter(m, track, period, now)


def _enter(m: Machine, track: Track, period: Period, now: int) -> None:
    """In this Period, or in the next one that has media of the kind."""
    if tracks.enter(m, track, period, now):
        track.skip(track.period.start_us)
    else:
        track.ended = True


def pause(m: Machine, now: int) -> None:
    """Stand still. A stall ends here: it is not the buffer any more that is waited for."""
    s = m.stream
    if s.paused:
        return
    s.paused = True
    position_us = playback.position(m, now)
    playback.end_stall(m, now)
    s.set_position(position_us, now, moving=False)
    if m.hears(Paused):
        m.tell(Paused(position_us=position_us))


def resume(m: Machine, now: int) -> None:
    """Go on; from the start of the window where the position has left it meanwhile."""
    s = m.stream
    if not s.paused:
        return
    s.paused = False
    if m.hears(Unpaused):
        m.tell(Unpaused(position_us=s.anchor_us))
    if s.tracks and s.anchor_us < window.earliest_us(m, now):
        seek(m, window.earliest_us(m, now), now)
    elif s.started_at >= 0 and s.seeking_at < 0:
        s.stalled_at = now


def set_rate(m: Machine, rate: int, now: int) -> None:
    """`rate`: parts per million."""
    m.stream.wished_rate = rate
    if rate != m.stream.rate:
        pacing.change(m, rate, now)
