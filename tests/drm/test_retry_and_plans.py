"""Waits between attempts, and the instants at which coming keys are asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.chance import Draw
from player.clock import SECOND
from player.drm import retry
from player.drm.cause import Cause
from player.drm.plan import ClientPlan, instant, own_plan
from player.drm.profile import Jitter, NextPeriodTrigger
from player.engine.profile import Profile, parse

SPREAD = NextPeriodTrigger.MANIFEST_REFRESH_SPREAD


@cache
def ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("status", "ranges", "expected"),
    [
        (200, ("200",), True),
        (201, ("200",), False),
        (304, ("200-201", "304"), True),
        (299, ("200-299",), True),
        (428, (), False),
    ],
)
def test_status_ranges(status: int, ranges: tuple[str, ...], expected: bool) -> None:
    assert retry.accepted(status, ranges) is expected


@given(st.integers(1, 40), st.integers(0, 1000))
def test_full_jitter_lies_between_nothing_and_the_capped_step(attempt: int, counter: int) -> None:
    network = ideal().network
    wait = retry.delay_us(network, Draw(1, 0), counter, attempt, None)
    assert 0 <= wait <= min(30, 2**attempt) * SECOND


@given(st.integers(1, 6), st.integers(0, 1000))
def test_proportional_jitter_keeps_to_its_share(attempt: int, counter: int) -> None:
    network = replace(
        ideal().network, jitter=Jitter.PROPORTIONAL, jitter_amount=0.3, backoff_base_ms=200, backoff_cap_ms=3000
    )
    wait = retry.delay_us(network, Draw(1, 0), counter, attempt, None)
    step = 0.2 * 2 ** (attempt - 1) * SECOND
    assert min(0.7 * step, 3 * SECOND) - 1 <= wait <= min(1.3 * step, 3 * SECOND) + 1


def test_no_jitter_repeats_in_step() -> None:
    network = replace(ideal().network, jitter=Jitter.NONE, backoff_factor=1.0, backoff_cap_ms=0)
    assert [retry.delay_us(network, Draw(n, n), n, 3, None) for n in range(3)] == [SECOND] * 3


@given(st.integers(0, 10_000))
def test_retry_after_is_lengthened_by_a_tenth_at_most_and_never_shortened(counter: int) -> None:
    wait = retry.delay_us(ideal().network, Draw(1, 0), counter, 1, 5 * SECOND)
    assert 5 * SECOND <= wait <= 5.5 * SECOND


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7 * SECOND),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9 * SECOND),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("-3", None),
        ("soon", None),
        ("9" * 400, None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str, expected: int | None) -> None:
    assert retry.retry_after_us((("retry-after", value),), 1_767_225_600 * SECOND) == expected


def test_causes_of_a_retry() -> None:
    assert retry.cause_of_retry(None, "timeout") is Cause.RETRY_TIMEOUT
    assert retry.cause_of_retry(429, "") is Cause.RETRY_REFUSED
    assert retry.cause_of_retry(500, "") is Cause.RETRY_ERROR


@pytest.mark.rule("backend:S2")
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 100), st.floats(0, 20))
def test_jitter_asks_no_later_than_the_margin_before_the_need(
    now: int, ahead: int, period: int, margin_s: float
) -> None:
    plan = ClientPlan(trigger=SPREAD, margin_s=margin_s)
    at = instant(plan, Draw(1, 0), period, now, now + ahead)
    assert now <= at <= max(now, now + ahead - round(margin_s * SECOND) + 1)


def test_a_window_bounds_the_wait_of_a_profile_of_its_own() -> None:
    plan = own_plan(SPREAD, ideal().network)
    instants = [instant(plan, Draw(seed, 0), 1, 0, 600 * SECOND) for seed in range(200)]
    assert max(instants) <= 30 * SECOND
    assert max(instants) - min(instants) > 25 * SECOND


def test_other_triggers_ask_at_once() -> None:
    assert instant(ClientPlan(trigger=NextPeriodTrigger.MANIFEST_REFRESH), Draw(1, 0), 1, 5, 10**9) == 5
    assert not ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT).asks_ahead
