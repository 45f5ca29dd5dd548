"""The client part of a strategy: whether coming keys are asked for ahead, and the law of the instants.

A plan overlays a profile and replaces nothing else of it. Where no strategy is named the profile's own trigger runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from player.chance import Draw, Purpose
from player.clock import us
from player.drm.cause import Cause
from player.drm.init_data import InitData
from player.drm.profile import Network, NextPeriodTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """`margin_s` (g): asked for at the latest this long before the key is needed.

    `window_s` (W): bound on the wait after the announcement; None where the announcement itself bounds it.
    """

    trigger: NextPeriodTrigger
    window_s: float | None = None
    margin_s: float = 0.0

    @property
    def asks_ahead(self) -> bool:
        return self.trigger in (NextPeriodTrigger.MANIFEST_REFRESH, NextPeriodTrigger.MANIFEST_REFRESH_SPREAD)


def own_plan(trigger: NextPeriodTrigger, network: Network) -> ClientPlan:
    """What a profile does by itself."""
    return ClientPlan(trigger=trigger, window_s=network.spread_window_s, margin_s=network.spread_margin_s)


class Planned(NamedTuple):
    """Init data of a coming period that will be announced at `at` and is needed at `need` (µs on the run clock)."""

    init_data: InitData
    at: int
    need: int
    cause: Cause = Cause.ROTATION_PREFETCH


def instant(plan: ClientPlan, draw: Draw, period: int, now: int, need: int) -> int:
    """When to ask for a key learnt of `now` and needed at `need` (µs on the run clock): U(now, need - g), or at once.

    The rule is DASH-IF's own: a random instant between learning of a key and needing it, less a margin.
    """
    if plan.trigger is not NextPeriodTrigger.MANIFEST_REFRESH_SPREAD:
        return now
    latest = need - us(plan.margin_s)
    if plan.window_s is not None:
        latest = min(latest, now + us(plan.window_s))
    return round(draw.between(Purpose.SPREAD, period, now, latest))
