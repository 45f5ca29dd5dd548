"""Choice by buffer level: BOLA, in its basic form with the bound on oscillations that its authors call BOLA-O.

Utility of a rung is the logarithm of its bandwidth. Control parameters are set so that the lowest rung is best at 10 s
and the highest where the buffer is full, as dash.js sets them. Source: Spiteri, Urgaonkar, Sitaraman, "BOLA:
Near-Optimal Bitrate Adaptation for Online Videos" (2016), sections III and V.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final, NamedTuple

LEAST_BUFFER_S: Final = 10.0  # dash.js MINIMUM_BUFFER_S
PER_RUNG_S: Final = 2.0  # dash.js MINIMUM_BUFFER_PER_BITRATE_LEVEL_S


class Parameters(NamedTuple):
    """`v` weighs utility against buffer (seconds), `gamma` is the wish for smooth playback."""

    utilities: tuple[float, ...]
    v: float
    gamma: float


def parameters(bandwidths: Sequence[int], goal_s: float) -> Parameters | None:
    """None where all rungs are alike: there is nothing to choose."""
    utilities = tuple(log(bandwidth / bandwidths[0]) + 1 for bandwidth in bandwidths)
    if max(utilities) <= 1:
        return None
    full_s = max(goal_s, LEAST_BUFFER_S + PER_RUNG_S * len(bandwidths))
    gamma = (max(utilities) - 1) / (full_s / LEAST_BUFFER_S - 1)
    return Parameters(utilities, LEAST_BUFFER_S / gamma, gamma)


def best(bandwidths: Sequence[int], buffer_s: float, goal_s: float) -> int | None:
    """The rung with the highest score; among equals the better one."""
    found = parameters(bandwidths, goal_s)
    if found is None:
        return None
    scores = [
        (found.v * (utility + found.gamma) - buffer_s) / bandwidth
        for utility, bandwidth in zip(found.utilities, bandwidths, strict=True)
    ]
    return max(range(len(scores)), key=lambda i: (scores[i], i))


def bounded(wished: int, current: int, carried: int) -> int:
    """BOLA-O: no step up to a rung that the throughput does not carry."""
    return max(carried, current) if wished > current and wished > carried else wished
