"""The client part of a strategy: which trigger runs, and the law of the instants at which a coming key is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from player.chance import Draw, Purpose
from player.clock import SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """Overlay over the profile (decisions of a strategy, not of a player). `spread_window_s` W, `spread_margin_s` g."""

    strategy: str
    prefetch: bool = False  # ask ahead for announced keys
    spread_window_s: float = 0.0
    spread_margin_s: float = 0.0


def spread_instant(draw: Draw, period: int, learnt: int, now: int, need: int, margin_s: float) -> int:
    """S2: U(max(now, learnt), max(learnt, need - margin)) on the run clock (µs); DASH-IF: a random instant between learning and need."""
    low = max(now, learnt)
    return round(draw.between(Purpose.SPREAD, period, low, max(learnt, need - round(margin_s * SECOND))))
