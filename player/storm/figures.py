"""Figures that table and report both tell, and how they are written for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from player.storm.document import Run

NOTHING: Final = "–"


def peak_once_all_play(run: Run) -> int:
    """Most requests in any second after every client has had its first key: what the boundaries alone do."""
    return max(run["summary"]["requests_per_s"][ceil(run["validity"]["warm_up_s"]) :], default=0)


def stalled_clients(run: Run) -> int:
    """Different clients that stood at any time."""
    clients: int = run["stalls"]["clients"]
    return clients


def duration(value_ms: float | None) -> str:
    """25 ms, 1.08 s."""
    if value_ms is None:
        return NOTHING
    return f"{value_ms:.0f} ms" if value_ms < 1000 else f"{value_ms / 1000:.2f} s"


def after(value_s: float | None) -> str:
    """Since a boundary: +6.05 s; before it: -0.40 s."""
    return "never" if value_s is None else f"{value_s:+.2f} s"


def network(run: Run) -> str:
    return "virtual time" if run["environment"]["clock"] == "virtual" else "real sockets"


def names(runs: Sequence[Run]) -> list[str]:
    """A name for each run, all different: a strategy that was run twice has its number behind it."""
    given = [run["summary"]["strategy"] for run in runs]
    return [
        name if given.count(name) == 1 else f"{name} {given[: place + 1].count(name)}"
        for place, name in enumerate(given)
    ]


def named(runs: Sequence[Run]) -> list[tuple[Run, str]]:
    """Each run with its name."""
    return list(zip(runs, names(runs), strict=True))


def number(value: float | None) -> str:
    """Six digits at most, whole from a thousand on."""
    return NOTHING if value is None else f"{value:g}" if abs(value) < 1000 else f"{value:.0f}"


def listed(parts: Iterable[str]) -> str:
    """a, b and c."""
    *before, last = list(parts) or [NOTHING]
    return f"{', '.join(before)} and {last}" if before else last
