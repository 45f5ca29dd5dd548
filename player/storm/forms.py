"""Closed forms: what a storm must do by arithmetic alone, with the band in which one run may lie.

Symbols: N clients that ask, W the spread of their requests (s), C licenses a second, k = N/(CW) the overload. A band is
for one run; it was set so that at least 99 % of runs of exact sample paths lie inside. Nothing here has seen a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, pi, sqrt
from typing import Final

Z: Final = 3.3  # 99.9 % of a normal law
_MIN_BINS: Final = 10
_MIN_MEAN: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """`number` names the form; `low` and `high` are the band around `predicted`."""

    number: str
    what: str
    predicted: float
    low: float
    high: float

    def holds(self, measured: float) -> bool:
        return self.low <= measured <= self.high


def exactly(number: str, what: str, predicted: float) -> Form:
    return Form(number=number, what=what, predicted=predicted, low=predicted, high=predicted)


def total(clients: int, requests_each: int) -> Form:
    """O1: as many requests as clients have to make, wherever they fall."""
    return exactly("O1", "license requests, retries apart", clients * requests_each)


def peak_of_uniform_window(requests: int, window_s: float, bin_s: float) -> Form | None:
    """O2: the fullest bin of a uniform window; None where bins are too few or too empty for the law of extremes."""
    bins, mean = window_s / bin_s, requests * bin_s / window_s
    if bins < _MIN_BINS or mean < _MIN_MEAN:
        return None
    deviation = sqrt(mean * (1 - bin_s / window_s))
    alpha = sqrt(2 * log(bins))
    beta = alpha - (log(log(bins)) + log(4 * pi)) / (2 * alpha)
    return Form(
        number="O2",
        what=f"most requests in {bin_s:g} s",
        predicted=mean + deviation * (beta + 0.37 / alpha),
        low=mean + deviation * (beta - 2.03 / alpha),
        high=mean + deviation * (beta + 7.6 / alpha),
    )


def overload(requests: int, capacity: float, spread_s: float) -> tuple[Form, Form, Form] | None:
    """O5: a first-come queue that gets more than it can do; None where it does not."""
    factor = inf if spread_s <= 0 else requests / (capacity * spread_s)
    if factor <= 1:
        return None
    relative = 3 / requests + 10 / (requests * (factor - 1) ** 2)
    drained_s = requests / capacity
    return (
        _relative("O5", "longest wait at the server, s", drained_s - spread_s, relative),
        _relative("O5", "longest queue", requests - capacity * spread_s, relative),
        _relative("O5", "time to clear the queue, s", drained_s, relative),
    )


def stalled(slacks_s: Sequence[float], longest_wait_s: float) -> Form:
    """O6, summed over clients of different slack: waits are even from 0 to the longest, and who waits longer stalls.

    Slacks fall to places in the queue by chance, so the number varies as a sum of independent draws does.
    """
    chances = [min(1.0, max(0.0, 1 - slack_s / longest_wait_s)) for slack_s in slacks_s]
    expected, half = sum(chances), Z * sqrt(sum(chance * (1 - chance) for chance in chances))
    return Form(
        number="O6",
        what="clients stalled for want of a key",
        predicted=expected,
        low=expected - half,
        high=expected + half,
    )


def conserved(what: str, parts: float, whole: float) -> tuple[Form, float]:
    """O19: nothing is lost on the way. The form, and what was measured."""
    return exactly("O19", what, whole), parts


def _relative(number: str, what: str, predicted: float, relative: float) -> Form:
    return Form(
        number=number, what=what, predicted=predicted, low=predicted * (1 - relative), high=predicted * (1 + relative)
    )
