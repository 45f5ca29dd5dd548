"""The position: when it starts, stands, goes on and ends.

A stall is a position that stands at the end of the decryptable buffer, not at the end of the stream, for more than
1 ms; its cause is `key` if the next sample is fetched but has no usable key, else `network`. Start-up is no stall, nor
is the wait for media after a seek, nor a pause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import us
from player.eme import element
from player.eme.element_quirks import EARLY_US, WaitingForKeyEvent
from player.eme.events import WaitingForKey
from player.engine import pacing
from player.errors import LicenseError
from player.ids import KeyId
from player.stream import buffer
from player.stream.buffer import FOREVER
from player.stream.events import Blocked, Ended, Resumed, Seeked, Stalled, Started

if TYPE_CHECKING:
    from player.engine.machine import Machine

STALL_FROM_US: Final = 1_001  # a stand of at most 1 ms is no stall
START_AHEAD_US: Final = 500_000  # enough not to stall at once where the start lies just before the end of a segment


def update(m: Machine, now: int) -> None:
    """Bring the position in line with the buffer."""
    s = m.stream
    if s.seeking_at >= 0:
        _arrive(m, now)
    if s.seeking_at < 0:
        _go(m, now)
    if s.moving:
        pacing.keep(m, now)
    if not m.finished and _over(m, now):
        _end(m, now)


def _go(m: Machine, now: int) -> None:
    s = m.stream
    if s.paused:
        _rest(m)
    elif m.spec.as_fast_as_possible:
        _rush(m, now)
    elif s.started_at < 0:
        _start_up(m, now)
    elif s.moving:
        _run(m, now)
    else:
        _stand(m, now)


def position(m: Machine, now: int) -> int:
    """Where playback is. A driver may be late: the position never passes what can be played."""
    s = m.stream
    return min(s.position(now), max(s.anchor_us, min(_edge(m), _last(m)))) if s.moving else s.anchor_us


def deadline(m: Machine) -> int | None:
    """The instant at which the position reaches the edge or the end, or at which a stand becomes a stall."""
    s = m.stream
    if s.moving:
        reach = min(_edge(m), _last(m))
        if m.element.blocked and _tells_early(m):
            reach = max(s.anchor_us, reach - EARLY_US)
        paced = pacing.deadline(m)
        return s.reaches(reach) if paced is None else min(s.reaches(reach), paced)
    if s.stalled_at >= 0 and not s.stall_told and not m.spec.as_fast_as_possible:
        return s.stalled_at + STALL_FROM_US
    return None


def stop(m: Machine, now: int) -> None:
    """End now; what was played counts."""
    tell_end(m, now, ended=False)
    m.finish()


def leave(m: Machine, now: int) -> None:
    """The position is about to jump: what was played up to here counts, and no stall goes on."""
    s = m.stream
    s.played_us += _played_here(m, position(m, now))
    end_stall(m, now)


def end_stall(m: Machine, now: int) -> None:
    s = m.stream
    if m.spec.as_fast_as_possible:
        _watch_key(m, None, s.anchor_us, now)
    elif s.stalled_at >= 0 and s.started_at >= 0:
        _tell_open_stall(m, now)
    s.stalled_at, s.stall_told, s.stall_kid = -1, False, None


# ── the situations ───────────────────────────────────────────────────────────────────────────────────────────────────


def _arrive(m: Machine, now: int) -> None:
    """After a seek: is there media at the new position?"""
    s = m.stream
    if not _has_enough(m):
        kid = _missing_key(m, s.anchor_us)
        if kid is not None and not m.spec.as_fast_as_possible:
            _wait(m, kid, now)
        return
    if element.is_waiting(m.element):
        _resume_element(m)
    if m.hears(Seeked):
        m.tell(Seeked(position_us=s.anchor_us, for_us=now - s.seeking_at))
    s.seeking_at = -1
    if s.started_at >= 0 and not m.spec.as_fast_as_possible:
        s.set_position(s.anchor_us, now, moving=not s.paused)


def _has_enough(m: Machine) -> bool:
    """Enough ahead not to stand still at once."""
    ahead_us = min(_edge(m), _last(m)) - m.stream.anchor_us
    return ahead_us >= START_AHEAD_US or _all_finished(m) or _edge(m) >= _last(m)


def _rest(m: Machine) -> None:
    """Paused: a key that comes is no longer waited for."""
    if element.is_waiting(m.element) and _edge(m) > m.stream.anchor_us:
        _resume_element(m)


def _start_up(m: Machine, now: int) -> None:
    s = m.stream
    if not _has_enough(m):
        return
    s.started_at = now
    s.set_position(s.anchor_us, now, moving=True)
    if m.hears(Started):
        m.tell(Started(position_us=s.anchor_us, startup_us=now - s.joined_at))


def _run(m: Machine, now: int) -> None:
    s = m.stream
    edge = _edge(m)
    if m.element.blocked:
        _tell_early(m, edge, now)
    if s.position(now) < edge or edge >= _last(m):
        return
    s.stalled_at = s.reaches(edge)  # the exact instant, should the driver be late
    s.stall_told = False
    s.set_position(edge, now, moving=False)
    _stand(m, now)


def _stand(m: Machine, now: int) -> None:
    s = m.stream
    if _edge(m) > s.anchor_us:
        _resume(m, now)
    elif not s.stall_told and now - s.stalled_at >= STALL_FROM_US:
        _tell_stall(m, now)


def _resume(m: Machine, now: int) -> None:
    s = m.stream
    stood = now - s.stalled_at
    if stood >= STALL_FROM_US:
        if not s.stall_told:
            _tell_stall(m, now)
        if m.hears(Resumed):
            m.tell(Resumed(position_us=s.anchor_us, for_us=stood, cause=_cause(m)))
    _resume_element(m)
    s.stalled_at, s.stall_told, s.stall_kid = -1, False, None
    s.set_position(s.anchor_us, now, moving=True)


def _tell_stall(m: Machine, now: int) -> None:
    s = m.stream
    s.stall_told = True
    s.stall_kid = _missing_key(m, s.anchor_us)
    if s.stall_kid is not None:
        _wait(m, s.stall_kid, now)
    if m.hears(Stalled) and not m.finished:
        m.tell(Stalled(position_us=s.anchor_us, cause=_cause(m), kid=s.stall_kid))


def _wait(m: Machine, kid: KeyId | None, now: int) -> None:
    """Wait for Key, and the ways of devices to tell of it."""
    quirks = m.spec.element
    if quirks.error_instead_of_waiting:
        m.fail(LicenseError("key-missing", f"key {kid} is missing: the element has failed"), now)
        return
    waiting = element.waits(m.element, kid, current_frame=True)
    in_time = quirks.waiting_for_key in (WaitingForKeyEvent.IN_TIME, WaitingForKeyEvent.EARLY)
    if waiting is not None and in_time and m.hears(WaitingForKey):
        m.tell(waiting)


def _resume_element(m: Machine) -> None:
    stale = m.spec.element.waiting_for_key is WaitingForKeyEvent.STALE
    if element.resumes(m.element) and stale and m.hears(WaitingForKey):
        m.tell(WaitingForKey(kid=m.stream.stall_kid))


def _tell_early(m: Machine, edge: int, now: int) -> None:
    if element.is_waiting(m.element) and element.may_decrypt(m.element):
        _resume_element(m)  # the key has come in time
    elif _tells_early(m) and m.stream.position(now) >= edge - EARLY_US:
        _wait(m, _missing_key(m, edge), now)


def _tells_early(m: Machine) -> bool:
    """Some decoders tell of a missing key while there is a lead."""
    if m.spec.element.waiting_for_key is not WaitingForKeyEvent.EARLY or element.is_waiting(m.element):
        return False
    return not element.may_decrypt(m.element) and _missing_key(m, _edge(m)) is not None


def _cause(m: Machine) -> str:
    return "network" if m.stream.stall_kid is None else "key"


def _rush(m: Machine, now: int) -> None:
    """As fast as possible: the position follows the buffer; a wait for a key is told as `Blocked`."""
    s = m.stream
    edge = _edge(m)
    if s.started_at < 0 and edge > s.anchor_us:
        s.started_at = now
        if m.hears(Started):
            m.tell(Started(position_us=s.anchor_us, startup_us=now - s.joined_at))
    goal = 0 if _all_finished(m) else us(m.spec.profile.stream.buffer_goal_s)
    s.set_position(max(s.anchor_us, min(edge, _last(m)) - goal), now, moving=False)
    _watch_key(m, _missing_key(m, edge), edge, now)


def _watch_key(m: Machine, kid: KeyId | None, edge: int, now: int) -> None:
    s = m.stream
    if s.stall_kid is not None and kid != s.stall_kid:
        if now - s.stalled_at >= STALL_FROM_US and m.hears(Blocked):
            m.tell(Blocked(position_us=s.stall_us, kid=s.stall_kid, for_us=now - s.stalled_at))
        s.stall_kid, s.stalled_at = None, -1
    if kid is not None and s.stall_kid is None:
        s.stall_kid, s.stalled_at, s.stall_us = kid, now, edge


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _over(m: Machine, now: int) -> bool:
    s = m.stream
    return s.started_at >= 0 and s.position(now) >= _last(m)


def _end(m: Machine, now: int) -> None:
    s = m.stream
    s.set_position(_last(m), now, moving=False)
    tell_end(m, now, ended=_all_finished(m) and s.anchor_us >= buffer.end(s.tracks))
    m.finish()


def tell_end(m: Machine, now: int, *, ended: bool) -> None:
    s = m.stream
    if s.stalled_at >= 0 and s.started_at >= 0 and not m.spec.as_fast_as_possible:
        _tell_open_stall(m, now)
    if m.hears(Ended):
        at_us = position(m, now)
        m.tell(Ended(position_us=at_us, played_us=_played(m, at_us), ended=ended))


def _tell_open_stall(m: Machine, now: int) -> None:
    s = m.stream
    if s.stall_told and m.hears(Resumed):
        m.tell(Resumed(position_us=s.anchor_us, for_us=now - s.stalled_at, cause=_cause(m)))


def _played(m: Machine, position: int) -> int:
    return m.stream.played_us + _played_here(m, position)


def _played_here(m: Machine, position: int) -> int:
    """Since the start or the last seek."""
    s = m.stream
    if s.started_at < 0 or s.seeking_at >= 0:
        return 0
    delivered = min(buffer.end(s.tracks), _last(m)) if m.spec.as_fast_as_possible else position
    return max(0, delivered - s.origin_us)


def _edge(m: Machine) -> int:
    return buffer.edge(m.stream.tracks)


def _last(m: Machine) -> int:
    """Where playback ends: at the end of the media once that is known, or after the duration asked for."""
    s = m.stream
    end = buffer.end(s.tracks) if _all_finished(m) else FOREVER
    return end if m.spec.duration_us is None else min(end, s.origin_us + m.spec.duration_us - s.played_us)


def _all_finished(m: Machine) -> bool:
    return all(track.finished for track in m.stream.tracks)


def _missing_key(m: Machine, at_us: int) -> KeyId | None:
    """The key of the next sample where that is fetched but not clear; None: the network is waited for."""
    for track in m.stream.tracks:
        if not track.finished and track.ready_us <= at_us and track.pending:
            return track.pending[0].kid()
    return None
