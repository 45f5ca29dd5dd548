"""Each rule of the choice of quality, with the constants of the player it comes from; expected values by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from player.mpd.model import Representation, SegmentBase
from player.runtime.profiles import load_profile
from player.stream import abandon, bola, choice, history, starvation
from player.stream.abandon import Arriving
from player.stream.choice import NOTHING_REMEMBERED, Memory
from player.stream.profile import AbandonRule, BufferRule, StarvationRule, Stream
from player.stream.starvation import View

BANDWIDTHS = (300_000, 900_000, 3_000_000)
LADDER = tuple(
    Representation(
        id=f"v{i}",
        bandwidth=bandwidth,
        mime_type="video/mp4",
        codecs="avc1",
        base_urls=("http://x/",),
        source=SegmentBase(timescale=1, presentation_time_offset=0, initialization=None, index_range=None),
    )
    for i, bandwidth in enumerate(BANDWIDTHS)
)


def rules(**changes: Any) -> Stream:
    return replace(load_profile("ideal").stream, **changes)


RX = rules(
    factor_up=0.72,
    factor_stay=0.72,
    starvation_rule=StarvationRule.LOW_BUFFER,
    starvation_below_s=5.0,
    starvation_over_s=7.0,
    starvation_factor=0.72,
    buffer_rule=BufferRule.BOLA,
    buffer_rule_on_s=10.0,
    buffer_rule_off_s=5.0,
    abandon_rule=AbandonRule.REQUEST_LENGTH,
)
DASHJS = rules(
    factor_up=0.9,
    factor_stay=0.9,
    buffer_goal_s=18.0,
    buffer_goal_max_s=60.0,
    starvation_rule=StarvationRule.INSUFFICIENT_BUFFER,
    starvation_factor=0.7,
    buffer_rule=BufferRule.BOLA,
    buffer_rule_on_s=12.0,
    buffer_rule_off_s=6.0,
    abandon_rule=AbandonRule.DURATION_RATIO,
    switch_history_samples=8,
    switch_history_share=0.075,
)
HLSJS = rules(
    factor_up=0.7,
    factor_stay=0.95,
    buffer_goal_max_s=600.0,
    starvation_rule=StarvationRule.DELAY,
    starvation_below_s=4.0,
    starvation_over_s=4.0,
    abandon_rule=AbandonRule.EMERGENCY,
)


def view(rate: float, buffer_s: float, *, segment_s: float = 2, current: int | None = 0, **more: Any) -> View:
    return View(rate=rate, buffer_s=buffer_s, segment_s=segment_s, current=current, **more)


# ── BOLA ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P1")
def test_bola_changes_rungs_at_the_levels_of_its_paper() -> None:
    """Utilities 1, 1 + ln 3, 1 + ln 10; gamma = ln 10 / (30/10 - 1); V = 10 / gamma; equal at 13.91 and 23.75."""
    found = bola.parameters(BANDWIDTHS, 30)
    assert found is not None
    assert (found.gamma, found.v) == pytest.approx((1.1512925, 8.685890))
    levels = [0, 5, 10, 13.91, 13.92, 20, 23.74, 23.75, 30, 60]
    assert [bola.best(BANDWIDTHS, level, 30) for level in levels] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_bola_takes_a_longer_buffer_for_a_longer_ladder() -> None:
    """Ten rungs want 10 + 2 * 10 = 30 s, whatever the goal: the highest is not best before."""
    many = tuple(100_000 * 2**i for i in range(10))
    assert bola.parameters(many, 12) == bola.parameters(many, 30)
    assert bola.parameters((500_000, 500_000), 30) is None
    assert bola.best((500_000,), 20, 30) is None


@pytest.mark.rule("dash:P1")
def test_bola_steps_up_no_further_than_the_throughput_carries() -> None:
    """1.1 Mbit/s carries rung 1 (0.9 * 1.1 = 0.99); a rung held already may stay."""
    by_buffer = Memory(by_buffer=True, segments=2)
    levels = [5, 15, 30, 20, 10]
    current, chosen = 0, []
    for level in levels:
        current = choice.pick(LADDER, view(1.1e6, level, current=current, segments=2), by_buffer, DASHJS)
        chosen.append(current)
    # goal 18: full at 18 s; gamma = ln 10 / 0.8, V = 3.474: scores change at 11.57 and 15.50 s
    assert chosen == [0, 1, 1, 1, 0]
    assert choice.pick(LADDER, view(1.1e6, 30, current=2), by_buffer, DASHJS) == 2


@pytest.mark.rule("dash:P2")
def test_the_buffer_rule_begins_at_one_level_and_ends_at_a_lower_one() -> None:
    memory, in_force = NOTHING_REMEMBERED, []
    for level in (0, 11.9, 12, 6, 5.9, 11, 13):
        memory = choice.seen(memory, level, DASHJS)
        in_force.append(memory.by_buffer)
    assert in_force == [False, False, True, True, False, False, True]


# ── starvation ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P2")
def test_starving_begins_below_one_level_and_ends_at_a_higher_one() -> None:
    memory, starving = NOTHING_REMEMBERED, []
    for level in (0, 4.9, 6.9, 7, 5, 4.9):
        memory = choice.seen(memory, level, replace(RX, buffer_rule=BufferRule.NONE))
        starving.append(memory.starving)
    assert starving == [True, True, True, False, False, True]


def test_while_starving_another_share_of_the_estimate_may_be_used() -> None:
    """4.2 Mbit/s: 0.72 of it carry 3 Mbit/s, a half does not."""
    careful = replace(RX, starvation_factor=0.5)
    assert choice.pick(LADDER, view(4.2e6, 8), Memory(), careful) == 2
    assert choice.pick(LADDER, view(4.2e6, 3), Memory(starving=True), careful) == 1


@pytest.mark.parametrize(("buffer_s", "segments", "expected"), [(0, 2, 0), (1, 2, 0), (2, 2, 1), (5, 2, 2), (1, 1, 2)])
def test_a_short_buffer_caps_what_a_segment_may_cost(buffer_s: float, segments: int, expected: int) -> None:
    """2 Mbit/s * 0.7 * buffer / 2 s: 0, 0.7, 1.4 and 3.5 Mbit/s; no cap before two segments have come."""
    assert starvation.cap(BANDWIDTHS, view(2e6, buffer_s, segments=segments), DASHJS) == expected


@pytest.mark.parametrize(
    ("buffer_s", "current", "live", "expected"),
    [
        (3, 0, False, 1),  # a step up at 1.4 Mbit/s: 0.9 * 4 / 1.4 = 2.57 s
        (2, 0, False, 0),  # too late; the lowest comes within 0.63 s
        (2, 1, False, 1),  # to stay, at 1.9 Mbit/s: 1.89 s
        (0, 0, False, 1),  # nothing comes in time: with the delay one puts up with, min(4, 4) s
        (0.1, 0, True, 1),  # live segments are made as one goes: only the rate counts
    ],
)
def test_a_segment_must_come_before_the_buffer_is_used_up(
    buffer_s: float, current: int, live: bool, expected: int
) -> None:
    seen = view(2e6, buffer_s, segment_s=4, current=current, live=live)
    assert starvation.cap(BANDWIDTHS, seen, HLSJS) == expected


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P3")
def test_a_rung_that_was_left_downwards_is_not_climbed_to_for_a_while() -> None:
    """Eight choices, one of them down from rung 2: 1 of 7 is more than 0.075, so rung 1 is the highest."""
    memory = NOTHING_REMEMBERED
    caps = []
    for rung in (1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1):
        memory = choice.loaded(memory, rung, DASHJS)
        caps.append(history.cap(memory.history, 2, DASHJS))
    # the first makes no pair, the ninth completes eight: 1-1 1-2 2-2 2-1 1-1 …; the thirteenth pushes 2-1 out
    assert caps == [2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 2]
    assert len(memory.history) == 8


def test_nothing_is_remembered_under_rules_that_need_no_memory() -> None:
    plain = rules()
    memory = choice.loaded(choice.seen(choice.sought(NOTHING_REMEMBERED), 20, plain), 1, plain)
    assert memory is NOTHING_REMEMBERED
    assert not choice.remembers(plain)


# ── abandoning ───────────────────────────────────────────────────────────────────────────────────────────────────────


def arriving(received: int, elapsed_s: float, **changes: Any) -> Arriving:
    """A segment of the highest rung: 2 s, 750 kB."""
    given: dict[str, Any] = {"rung": 2, "total_bytes": 750_000, "samples": 6, "segment_s": 2.0, "buffer_s": 3.0}
    return Arriving(received_bytes=received, elapsed_s=elapsed_s, **given | changes)


@pytest.mark.rule("dash:P4")
@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        (arriving(100_000, 1), 0),  # 0.8 Mbit/s: 7.5 s in all; 0.72 Mbit/s carry rung 0
        (arriving(100_000, 0.5), None),  # too early to judge
        (arriving(100_000, 1, samples=5), None),
        (arriving(250_000, 1), None),  # 3 s in all are less than 1.8 * 2
        (arriving(700_000, 4), None),  # 4.3 s, but a new segment of rung 1 has 225 kB and only 50 are left
        (arriving(400_000, 2.5), 1),  # 4.7 s; 1.15 Mbit/s carry rung 1; 225 kB are less than 350
        (arriving(100_000, 1, rung=0), None),  # there is nothing lower
    ],
)
def test_a_fetch_is_given_up_that_would_last_longer_than_its_segment_allows(
    fetch: Arriving, expected: int | None
) -> None:
    assert abandon.instead(BANDWIDTHS, fetch, DASHJS) == expected


@pytest.mark.rule("dash:P4")
@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        (
            arriving(250_000, 2.5, total_bytes=1_500_000, segment_s=4.0),
            0,
        ),  # 12.5 s left; rung 1 takes 4.5 s, rung 0 1.5
        (arriving(250_000, 2.5, total_bytes=1_500_000, segment_s=4.0, buffer_s=5.0), 1),
        (arriving(250_000, 2.0, total_bytes=1_500_000, segment_s=4.0), None),  # half its duration is not over
        (arriving(250_000, 2.5, total_bytes=1_500_000, segment_s=4.0, buffer_s=12.5), None),  # it comes in time
        (arriving(6_250, 2.5, total_bytes=1_500_000, segment_s=4.0), None),  # 20 kbit/s: rung 0 would take 60 s
    ],
)
def test_a_fetch_that_comes_too_late_is_left_for_the_best_that_does_not(fetch: Arriving, expected: int | None) -> None:
    assert abandon.instead(BANDWIDTHS, fetch, HLSJS) == expected


@pytest.mark.rule("dash:P4")
@pytest.mark.parametrize(
    ("fetch", "expected"),
    [
        (arriving(100_000, 3.5, starving=True), 0),  # 22.8 s left, 3 s buffered: more than 2 s of waiting
        (arriving(100_000, 3.5), None),  # only while starving
        (arriving(100_000, 3, starving=True), None),  # too early to judge: min(1.5 * 2, 3) s
        (arriving(400_000, 4, starving=True, buffer_s=2.0), None),  # 3.5 s left: 1.5 s of waiting
        (arriving(600_000, 5.5, starving=True), 0),  # longer than 1.5 * 2 + 2 s: 3 * 2/5.5 * 0.72 = 0.785 Mbit/s
    ],
)
def test_while_starving_a_fetch_that_lasts_too_long_is_given_up(fetch: Arriving, expected: int | None) -> None:
    assert abandon.instead(BANDWIDTHS, fetch, RX) == expected


def test_without_a_rule_nothing_is_given_up() -> None:
    assert abandon.instead(BANDWIDTHS, arriving(1, 60), rules()) is None
    assert not choice.abandons(rules())


# ── how far ahead ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bandwidth", "is_best", "goal_s"),
    [(1_000_000, True, 480), (1_000_000, False, 30), (100_000, True, 600), (40_000_000, True, 30)],
)
def test_the_goal_of_the_buffer_grows_at_the_best_quality_as_far_as_sixty_megabytes_go(
    bandwidth: int, is_best: bool, goal_s: int
) -> None:
    assert choice.goal_us(bandwidth, is_best=is_best, rules=HLSJS) == goal_s * 1_000_000
