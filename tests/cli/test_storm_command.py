"""`keystorm storm` and `keystorm demo`: tables, files and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from player.cli import demo, storm
from player.cli.main import main
from player.cli.side_by_side import trace_path

if TYPE_CHECKING:
    from tests.cli.conftest import Keystorm, Start

SUMMARY = [
    "clients", "strategy", "driver", "media", "seed", "valid", "boundaries", "requests_per_s", "latency_ms",
    "amplification", "gave_up", "generator",
]  # fmt: skip
AT_BOUNDARY = [
    "at_s", "requests", "peak_1s", "peak_100ms", "by_cause", "stalled_clients", "stall_s_total", "all_usable_after_s",
]  # fmt: skip

SHORT = """
[scenario]
format = 1
title = "short"

[content]
tracks = ["audio"]
rotation = "in-band"
crypto_period_s = 4
first_boundary_s = 2

[clients]
count = 4
join = { from_s = 0, to_s = 0.5 }

[storm]
end_s = 4
strategies = [{ name = "on-demand" }]
"""


def test_the_same_seed_gives_the_same_bytes(keystorm: Keystorm, tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        files = ("--result", folder / "r.json", "--trace", folder / "x.trace.jsonl")
        ended = keystorm("storm", "--clock", "virtual", "--clients", "20", "--json", *files)
        assert ended.status == 0, ended.stderr
        told.append((ended.stdout, {path.name: path.read_bytes() for path in folder.iterdir()}))
    assert told[0] == told[1]
    out, written = told[0]
    traces = ["x-embedded.trace.jsonl", "x-jitter.trace.jsonl", "x-on-demand.trace.jsonl"]
    assert sorted(written) == ["r.json", *traces]
    head = json.loads(written["x-jitter.trace.jsonl"].splitlines()[0])
    assert (head["scenario"], head["seed"], head["clock"]) == ("demo", 1, "virtual")
    summaries = json.loads(out)
    assert [list(summary) for summary in summaries] == [SUMMARY] * 3
    assert [list(at) for at in summaries[0]["boundaries"]] == [AT_BOUNDARY] * 3
    assert [summary["strategy"] for summary in summaries] == ["on-demand", "jitter", "embedded"]
    assert [run["summary"] for run in json.loads(written["r.json"])["runs"]] == summaries


def test_another_seed_gives_another_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    told = set()
    for seed in "12":
        assert main(["storm", str(path), "--clock", "virtual", "--seed", seed, "--json"]) == 0
        told.add(capsys.readouterr().out)
    assert len(told) == 2


def test_one_strategy_is_one_object_and_a_trace_of_the_name_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, trace = tmp_path / "short.toml", tmp_path / "t.jsonl"
    path.write_text(SHORT)
    options = ["--clock", "virtual", "--clients", "3", "--strategy", "jitter", "--media", "signals"]
    assert main(["storm", str(path), *options, "--trace", str(trace), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["strategy"], summary["clients"], summary["media"]) == ("jitter", 3, "signals")
    assert trace.exists()


@pytest.mark.alone
def test_real_sockets_with_a_table_for_a_person(keystorm: Keystorm, tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    ended = keystorm("storm", path, "--driver", "play")
    assert ended.stdout.startswith("short\n4 clients · real sockets · media full · seed 1\n")
    assert ended.status == (0 if "invalid" not in ended.stdout else 1), "a busy machine may make a run invalid"
    (line,) = ended.stderr.splitlines()
    assert "playing" in line
    assert "strategy=on-demand" in line


def test_ctrl_c_ends_a_storm_in_one_line_and_leaves_nobody_behind(start: Start) -> None:
    with start("storm", "--clients", "3", "--strategy", "on-demand") as running:
        assert running.process.stderr is not None
        assert "playing" in running.process.stderr.readline()
        children = wait_for_child(running.process.pid)
        ended = running.end()
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr == "keystorm: interrupted: ended before its time\n"
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def wait_for_child(parent: int) -> list[int]:
    """The backend that a storm has started, once it is there."""
    while True:
        listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
        if children := [pid for pid, of in pairs if of == parent]:
            return children


@pytest.mark.rule("decisions:D46")
def test_only_a_storm_that_is_valid_ends_with_0_and_a_demo_always_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def played(valid: bool) -> Any:
        run: dict[str, Any] = {"summary": {"valid": valid}}
        return lambda _options: [run]

    for valid, status in ((True, 0), (False, 1)):
        monkeypatch.setattr(storm, "storm", played(valid))
        monkeypatch.setattr(demo, "storm", played(valid))
        assert (main(["storm"]), main(["demo"])) == (status, 0)


def test_the_demo_plays_its_scenario_and_writes_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--clock", "virtual", "--clients", "3", "--seed", "2"]) == 0
    told = capsys.readouterr().out
    assert "300 viewers, a new key every 8 seconds" in told
    assert "verdict" in told
    assert "seed 2" in told
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "keystorm storm demo --clients 3 --seed 2 --clock virtual" in page, "how to run it again"


def test_traces_of_several_strategies_lie_beside_each_other() -> None:
    path = Path("a/x.trace.jsonl")
    assert trace_path(path, "jitter", alone=True) == path
    assert trace_path(path, "jitter", alone=False) == Path("a/x-jitter.trace.jsonl")
    assert trace_path(Path("x"), "jitter", alone=False) == Path("x-jitter")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["dmeo"], "did you mean 'demo'?"),
        (["nowhere.toml"], "nowhere.toml: No such file"),
        (["pyproject.toml"], "no table [scenario]"),
        (["--clients", "0"], "expected 1 to 1,000,000, not 0"),
        (["--clients", "many"], "expected a whole number"),
        (["--clients", "1000000"], "open files"),
        (["--strategy", "hybrid"], "'hybrid' is not built yet"),
        (["--strategy", "jiter"], "did you mean 'jitter'?"),
        (["--driver", "lean"], "--driver"),
        (["--clock", "wall"], "--clock"),
        (["--media", "none"], "--media"),
        (["--report", "nowhere/r.html"], "no folder nowhere"),
        (["--result", "tests"], "is a folder"),
        (["--trace", "nowhere/x"], "no folder nowhere"),
        (["--workers", "2"], "no option --workers"),
    ],
)
def test_wrong_usage_is_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr("resource.setrlimit", lambda _which, _limits: None)
    assert main(["storm", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert words in err


def test_the_command_is_installed_under_its_name() -> None:
    command = Path(sys.executable).with_name("keystorm")
    if not command.exists():
        pytest.skip("keystorm is not installed into this environment")
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("keystorm ")
