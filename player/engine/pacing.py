"""The rate of playback: the user's, or one that brings a live stream back to the latency its service wishes for.

The position runs at the fastest rate the service allows while it is too far behind, and at the slowest while it is too
near, until it is there. Sources: ISO/IEC 23009-1, annex K.3; Shaka Player, `liveSync` (tolerance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import MILLISECOND, us
from player.engine import window
from player.engine.track import Track
from player.stream import buffer
from player.stream.buffer import FOREVER
from player.stream.events import RateChanged
from player.stream.state import NORMAL

if TYPE_CHECKING:
    from player.engine.machine import Machine

TOLERANCE_US: Final = 500 * MILLISECOND  # so far from the target nothing is done
LEAST_AHEAD_US: Final = 500 * MILLISECOND  # catching up must not lead into a stall


def keep(m: Machine, now: int) -> None:
    """Called while the position moves, whenever something has changed."""
    rate = _rate(m, now)
    if rate != m.stream.rate:
        change(m, rate, now)


def change(m: Machine, rate: int, now: int) -> None:
    m.stream.set_rate(rate, now)
    if m.hears(RateChanged):
        m.tell(RateChanged(position_us=m.stream.anchor_us, rate=rate))


def deadline(m: Machine) -> int | None:
    """When the present rate has done its work, while it is not the user's."""
    s, target = m.stream, m.manifest.presentation.service.target_latency_us
    if s.rate == s.wished_rate or target is None:
        return None
    off_us = abs(_behind_us(m, target, s.anchor_at))
    done = s.anchor_at - (-off_us * NORMAL // abs(s.rate - NORMAL))
    if s.rate < NORMAL:
        return done
    return min(done, max(s.anchor_at, s.reaches(buffer.edge(s.tracks) - LEAST_AHEAD_US * s.rate // NORMAL)))


def _rate(m: Machine, now: int) -> int:
    s, service = m.stream, m.manifest.presentation.service
    target = service.target_latency_us
    if s.wished_rate != NORMAL or target is None or not m.manifest.presentation.dynamic:
        return s.wished_rate
    behind_us = _behind_us(m, target, now)
    if service.most_rate is not None and behind_us > (0 if s.rate > NORMAL else TOLERANCE_US):
        fast = max(NORMAL, us(service.most_rate))
        return fast if _lasts_us(m, fast, now) > (0 if s.rate > NORMAL else LEAST_AHEAD_US) else NORMAL
    if service.least_rate is not None and behind_us < (0 if s.rate < NORMAL else -TOLERANCE_US):
        return min(NORMAL, us(service.least_rate))
    return NORMAL


def _lasts_us(m: Machine, rate: int, now: int) -> int:
    """For how long what lies ahead lasts at this rate beyond the next fetch, with something to spare."""
    s, position_us = m.stream, m.stream.position(now)
    can_be_played = (buffer.edge(s.tracks) - position_us) * NORMAL // rate
    lasts = [
        (track.loaded_us - position_us) * NORMAL // rate - _wait_us(track, now)
        for track in s.tracks
        if not track.finished
    ]
    return min(can_be_played, *lasts) - LEAST_AHEAD_US if lasts else can_be_played


def _wait_us(track: Track, now: int) -> int:
    """Until the next fetch of the track."""
    return track.due - now if track.request is None and now < track.due < FOREVER else 0


def _behind_us(m: Machine, target_us: int, now: int) -> int:
    return window.edge_us(m, now) - m.stream.position(now) - target_us - m.manifest.captured_us
