"""The closed forms against sample paths made here, and against paths with something wrong in them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from player.storm import forms


def fullest_bin(requests: int, window_s: float, *, seed: int) -> int:
    chance = random.Random(seed)
    return max(Counter(int(chance.random() * window_s) for _ in range(requests)).values())


def waits_s(arrivals_s: list[float], capacity: float) -> list[float]:
    """From arrival to the end of the service, in a first-come queue with constant service time."""
    free_s, waits = 0.0, []
    for arrived_s in sorted(arrivals_s):
        free_s = max(free_s, arrived_s) + 1 / capacity
        waits.append(free_s - arrived_s)
    return waits


@pytest.mark.rule("storm:O1")
def test_a_request_too_many_breaks_the_total() -> None:
    form = forms.total(300, 1)
    assert form.holds(300)
    assert not form.holds(306)  # one in fifty doubled


@pytest.mark.rule("storm:O2")
def test_the_fullest_bin_of_a_uniform_window_lies_in_its_band_99_times_of_100() -> None:
    form = forms.peak_of_uniform_window(3_000, 60, 1)
    assert form is not None
    assert sum(form.holds(fullest_bin(3_000, 60, seed=seed)) for seed in range(100)) >= 98


@pytest.mark.rule("storm:O2")
def test_a_window_5_percent_short_breaks_the_peak() -> None:
    form = forms.peak_of_uniform_window(1_000_000, 60, 1)
    assert form is not None
    assert round(form.predicted) == 16_961
    assert form.holds(fullest_bin(1_000_000, 60, seed=1))
    assert not form.holds(fullest_bin(1_000_000, 57, seed=1))


@pytest.mark.rule("storm:O2")
@pytest.mark.parametrize(("requests", "window_s", "bin_s"), [(300, 7, 1), (299, 7, 0.7)])
def test_bins_too_few_or_too_empty_have_no_law_of_peaks(requests: int, window_s: float, bin_s: float) -> None:
    assert forms.peak_of_uniform_window(requests, window_s, bin_s) is None


@pytest.mark.rule("storm:O5")
def test_an_overloaded_queue_waits_fills_and_clears_as_predicted() -> None:
    chance = random.Random(1)
    arrivals_s = [2 * chance.random() for _ in range(10_000)]
    predicted = forms.overload(10_000, 200, 2)
    assert predicted is not None
    longest, _, clear = predicted
    waits = waits_s(arrivals_s, 200)
    assert longest.holds(max(waits))
    assert clear.holds(len(waits) / 200)
    assert not longest.holds(max(waits_s(arrivals_s, 210)))  # capacity 5 % high


def test_a_queue_that_keeps_up_has_no_form_of_overload() -> None:
    assert forms.overload(300, 50, 6) is None
    assert forms.overload(300, 50, 5.9) is not None


@pytest.mark.rule("storm:O6")
@pytest.mark.parametrize(("slack_s", "holds"), [(lambda chance: 4 + 4 * chance, True), (lambda _chance: 5.0, True)])
def test_as_many_stall_as_wait_longer_than_they_can(slack_s: Callable[[float], float], holds: bool) -> None:
    chance = random.Random(1)
    slacks_s = [slack_s(chance.random()) for _ in range(3_000)]
    form = forms.stalled(slacks_s, longest_wait_s=6)
    waits = waits_s([0.0] * 3_000, 500)
    chance.shuffle(waits)
    stalled = sum(wait > slack for wait, slack in zip(waits, slacks_s, strict=True))
    assert form.holds(stalled) is holds


@pytest.mark.rule("storm:O6")
def test_a_capacity_5_percent_high_breaks_the_number_of_stalls() -> None:
    slacks_s = [3.0] * 3_000
    form = forms.stalled(slacks_s, longest_wait_s=6)
    assert form.holds(sum(wait > 3 for wait in waits_s([0.0] * 3_000, 500)))
    assert not form.holds(sum(wait > 3 for wait in waits_s([0.0] * 3_000, 560)))


def test_slack_for_all_or_for_none_leaves_nothing_to_chance() -> None:
    assert forms.stalled([7.0] * 10, longest_wait_s=6).holds(0)
    assert not forms.stalled([7.0] * 10, longest_wait_s=6).holds(1)
    assert forms.stalled([-1.0] * 10, longest_wait_s=6).holds(10)
