"""Seeks, pauses and rates at random over a VOD and a live stream, in virtual time, and what holds whatever one does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.clock import SECOND
from player.engine.actions import Control, Pause, Resume, Seek, SetRate
from player.engine.machine import Machine
from player.engine.window import LIVE as LIVE_EDGE
from player.stream import buffer
from player.stream.events import Ended, Resumed, Seeked, Seeking, SegmentFailed, SegmentLoaded, Stalled
from tests.engine.test_moving_about import LIVE, PERIODS, VOD, Moved, Step, move, short

RUN_S = 30.0

WALK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

controls: st.SearchStrategy[Control] = st.one_of(
    st.integers(0, 70_000).map(lambda ms: Seek(ms * 1000)),
    st.just(Seek(LIVE_EDGE)),
    st.just(Pause()),
    st.just(Resume()),
    st.sampled_from([500_000, 900_000, 1_000_000, 1_330_000, 2_000_000]).map(SetRate),
)
walks = st.lists(
    st.tuples(st.integers(0, 28_000).map(lambda ms: ms / 1000), controls), unique_by=lambda step: step[0], max_size=8
).map(lambda steps: sorted(steps, key=lambda step: step[0]))


def watched(backend: object, steps: list[Step], goal_s: float) -> Moved:
    """Play for 30 s and look at the position at every turn."""

    def look(machine: Machine, now: int) -> None:
        tracks = machine.stream.tracks
        if tracks and machine.stream.moving:
            assert machine.position_us(now) <= buffer.edge(tracks)
        assert machine.stream.rate == machine.stream.wished_rate

    return move(backend, *steps, stop_at_s=RUN_S, look=look, profile=short(goal_s))  # type: ignore[arg-type]


def check(moved: Moved) -> None:
    assert moved.error is None
    assert len(moved.of(Ended)) == 1
    assert moved.asked.statuses <= {200, 304}  # the origin refuses what is not there yet, or no longer
    _check_segments(moved)
    told = [type(event) for _, event in moved.of(Stalled, Resumed)]
    assert told == [Stalled, Resumed] * (len(told) // 2)


def _check_segments(moved: Moved) -> None:
    """No segment comes twice while it is held; only a seek that has to wait has emptied a buffer."""
    held: set[tuple[int, int]] = set()
    waits = {at for at, event in moved.of(Seeked) if event.for_us == 0}
    for at, event in moved.of(Seeking, SegmentLoaded):
        if isinstance(event, SegmentLoaded):
            assert (event.track, event.start_us) not in held
            held.add((event.track, event.start_us))
        elif at not in waits:
            held.clear()


@pytest.mark.rule("dash:P7")
@given(steps=walks, goal_s=st.sampled_from([3.0, 6.0, 30.0]))
@WALK
def test_whatever_one_does_on_demand_the_position_stays_in_the_media_and_playback_ends(
    steps: list[Step], goal_s: float
) -> None:
    moved = watched(VOD, steps, goal_s)
    check(moved)
    assert not moved.of(SegmentFailed)
    assert 0 <= moved.one(Ended).position_us <= 16 * SECOND


@pytest.mark.rule("dash:P6")
@pytest.mark.parametrize("backend", [LIVE, PERIODS], ids=["one period", "many periods"])
@given(steps=walks, goal_s=st.sampled_from([3.0, 30.0]))
@WALK
def test_whatever_one_does_live_nothing_is_asked_outside_its_availability(
    backend: object, steps: list[Step], goal_s: float
) -> None:
    moved = watched(backend, steps, goal_s)
    check(moved)
    assert {event.code for _, event in moved.of(SegmentFailed)} <= {"left-window"}  # at half the rate, for one


@given(steps=walks)
@settings(max_examples=3, deadline=None)
def test_the_same_walk_is_the_same_run(steps: list[Step]) -> None:
    first, second = (watched(LIVE, steps, 6.0) for _ in range(2))
    assert list(map(repr, first.events)) == list(map(repr, second.events))
    assert first.asked.requests == second.asked.requests
