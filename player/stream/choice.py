"""Which Representation to fetch next: fixed, or by throughput with a profile's own constants.

Throughput is estimated by two exponentially weighted means over bytes and seconds; the smaller one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from player.clock import SECOND, us
from player.mpd.model import Representation
from player.stream.profile import Stream

_LEAST_SAMPLE_S: Final = 1e-4  # below this the clock, not the network, was measured


class Estimate(NamedTuple):
    """Weighted means in bit/s with their weights, and all bytes measured so far."""

    fast: float = 0.0
    slow: float = 0.0
    weight_s: float = 0.0
    bytes: int = 0


NOTHING_MEASURED: Final = Estimate()


def measured(estimate: Estimate, size: int, duration_us: int, rules: Stream) -> Estimate:
    """The estimate after a fetch of `size` bytes in `duration_us`; small fetches are not counted."""
    if size < rules.sample_min_bytes:
        return estimate
    seconds = max(duration_us / SECOND, _LEAST_SAMPLE_S)
    rate = 8 * size / seconds
    return Estimate(
        _mean(estimate.fast, rate, seconds, rules.half_life_fast_s),
        _mean(estimate.slow, rate, seconds, rules.half_life_slow_s),
        estimate.weight_s + seconds,
        estimate.bytes + size,
    )


def throughput(estimate: Estimate, kind: str, rules: Stream) -> float:
    """Bit/s to plan with: the profile's first estimate until enough bytes were measured."""
    if estimate.weight_s == 0.0 or estimate.bytes < rules.trusted_from_bytes:
        return rules.first_estimate_audio_bps if kind == "audio" else rules.first_estimate_video_bps
    fast = estimate.fast / (1 - 0.5 ** (estimate.weight_s / rules.half_life_fast_s))
    slow = estimate.slow / (1 - 0.5 ** (estimate.weight_s / rules.half_life_slow_s))
    return float(min(fast, slow))


def pick(
    representations: Sequence[Representation], wish: str, rate: float, current: Representation | None, rules: Stream
) -> Representation:
    """The Representation for a wish: "highest", "lowest", an @id of this set, else ("auto") by throughput."""
    ladder = sorted(representations, key=lambda r: r.bandwidth)
    if wish == "highest":
        return ladder[-1]
    if wish == "lowest":
        return ladder[0]
    named = next((r for r in representations if r.id == wish), None)
    return _by_rate(ladder, rate, current, rules) if named is None else named


def may_switch(switched_at: int, now: int, rules: Stream) -> bool:
    return now - switched_at >= us(rules.switch_interval_s)


def _by_rate(
    ladder: Iterable[Representation], rate: float, current: Representation | None, rules: Stream
) -> Representation:
    rungs = list(ladder)
    best = rungs[0]
    for rung in rungs:
        stays = current is not None and rung.bandwidth <= current.bandwidth
        if rung.bandwidth <= rate * (rules.factor_stay if stays else rules.factor_up):
            best = rung
    return best


def _mean(old: float, rate: float, weight_s: float, half_life_s: float) -> float:
    keep: float = 0.5 ** (weight_s / half_life_s)
    return old * keep + rate * (1 - keep)
