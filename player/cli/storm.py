"""`keystorm storm`: a scenario with many clients, each strategy in turn, and what the license servers saw."""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from player.cli import values
from player.cli.main import DONE, FAILED
from player.cli.outputs import check_writable
from player.cli.side_by_side import play_all
from player.cli.talk import talk
from player.engine.spec import Media
from player.scenario.load import find, load
from player.scenario.specs import to_storm
from player.storm import result, table
from player.storm.document import Run
from player.storm.spec import ClockKind, DriverKind
from player.storm.strategy import STRATEGIES

DEMO: Final = "demo"


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("scenario", metavar="SCENARIO", nargs="?", default=DEMO, help="name or .toml file (default: %(default)s)")
    strategy = values.name_at("$.storm.strategies[].name")
    known = ", ".join(STRATEGIES)
    add("--strategy", metavar="NAME", type=strategy, action="append", help=f"{known}; repeatable: side by side")
    add(
        "--driver", choices=[kind.value for kind in DriverKind], help="how clients are driven (default: the scenario's)"
    )
    add(
        "--media",
        choices=[media.value for media in Media],
        help="full: fetch and decrypt; signals: fetch and parse the key signals",
    )
    add("--result", metavar="FILE.json", type=Path, help="write everything that was measured")
    add("--trace", metavar="FILE", type=Path, help="write events as lines of JSON, a file a strategy")
    add("--report", metavar="FILE.html", type=Path, help="write a page with charts that needs no network")
    crowd(parser)


def crowd(parser: ArgumentParser) -> None:
    """The options that storm and demo share."""
    add = parser.add_argument
    add("--clients", metavar="N", type=values.count_at("$.clients.count"), help="how many (default: the scenario's)")
    add(
        "--seed",
        metavar="N",
        type=values.count_at("$.storm.seed"),
        help="where chance begins (default: the scenario's)",
    )
    add(
        "--clock",
        choices=[kind.value for kind in ClockKind],
        help="real: sockets; virtual: the same in memory, without waiting",
    )
    add("--json", action="store_true", help="print the summary as JSON (an array, if several strategies)")


def run(options: Namespace) -> int:
    """0 if every strategy's run is valid, else 1."""
    runs = storm(options)
    return DONE if all(run["summary"]["valid"] for run in runs) else FAILED


def storm(options: Namespace) -> list[Run]:
    """Play, print, write. Raises: UsageError, ScenarioError, BackendError."""
    path = find(options.scenario)
    scenario = load(path)
    for written in (options.report, options.result, options.trace):
        if written is not None:
            check_writable(written)
    spec = to_storm(
        scenario,
        clients=options.clients,
        seed=options.seed,
        strategies=options.strategy or (),
        driver=options.driver and DriverKind(options.driver),
        clock=options.clock and ClockKind(options.clock),
        media=options.media and Media(options.media),
    )
    runs = [result.build(record) for record in play_all(spec, scenario=path.stem, trace=options.trace)]
    _tell(runs, as_json=options.json)
    _write(runs, options)
    return runs


def _tell(runs: list[Run], *, as_json: bool) -> None:
    if as_json:
        summaries = [run["summary"] for run in runs]
        print(json.dumps(summaries[0] if len(summaries) == 1 else summaries, ensure_ascii=False), flush=True)
    else:
        table.show(runs)


def _write(runs: list[Run], options: Namespace) -> None:
    log = talk()
    if options.result is not None:
        result.write(options.result, runs)
        log.info("written", result=str(options.result))
    if options.report is not None:
        from player.storm import report  # charts are heavy, and not everybody wants them

        report.write(options.report, runs, command=again(options))
        log.info("written", report=str(options.report))


def again(options: Namespace) -> str:
    """What to type to run the same storm once more."""
    words = ["keystorm", "storm", options.scenario]
    for name in ("clients", "seed", "driver", "clock", "media"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    for name in options.strategy or ():
        words += ["--strategy", name]
    return shlex.join(words)
