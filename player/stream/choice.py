"""Which Representation to fetch next, by a profile's own constants and rules; what a wish names goes first.

Throughput is estimated by two exponentially weighted means over bytes and seconds; the smaller one counts. A buffer
rule takes its place while the buffer is long; starvation and the history of choices cap what comes of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from player.clock import SECOND, us
from player.mpd.model import Representation
from player.stream import bola, history, starvation
from player.stream.history import History
from player.stream.profile import AbandonRule, BufferRule, StarvationRule, Stream
from player.stream.starvation import SEGMENTS_IGNORED, View

_LEAST_SAMPLE_S: Final = 1e-4  # below this the clock, not the network, was measured
BUFFER_BYTES: Final = 60_000_000  # hls.js, maxBufferSize: how far the buffer goal may grow


# ── throughput ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


def _mean(old: float, rate: float, weight_s: float, half_life_s: float) -> float:
    keep: float = 0.5 ** (weight_s / half_life_s)
    return old * keep + rate * (1 - keep)


# ── what a track remembers from choice to choice ─────────────────────────────────────────────────────────────────────


class Memory(NamedTuple):
    """One a track; `NOTHING_REMEMBERED`, shared by all, under a profile whose rules remember nothing."""

    starving: bool = False
    by_buffer: bool = False  # the buffer rule is in force
    settled: bool = False  # the rung of the next segment is chosen: its fetch was given up for it
    segments: int = 0  # come since the start or the last seek, as far as they are counted
    samples: int = 0  # progress of the fetch under way
    rung: int = -1  # of the segment that came last, where the history counts
    history: History = ()


NOTHING_REMEMBERED: Final = Memory()


def seen(memory: Memory, buffer_s: float, rules: Stream) -> Memory:
    """What the level of the buffer changes, before a choice."""
    starving = starvation.starving(memory.starving, buffer_s, rules)
    level_s = rules.buffer_rule_off_s if memory.by_buffer else rules.buffer_rule_on_s
    by_buffer = rules.buffer_rule is BufferRule.BOLA and buffer_s >= level_s
    return _kept(memory, memory._replace(starving=starving, by_buffer=by_buffer))


def loaded(memory: Memory, rung: int, rules: Stream) -> Memory:
    """After a segment of this rung has come."""
    counts = rules.starvation_rule is StarvationRule.INSUFFICIENT_BUFFER
    known, old = rules.switch_history_samples > 0, memory.rung
    new = memory._replace(
        settled=False,
        samples=0,
        segments=min(memory.segments + counts, SEGMENTS_IGNORED),
        rung=rung if known else -1,
        history=history.noted(memory.history, old, rung, rules) if old >= 0 else memory.history,
    )
    return _kept(memory, new)


def sought(memory: Memory) -> Memory:
    """After a seek: the buffer begins anew."""
    new = memory._replace(starving=False, by_buffer=False, settled=False, segments=0, samples=0)
    return _kept(memory, new)


def _kept(old: Memory, new: Memory) -> Memory:
    """The old one where nothing has changed: it is shared."""
    return old if old == new else new


# ── the choice ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pick(rungs: Sequence[Representation], view: View, memory: Memory, rules: Stream) -> int:
    """The rung for the next segment, of `rungs` in order of quality."""
    bandwidths = [rung.bandwidth for rung in rungs]
    carried = _by_rate(bandwidths, view, memory, rules)
    wished = carried
    if memory.by_buffer:
        found = bola.best(bandwidths, view.buffer_s, rules.buffer_goal_s)
        wished = carried if found is None else bola.bounded(found, view.current or 0, carried)
    top = len(rungs) - 1
    return min(wished, starvation.cap(bandwidths, view, rules), history.cap(memory.history, top, rules))


def _by_rate(bandwidths: Sequence[int], view: View, memory: Memory, rules: Stream) -> int:
    """The best rung that the throughput carries; else the one of the least bandwidth."""
    best = min(range(len(bandwidths)), key=bandwidths.__getitem__)
    for rung, bandwidth in enumerate(bandwidths):
        share = rules.starvation_factor if memory.starving else starvation.share(rung, view.current, rules)
        if bandwidth <= view.rate * share:
            best = rung
    return best


def may_switch(memory: Memory, switched_at: int, now: int, rules: Stream) -> bool:
    return not memory.settled and now - switched_at >= us(rules.switch_interval_s)


def remembers(rules: Stream) -> bool:
    """Whether a choice depends on those before it."""
    counts = rules.starvation_rule is StarvationRule.INSUFFICIENT_BUFFER
    return counts or rules.switch_history_samples > 0 or abandons(rules)


def abandons(rules: Stream) -> bool:
    """Whether the progress of a fetch can lead to another choice."""
    return rules.abandon_rule is not AbandonRule.NONE


def goal_us(bandwidth: int, *, is_best: bool, rules: Stream) -> int:
    """How far ahead to fetch. It grows at the best quality there is, as far as 60 MB go."""
    if not is_best or rules.buffer_goal_max_s <= rules.buffer_goal_s:
        return us(rules.buffer_goal_s)
    held_s = 8 * BUFFER_BYTES / max(bandwidth, 1)
    return us(max(rules.buffer_goal_s, min(rules.buffer_goal_max_s, held_s)))
