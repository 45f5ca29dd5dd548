"""Figures that table and report both tell, and how they are written for people."""

from __future__ import annotations

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
