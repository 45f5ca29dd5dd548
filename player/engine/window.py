"""Where one can play: the window of a live stream, the whole of any other, and the position to start from.

Positions are µs on the presentation timeline. Sources: ISO/IEC 23009-1, 5.3.1.2 and 5.3.9.5.3, annex K.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import tracks
from player.mpd.model import Period
from player.stream.buffer import FOREVER
from player.stream.state import UNASKED

if TYPE_CHECKING:
    from player.engine.machine import Machine

LIVE: Final = FOREVER  # a position: as near to the live edge as one plays
_DEFAULT_LIVE_DELAY_US: Final = 10 * SECOND  # where neither the MPD nor the caller says one


def edge_us(m: Machine, now: int) -> int:
    """What is being produced just now."""
    return m.wall_us(now) - m.manifest.presentation.availability_start_wall_us


def earliest_us(m: Machine, now: int) -> int:
    presentation = m.manifest.presentation
    first = presentation.periods[0].start_us
    if not presentation.dynamic or presentation.time_shift_us is None:
        return first
    return max(first, edge_us(m, now) - presentation.time_shift_us)


def latest_us(m: Machine, now: int) -> int:
    """Dynamic: where one starts to play. Static: the end."""
    presentation = m.manifest.presentation
    end = presentation.periods[-1].end_us
    if presentation.dynamic:
        return live_us(m, now) if end is None else min(live_us(m, now), end)
    return FOREVER if end is None else end


def live_us(m: Machine, now: int) -> int:
    """Behind the live edge: one segment and the delay asked for; else the latency the service wishes for."""
    presentation = m.manifest.presentation
    if m.spec.live_delay_us is not None:
        behind = m.spec.live_delay_us + tracks.segment_duration_us(m.manifest, presentation.periods[-1])
    elif presentation.service.target_latency_us is not None:
        behind = presentation.service.target_latency_us + m.manifest.captured_us
    elif presentation.suggested_delay_us is not None:
        behind = presentation.suggested_delay_us
    else:
        behind = _DEFAULT_LIVE_DELAY_US
    return edge_us(m, now) - behind


def needs_live(m: Machine) -> bool:
    """Whether the start that was asked for means something only in a live stream."""
    return m.spec.start_us == LIVE or m.spec.start_wall_us is not None


def clamped_us(m: Machine, position_us: int, now: int) -> int:
    return max(earliest_us(m, now), min(position_us, latest_us(m, now)))


def start_us(m: Machine, now: int) -> int:
    """What was asked for, as near as there is media; else the start, or the live position."""
    presentation, asked = m.manifest.presentation, m.stream.asked_us
    if asked == UNASKED and m.spec.start_wall_us is not None:
        asked = m.spec.start_wall_us - presentation.availability_start_wall_us
    elif asked == UNASKED:
        asked = m.spec.start_us
    if asked == UNASKED:
        asked = LIVE if presentation.dynamic else presentation.periods[0].start_us
    return clamped_us(m, asked, now)


def period_at(m: Machine, position_us: int) -> Period:
    """The Period that a position lies in; the first where it lies before it."""
    periods = m.manifest.presentation.periods
    return next((period for period in reversed(periods) if period.start_us <= position_us), periods[0])
