"""How high a ladder may be climbed while the buffer is short: one rule a player.

`low_buffer` changes the factor on the estimate (`choice` asks `starving`); the other two cap the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from player.stream.profile import StarvationRule, Stream

SEGMENTS_IGNORED: Final = 2  # dash.js: no verdict before two segments have come, after the start and after a seek


class View(NamedTuple):
    """What a track sees when it chooses. Seconds are seconds of playing, at the present rate."""

    rate: float  # bit/s that the network is thought to carry
    buffer_s: float
    segment_s: float  # 0: not known
    current: int | None  # index of the present rung
    segments: int = SEGMENTS_IGNORED  # come since the start or the last seek
    live: bool = False


def starving(was: bool, buffer_s: float, rules: Stream) -> bool:
    """Begins below one level of the buffer and ends at a higher one."""
    if rules.starvation_rule is not StarvationRule.LOW_BUFFER:
        return False
    return buffer_s < (rules.starvation_over_s if was else rules.starvation_below_s)


def cap(bandwidths: Sequence[int], view: View, rules: Stream) -> int:
    """The highest rung that may be chosen."""
    return _CAPS[rules.starvation_rule](bandwidths, view, rules)


def share(rung: int, current: int | None, rules: Stream) -> float:
    """How much of the estimate this rung may take."""
    return rules.factor_stay if current is not None and rung <= current else rules.factor_up


def _none(bandwidths: Sequence[int], _view: View, _rules: Stream) -> int:
    return len(bandwidths) - 1


def _insufficient_buffer(bandwidths: Sequence[int], view: View, rules: Stream) -> int:
    """A segment must come before a share of the buffer is used up: with an empty one, only the lowest rung will do."""
    if view.segments < SEGMENTS_IGNORED or view.segment_s <= 0:
        return len(bandwidths) - 1
    carried = view.rate * rules.starvation_factor * view.buffer_s / view.segment_s
    return max((i for i, bandwidth in enumerate(bandwidths) if bandwidth <= carried), default=0)


def _delay(bandwidths: Sequence[int], view: View, rules: Stream) -> int:
    """A segment must come before the buffer is used up; where none can, with the delay that one puts up with."""
    patience_s = rules.starvation_below_s if view.buffer_s > 0 else rules.starvation_over_s
    for delay_s in (0.0, min(view.segment_s, patience_s)):
        for rung in reversed(range(len(bandwidths))):
            if _comes_within(bandwidths[rung], view.buffer_s + delay_s, view, share(rung, view.current, rules)):
                return rung
    return 0


def _comes_within(bandwidth: int, within_s: float, view: View, factor: float) -> bool:
    usable = view.rate * factor
    return bandwidth <= usable and (view.live or bandwidth * view.segment_s / usable <= within_s)


_CAPS: Final[Mapping[StarvationRule, Callable[[Sequence[int], View, Stream], int]]] = {
    StarvationRule.NONE: _none,
    StarvationRule.LOW_BUFFER: _none,
    StarvationRule.INSUFFICIENT_BUFFER: _insufficient_buffer,
    StarvationRule.DELAY: _delay,
}
