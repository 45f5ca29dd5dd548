"""The three strategies of the demo on the virtual clock: what each does to the server and to the viewers."""

from __future__ import annotations

import pytest

from player.clock import SECOND
from player.storm.boundaries import boundaries
from player.storm.document import AtBoundary, FormResult, Run
from player.storm.figures import peak_once_all_play
from player.storm.oracles import behind_us
from player.storm.spec import StrategySpec
from tests.storm.storms import BOUNDARIES_S, CLIENTS, EMBEDDED, JITTER, ON_DEMAND, STRATEGIES, played, result


def at(strategy: StrategySpec) -> list[AtBoundary]:
    return result(strategy)["summary"]["boundaries"]


def forms_of(run: Run, number: str) -> list[FormResult]:
    everywhere = [run["start"]["forms"], *(boundary["forms"] for boundary in run["boundaries"]), run["totals"]["forms"]]
    return [form for forms in everywhere for form in forms if form["form"] == number]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda it: it.name)
def test_every_run_is_valid_and_every_form_that_applies_holds(strategy: StrategySpec) -> None:
    run = result(strategy)
    assert run["validity"]["verdict"] == "valid"
    assert run["summary"]["valid"]
    for number in ("O1", "O2", "O5", "O6", "O19"):
        assert [form for form in forms_of(run, number) if not form["holds"]] == []


@pytest.mark.rule("storm:O1")
@pytest.mark.rule("storm:O5")
@pytest.mark.rule("storm:O6")
def test_on_demand_is_a_storm_that_waits_and_stalls_as_arithmetic_says() -> None:
    run = result(ON_DEMAND)
    assert [form["measured"] for form in forms_of(run, "O1")] == [CLIENTS] * 4  # joins and three boundaries
    assert len(forms_of(run, "O5")) == 9
    assert len(forms_of(run, "O6")) == 3
    for boundary in at(ON_DEMAND):
        assert boundary["requests"] == boundary["peak_1s"] == boundary["by_cause"]["rotation"] == CLIENTS
        assert boundary["all_usable_after_s"] == pytest.approx(6, abs=0.1)  # 60 licenses at 10 a second
    assert 2 <= at(ON_DEMAND)[0]["stalled_clients"] <= 8  # a twelfth of them, give or take


@pytest.mark.rule("decisions:D49")
def test_boundaries_count_only_where_the_last_client_can_play_across_them() -> None:
    assert tuple(boundary["at_s"] for boundary in at(ON_DEMAND)) == BOUNDARIES_S
    beyond = result(ON_DEMAND)["boundaries"][3]
    assert (beyond["at_s"], beyond["counted"], beyond["requests"]) == (34.0, False, CLIENTS)
    assert beyond["all_usable_after_s"] is None


def test_jitter_keeps_the_server_below_the_storm_and_nobody_stalls() -> None:
    run = result(JITTER)
    assert peak_once_all_play(run) <= 80 * CLIENTS / 300
    assert run["stalls"]["clients"] == 0
    for boundary in at(JITTER):
        assert boundary["requests"] == boundary["by_cause"]["prefetch"] == CLIENTS


def test_embedded_keys_ask_for_nothing_when_keys_change() -> None:
    run = result(EMBEDDED)
    assert run["totals"]["by_cause"] == {"start": CLIENTS}
    assert [boundary["requests"] for boundary in at(EMBEDDED)] == [0, 0, 0]
    assert all(0 < (boundary["all_usable_after_s"] or 0) < 0.2 for boundary in at(EMBEDDED))
    assert run["stalls"]["clients"] == 0


@pytest.mark.rule("decisions:D36")
def test_a_stall_begins_where_live_delay_start_up_and_earlier_stalls_say() -> None:
    record = played(ON_DEMAND)
    for boundary in boundaries(record)[:3]:
        stalls = [stall for stall in record.seen.stalls if stall.kid in boundary.kids]
        assert stalls
        for stall in stalls:
            own = [each for each in record.seen.stalls if each.client == stall.client]
            expected_us = boundary.at_us + behind_us(record, stall.client, own, stall.at_us)
            assert stall.at_us == pytest.approx(expected_us, abs=2_000)
            assert stall.cause == "key"


@pytest.mark.rule("decisions:D49")
def test_latency_leaves_out_what_was_still_under_way_at_the_end() -> None:
    run = result(ON_DEMAND)
    assert run["totals"]["under_way_at_end"] > 0
    assert run["latency"]["known_until_s"] == pytest.approx(34, abs=0.1)
    assert run["latency"]["response"]["all"]["histogram"]["count"] == 4 * CLIENTS
    assert run["series_1s"]["answer_ms"]["p99"][34] is None
    assert 5_000 < (run["summary"]["latency_ms"]["max"] or 0) < 6_200


@pytest.mark.rule("decisions:D48")
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda it: it.name)
def test_series_totals_and_causes_tell_the_same_requests(strategy: StrategySpec) -> None:
    run = result(strategy)
    series = run["series_1s"]
    assert series["intended"] == run["summary"]["requests_per_s"]
    assert sum(series["intended"]) == run["totals"]["attempts"]
    assert [sum(second) for second in zip(*series["by_cause"].values(), strict=True)] == series["intended"]
    assert {cause: sum(of) for cause, of in series["by_cause"].items()} == run["totals"]["by_cause"]
    assert series["backlog"][-1] == run["totals"]["under_way_at_end"]
    assert sum(series["goodput"]) == sum(series["completed"]) == run["totals"]["by_outcome"]["ok"]
    for boundary in run["boundaries"]:
        assert sum(boundary["by_cause"].values()) == boundary["requests"]


def test_the_tenths_around_a_boundary_show_the_burst() -> None:
    tenths = result(ON_DEMAND)["series_100ms"]
    assert tenths["intended"]["100"] == CLIENTS
    assert "101" not in tenths["intended"]
    assert sum(tenths["completed"].get(str(tenth), 0) for tenth in range(100, 161)) == CLIENTS


def test_the_summary_has_exactly_the_fields_that_are_promised() -> None:
    summary = result(JITTER)["summary"]
    assert summary.keys() == PROMISED
    assert summary["boundaries"][0].keys() == PROMISED_AT_BOUNDARIES
    assert summary["boundaries"][0]["by_cause"].keys() == PROMISED_CAUSES
    assert summary["latency_ms"].keys() == {"p50", "p95", "p99", "max"}
    assert summary["generator"].keys() == {"late_ms_p99", "cpu_us_per_request", "rss_kib_per_client", "lost_clients"}


PROMISED = {
    *("clients", "strategy", "driver", "media", "seed", "valid", "boundaries", "requests_per_s", "latency_ms"),
    *("amplification", "gave_up", "generator"),
}
PROMISED_AT_BOUNDARIES = {
    *("at_s", "requests", "peak_1s", "peak_100ms", "by_cause", "stalled_clients", "stall_s_total"),
    "all_usable_after_s",
}
PROMISED_CAUSES = {"initial", "rotation", "prefetch", "renewal", "retry", "release", "duplicate"}


def test_virtual_time_is_neither_late_nor_anybodys_cpu() -> None:
    generator = result(JITTER)["summary"]["generator"]
    assert generator["late_ms_p99"] is not None
    assert generator["late_ms_p99"] <= 5  # the modelled CDM
    assert generator["cpu_us_per_request"] is generator["rss_kib_per_client"] is None
    assert played(JITTER).gauge.cpu == []
    assert all(attempt.intended_us <= 35 * SECOND for attempt in played(JITTER).seen.attempts)
