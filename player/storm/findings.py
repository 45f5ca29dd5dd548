"""What each chart of a report found, in words, with the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from player.storm import charts
from player.storm.chart_parts import Spec
from player.storm.document import Run
from player.storm.figures import duration, listed, named, names, number, peak_once_all_play, stalled_clients


class Chart(NamedTuple):
    """`finding`: what it shows, in words. `rows` under `head`: its numbers."""

    id: str
    finding: str
    explained: str
    drawings: tuple[tuple[str, Spec], ...]  # a small heading ("" for none) and a chart
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def charts_of(runs: Sequence[Run]) -> list[Chart]:
    return [
        _requests(runs),
        _causes(runs),
        _answers(runs),
        *([_stalls(runs)] if any(map(stalled_clients, runs)) else []),
    ]


def _requests(runs: Sequence[Run]) -> Chart:
    return Chart(
        id="requests",
        finding=peaks_found(runs),
        explained="License requests in each second, all strategies in one picture. Dashed: keys change.",
        drawings=(("", charts.requests_over_time(runs)),),
        head=("second", *names(runs)),
        rows=_by_second([run["summary"]["requests_per_s"] for run in runs]),
    )


def _causes(runs: Sequence[Run]) -> Chart:
    found = (f"{_mostly(run)} ({name})" for run, name in named(runs))
    lanes = [(name, cause, counts) for run, name in named(runs) for cause, counts in _by_cause(run).items()]
    return Chart(
        id="causes",
        finding=f"Why they asked: {', '.join(found)}",
        explained="License requests in each second by cause, a lane each; within a strategy all lanes have one scale.",
        drawings=tuple(
            (name, charts.causes_over_time(run, place, runs)) for place, (run, name) in enumerate(named(runs))
        ),
        head=("second", *(f"{name}, {cause}" for name, cause, _ in lanes)),
        rows=_by_second([counts for _, _, counts in lanes]),
    )


def _answers(runs: Sequence[Run]) -> Chart:
    within = listed(f"{duration(run['summary']['latency_ms']['p99'])} ({name})" for run, name in named(runs))
    return Chart(
        id="answers",
        finding=f"99 of 100 license requests are answered within {within}",
        explained="From the instant a request was meant to leave to its answer, by the second it was meant to leave "
        "in: the bar reaches from the middle request to the mark, within which 99 of 100 were answered. "
        "Seconds whose requests were not all answered before the run ended are left out.",
        drawings=(("", charts.answers_over_time(runs)),),
        head=("second", *(f"{name}, {half}" for name in names(runs) for half in ("half, ms", "99 %, ms"))),
        rows=_by_second([run["series_1s"]["answer_ms"][percentile] for run in runs for percentile in ("p50", "p99")]),
    )


def _stalls(runs: Sequence[Run]) -> Chart:
    clients = listed(f"{stalled_clients(run)} ({name})" for run, name in named(runs))
    return Chart(
        id="stalls",
        finding=f"Viewers that stood still at some time: {clients}",
        explained="Clients that stood still at some time of each second, because their next picture had no key or had "
        "not arrived.",
        drawings=(("", charts.stalled_over_time(runs)),),
        head=("second", *names(runs)),
        rows=_by_second([run["series_1s"]["stalled_clients"] for run in runs]),
    )


def peaks_found(runs: Sequence[Run]) -> str:
    peaks = listed(f"{peak_once_all_play(run)} ({name})" for run, name in named(runs))
    return f"License requests in the busiest second, once everybody plays: {peaks}"


def _mostly(run: Run) -> str:
    totals = {cause: sum(counts) for cause, counts in _by_cause(run).items()}
    if not totals:
        return "none"
    cause = max(totals, key=lambda each: totals[each])
    return f"{totals[cause]} of {sum(totals.values())} {cause}"


def _by_cause(run: Run) -> dict[str, list[int]]:
    return run["series_1s"]["by_cause"]


def _by_second(columns: Sequence[Sequence[float | None]]) -> list[list[str]]:
    length = max(map(len, columns), default=0)
    return [
        [str(second), *(number(column[second]) if second < len(column) else "" for column in columns)]
        for second in range(length)
    ]
