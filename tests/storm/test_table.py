"""The table on the terminal."""

from __future__ import annotations

import copy
import io

from player.storm import table
from player.storm.document import Run
from tests.storm.storms import STRATEGIES, result

RUNS = [result(strategy) for strategy in STRATEGIES]


def shown(*runs: Run, width: int | None = None) -> str:
    out = io.StringIO()
    table.show(runs, out, width=width)
    return out.getvalue()


def row(text: str, name: str) -> list[list[str]]:
    return [line.removeprefix(f"  {name}").split() for line in text.splitlines() if line.startswith(f"  {name}")]


def test_three_strategies_stand_side_by_side_in_80_columns_of_plain_text() -> None:
    text = shown(*RUNS)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "…" not in text
    assert "60 clients · virtual time · media full · seed 1" in text
    assert row(text, "license requests")[0] == ["60", "60", "0"]
    assert row(text, "most in one second")[0][0] == "60"
    assert text.splitlines()[-1].split() == ["verdict", "valid", "valid", "valid"]


def test_strategies_that_do_not_fit_go_into_a_second_table() -> None:
    text = shown(*RUNS, *RUNS, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("whole run") == 2


def test_a_run_that_is_not_valid_says_why() -> None:
    run = copy.deepcopy(RUNS[0])
    run["validity"]["verdict"] = "invalid"
    run["validity"]["conditions"][0] |= {"holds": False, "value": 7}
    last = shown(run).splitlines()[-1]
    assert last == "on-demand is invalid: requests intended but never sent: 7, limit 0"


def test_a_title_is_text_and_never_markup() -> None:
    run = copy.deepcopy(RUNS[0])
    run["title"] = "[red]not markup[/red]"
    assert shown(run).startswith("[red]not markup[/red]")


def test_a_run_without_boundaries_has_a_table_all_the_same() -> None:
    run = copy.deepcopy(RUNS[0])
    run["summary"]["boundaries"] = []
    run["summary"]["latency_ms"] = {"p50": None, "p95": None, "p99": None, "max": None}
    text = shown(run)
    assert "new key" not in text
    assert row(text, "answered in, half of them") == [["–"]]
