"""The terminal's picture of a storm: measures down, strategies across. Plain text where stdout is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from player.storm.document import AtBoundary, Run
from player.storm.figures import NOTHING, after, duration, network, peak_once_all_play, stalled_clients

_WIDTH: Final = 80  # where nobody says how wide the output is
_NAME_WIDTH: Final = 32
_COLUMN_WIDTH: Final = 12
_PADDING: Final = 3  # between two columns
_VERDICTS: Final = {"valid": "green", "partial": "yellow", "invalid": "bold red"}


def show(runs: Sequence[Run], file: TextIO | None = None, width: int | None = None) -> None:
    """Write the table to `file` (stdout)."""
    out = file or sys.stdout
    terminal = out.isatty()
    console = Console(file=out, width=width or (None if terminal else _WIDTH), highlight=False, soft_wrap=False)
    if runs and runs[0]["title"]:
        console.print(Text(runs[0]["title"], style="bold"))
    if runs:
        console.print(Text(_what_was_run(runs[0])))
    for some in _chunks(runs, max(1, (console.width - _NAME_WIDTH - 1) // (_COLUMN_WIDTH + _PADDING))):
        console.print(_table(some))
    for line in _reasons(runs):
        console.print(Text(line))


def _what_was_run(run: Run) -> str:
    summary = run["summary"]
    return f"{summary['clients']} clients · {network(run)} · media {summary['media']} · seed {summary['seed']}"


def _chunks(runs: Sequence[Run], size: int) -> list[Sequence[Run]]:
    return [runs[start : start + size] for start in range(0, len(runs), size)]


def _table(runs: Sequence[Run]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    table.add_column("", width=_NAME_WIDTH, no_wrap=True)
    for run in runs:
        table.add_column(run["summary"]["strategy"], justify="right", width=_COLUMN_WIDTH, overflow="fold")
    for place, at_s in enumerate(_instants(runs)):
        table.add_row(Text(f"new key at {at_s:g} s", style="bold"), *[""] * len(runs))
        for name, tell in _AT_BOUNDARY:
            table.add_row(f"  {name}", *(tell(run["summary"]["boundaries"][place]) for run in runs))
    table.add_row(Text("whole run", style="bold"), *[""] * len(runs))
    for name, tells in _WHOLE_RUN:
        table.add_row(f"  {name}", *(tells(run) for run in runs))
    table.add_section()
    table.add_row("verdict", *(_verdict(run) for run in runs))
    return table


def _instants(runs: Sequence[Run]) -> list[float]:
    """Boundaries that all runs have; strategies of one storm have the same."""
    shortest = min((run["summary"]["boundaries"] for run in runs), key=len)
    return [boundary["at_s"] for boundary in shortest]


def _verdict(run: Run) -> Text:
    verdict = run["validity"]["verdict"]
    return Text(verdict, style=_VERDICTS[verdict])


def _reasons(runs: Sequence[Run]) -> list[str]:
    """A line for each condition that does not hold."""
    return [
        f"{run['summary']['strategy']} is {run['validity']['verdict']}: "
        f"{condition['name']}: {condition['value']:g}, limit {condition['limit']}"
        for run in runs
        for condition in run["validity"]["conditions"]
        if not condition["holds"]
    ]


def _stalled(at_boundary: AtBoundary) -> str:
    return f"{at_boundary['stall_s_total']:.1f}" if at_boundary["stalled_clients"] else NOTHING


_AT_BOUNDARY: Final[tuple[tuple[str, Callable[[AtBoundary], str]], ...]] = (
    ("license requests", lambda it: str(it["requests"])),
    ("most in one second", lambda it: str(it["peak_1s"])),
    ("clients stalled", lambda it: str(it["stalled_clients"])),
    ("seconds stalled, all together", _stalled),
    ("every client has the key", lambda it: after(it["all_usable_after_s"])),
)

_WHOLE_RUN: Final[tuple[tuple[str, Callable[[Run], str]], ...]] = (
    ("license requests", lambda run: str(sum(run["summary"]["requests_per_s"]))),
    ("most in a second once all play", lambda run: str(peak_once_all_play(run))),
    ("clients stalled", lambda run: str(stalled_clients(run))),
    ("answered in, half of them", lambda run: duration(run["summary"]["latency_ms"]["p50"])),
    ("answered in, 99 % of them", lambda run: duration(run["summary"]["latency_ms"]["p99"])),
    ("attempts per license", lambda run: f"{run['summary']['amplification']:.2f}"),
    ("clients that gave up", lambda run: str(run["summary"]["gave_up"])),
)
