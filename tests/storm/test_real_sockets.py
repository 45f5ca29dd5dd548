"""A small storm over real sockets: two processes a strategy, real media, real keys, every request in both ledgers.

How fast it goes is the machine's business and is not asserted; what happens is.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from player.storm.document import Run
from player.storm.play import run
from player.storm.result import build
from tests.storm.storms import STRATEGIES, quick_real

pytestmark = pytest.mark.alone

CLIENTS = quick_real().clients


@pytest.fixture(scope="module")
def runs() -> Mapping[str, Run]:
    """All three at the same time: a run is mostly waiting."""
    with ThreadPoolExecutor(len(STRATEGIES)) as threads:
        records = threads.map(lambda strategy: run(quick_real(), strategy), STRATEGIES)
        return {record.strategy.name: build(record) for record in records}


def condition(run_: Run, name: str) -> bool:
    (found,) = (each for each in run_["validity"]["conditions"] if name in each["name"])
    return found["holds"]


@pytest.mark.rule("decisions:D47")
@pytest.mark.parametrize("strategy", [each.name for each in STRATEGIES])
def test_every_player_plays_and_both_sides_counted_the_same_requests(strategy: str, runs: Mapping[str, Run]) -> None:
    result = runs[strategy]
    assert result["totals"]["started"] == CLIENTS
    assert result["totals"]["gave_up"] == result["totals"]["lost"] == {}
    assert condition(result, "one side")
    assert condition(result, "never sent")
    assert condition(result, "clients lost")
    assert all(form["holds"] for form in result["totals"]["forms"])
    assert result["environment"]["clock"] == "real"
    assert result["totals"]["backend"]["media"] > 4 * CLIENTS
    assert (result["summary"]["generator"]["cpu_us_per_request"] or 0) > 0


def test_strategies_differ_on_real_sockets_as_they_do_in_virtual_time(runs: Mapping[str, Run]) -> None:
    (on_demand,) = runs["on-demand"]["summary"]["boundaries"][:1]
    (jitter,) = runs["jitter"]["summary"]["boundaries"][:1]
    (embedded,) = runs["embedded"]["summary"]["boundaries"][:1]
    assert on_demand["at_s"] == 6.0
    assert on_demand["by_cause"]["rotation"] == on_demand["requests"] == CLIENTS
    assert jitter["by_cause"]["prefetch"] + jitter["by_cause"]["rotation"] == CLIENTS
    assert jitter["by_cause"]["prefetch"] > 0
    assert embedded["requests"] == 0
    assert runs["embedded"]["totals"]["by_cause"] == {"start": CLIENTS}
    assert on_demand["peak_1s"] > jitter["peak_1s"]
