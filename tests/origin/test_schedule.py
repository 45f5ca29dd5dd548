from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.rotation.schedule import Schedule, live_schedule, vod_schedule
from player.backend.spec import ContentSpec, Form, Rotation
from player.clock import SECOND
from player.errors import BackendError

DEMO = ContentSpec(rotation=Rotation.IN_BAND, crypto_period_s=8, first_boundary_s=10)


@pytest.mark.rule("decisions:D8")
def test_a_boundary_is_when_its_first_segment_becomes_available_a_segment_after_its_media_time() -> None:
    schedule = live_schedule(DEMO)
    assert [schedule.boundary(period) for period in (1, 2, 3)] == [10 * SECOND, 18 * SECOND, 26 * SECOND]
    assert [schedule.start(period) - schedule.lead for period in (1, 2, 3)] == [8 * SECOND, 16 * SECOND, 24 * SECOND]
    assert all(schedule.available(schedule.first_segment(period)) == schedule.boundary(period) for period in (1, 2, 3))


@pytest.mark.rule("decisions:D8")
def test_the_crypto_period_before_the_first_boundary_is_longer() -> None:
    schedule = live_schedule(DEMO)
    assert schedule.end(0) == 32 * SECOND
    assert {schedule.period(segment) for segment in range(16)} == {0}
    assert [schedule.period(segment) for segment in (15, 16, 19, 20)] == [0, 1, 1, 2]


def test_without_a_first_boundary_they_lie_at_multiples_of_the_crypto_period() -> None:
    schedule = live_schedule(replace(DEMO, first_boundary_s=None))
    assert [schedule.boundary(period) for period in (1, 2)] == [8 * SECOND, 16 * SECOND]


def test_content_on_demand_counts_its_boundaries_on_the_media_timeline() -> None:
    schedule = vod_schedule(ContentSpec(form=Form.VOD, rotation=Rotation.IN_BAND, crypto_period_s=4))
    assert [schedule.start(period) for period in (0, 1, 2)] == [0, 4 * SECOND, 8 * SECOND]


def test_the_form_on_demand_of_live_content_keeps_its_key() -> None:
    assert vod_schedule(DEMO).first_start is None
    assert vod_schedule(DEMO).period(10**6) == 0


@pytest.mark.rule("decisions:D8")
@pytest.mark.parametrize(
    "wrong",
    [
        {"crypto_period_s": 7},
        {"crypto_period_s": 0},
        {"first_boundary_s": 11},
        {"first_boundary_s": -40},
        {"segment_s": 0},
    ],
)
def test_a_boundary_inside_a_segment_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BackendError):
        live_schedule(replace(DEMO, **wrong))  # type: ignore[arg-type]


@given(st.integers(1, 5), st.integers(1, 10), st.integers(0, 20), st.integers(0, 5000))
def test_periods_cut_the_timeline_without_gap_or_overlap(segment: int, segments: int, first: int, index: int) -> None:
    start = (first + 1) * segment
    schedule = Schedule(segment=segment, crypto_period=segment * segments, first_start=start, lead=24)
    period = schedule.period(index)
    end = schedule.end(period)
    assert end is not None
    assert schedule.start(period) <= index * segment < end == schedule.start(period + 1)
    assert schedule.newest_segment(schedule.available(index)) == index
    assert schedule.newest_segment(schedule.available(index) - 1) == index - 1
    assert schedule.newest_period(schedule.boundary(period + 1)) == period + 1
    assert schedule.newest_period(schedule.boundary(period + 1) - 1) == period
