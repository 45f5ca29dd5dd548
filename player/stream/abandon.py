"""Whether a segment that is slow to come is given up for one of a lower rung: one rule a player.

Asked while the body arrives; the answer is the rung to fetch instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from player.stream.profile import AbandonRule, Stream

# dash.js, abandonRequestsRule: grace period, samples of progress, and how many segment durations a fetch may take
GRACE_S: Final = 0.5
LEAST_SAMPLES: Final = 6
DURATIONS: Final = 1.8

# RxPlayer, while starving: after a grace period a fetch may make playback wait this long, or last so many segment
# durations and seconds
_GRACE_DURATIONS: Final = 1.5
_LONGEST_GRACE_S: Final = 3.0
_MAY_WAIT_S: Final = 2.0
_LONG_DURATIONS: Final = 1.5
_LONG_S: Final = 2.0
_LEAST_REDUCTION: Final = 0.7

_HOPELESS_DURATIONS: Final = 10.0  # hls.js: no lower rung helps where a segment would take longer than this


class Arriving(NamedTuple):
    """A segment under way. `total_bytes` may be an estimate; seconds of buffer are those that are left to play."""

    rung: int
    elapsed_s: float
    received_bytes: int
    total_bytes: int
    samples: int  # progress told so far, this one included
    segment_s: float
    buffer_s: float
    starving: bool = False

    @property
    def rate(self) -> float:
        """Bit/s so far."""
        return 8 * self.received_bytes / self.elapsed_s

    @property
    def left_s(self) -> float:
        """Until it is there, at this rate."""
        return 8 * (self.total_bytes - self.received_bytes) / self.rate


def instead(bandwidths: Sequence[int], arriving: Arriving, rules: Stream) -> int | None:
    """The lower rung to fetch instead; None: go on."""
    nothing_to_gain = arriving.rung == 0 or arriving.received_bytes >= arriving.total_bytes
    if nothing_to_gain or arriving.elapsed_s <= 0 or arriving.received_bytes <= 0:
        return None
    return _RULES[rules.abandon_rule](bandwidths, arriving, rules)


def _never(_bandwidths: Sequence[int], _arriving: Arriving, _rules: Stream) -> int | None:
    return None


def _duration_ratio(bandwidths: Sequence[int], arriving: Arriving, rules: Stream) -> int | None:
    """The whole fetch would last longer than 1.8 segments, and fewer bytes are left to fetch on the lower rung."""
    if arriving.elapsed_s <= GRACE_S or arriving.samples < LEAST_SAMPLES:
        return None
    if 8 * arriving.total_bytes / arriving.rate < DURATIONS * arriving.segment_s:
        return None
    lower = _below(bandwidths, arriving.rung, arriving.rate * rules.factor_stay)
    anew_bytes = arriving.total_bytes * bandwidths[lower] / bandwidths[arriving.rung]
    return lower if arriving.total_bytes - arriving.received_bytes > anew_bytes else None


def _emergency(bandwidths: Sequence[int], arriving: Arriving, _rules: Stream) -> int | None:
    """After half a segment's time: the rest comes too late, and a whole segment of a lower rung comes sooner."""
    if arriving.elapsed_s <= arriving.segment_s / 2 or arriving.left_s <= arriving.buffer_s:
        return None
    lower = arriving.rung
    anew_s = arriving.left_s
    while lower > 0 and (lower == arriving.rung or anew_s >= arriving.buffer_s):
        lower -= 1
        anew_s = bandwidths[lower] * arriving.segment_s / arriving.rate
    return lower if anew_s < arriving.left_s and anew_s <= _HOPELESS_DURATIONS * arriving.segment_s else None


def _request_length(bandwidths: Sequence[int], arriving: Arriving, rules: Stream) -> int | None:
    """While starving: playback would wait for the rest, or the fetch has lasted beyond reason."""
    grace_s = min(_GRACE_DURATIONS * arriving.segment_s, _LONGEST_GRACE_S)
    if not arriving.starving or arriving.elapsed_s <= grace_s:
        return None
    if arriving.left_s - arriving.buffer_s > _MAY_WAIT_S:
        carried = arriving.rate
    elif arriving.elapsed_s > _LONG_DURATIONS * arriving.segment_s + _LONG_S:
        carried = bandwidths[arriving.rung] * min(_LEAST_REDUCTION, arriving.segment_s / arriving.elapsed_s)
    else:
        return None
    return _below(bandwidths, arriving.rung, carried * rules.starvation_factor)


def _below(bandwidths: Sequence[int], rung: int, carried: float) -> int:
    """The highest of the lower rungs that this rate carries; else the lowest."""
    return max((i for i in range(rung) if bandwidths[i] <= carried), default=0)


_RULES: Final[Mapping[AbandonRule, Callable[[Sequence[int], Arriving, Stream], int | None]]] = {
    AbandonRule.NONE: _never,
    AbandonRule.DURATION_RATIO: _duration_ratio,
    AbandonRule.EMERGENCY: _emergency,
    AbandonRule.REQUEST_LENGTH: _request_length,
}
