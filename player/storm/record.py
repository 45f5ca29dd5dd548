"""Everything one run under one strategy left behind; results and reports are computed from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from player.backend.spec import BackendSpec
from player.storm.gauge import Gauge
from player.storm.observe import Observations
from player.storm.spec import StormSpec, StrategySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`backend`: as the strategy laid it over. `tables`: distinct interned ones. `server_log`: the license server's."""

    spec: StormSpec
    strategy: StrategySpec
    backend: BackendSpec
    seen: Observations
    gauge: Gauge
    tables: int
    server_log: tuple[dict[str, Any], ...]
    server_counts: dict[str, int]
