"""What the charts of a storm share: how a strategy looks, the time axis, the boundaries and the server's capacity.

A strategy has its colour, its dash and its shape in all of them: colour never carries meaning alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from player.storm.document import Run
from player.storm.figures import names

Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""

LOOKS: Final = (
    # colour (Okabe and Ito's, told apart by colour-blind people), dash, shape
    ("#D55E00", (1, 0), "circle"),
    ("#0072B2", (7, 4), "square"),
    ("#009E73", (2, 3), "triangle-up"),
    ("#CC79A7", (10, 3, 2, 3), "diamond"),
    ("#E69F00", (4, 2), "cross"),
    ("#56B4E9", (1, 2), "triangle-down"),
    ("#000000", (12, 4), "triangle-right"),
)
"""By place of the strategy; with more strategies than looks, they begin again."""

INK: Final = "#1f2933"
QUIET: Final = "#66727f"
_FAINT: Final = "#e4e7eb"
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_CAPACITY_LABEL: Final[Spec] = {
    "type": "text",
    "align": "right",
    "baseline": "bottom",
    "dx": -2,
    "dy": -4,
    "color": INK,
    "fontSize": 11,
}
HALO: Final[Spec] = {"stroke": "#ffffff", "strokeWidth": 4, "color": "#ffffff"}
LINES: Final[Spec] = {"symbolType": "stroke", "symbolSize": 700}
SHAPES: Final[Spec] = {"symbolSize": 90}

_CONFIG: Final[Spec] = {
    "font": _FONT,
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "titleFontWeight": "normal",
        "domain": False,
        "tickColor": _FAINT,
        "gridColor": _FAINT,
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
    "legend": {
        "orient": "top",
        "offset": 22,
        "title": None,
        "labelColor": INK,
        "labelFontSize": 12,
        "symbolStrokeWidth": 2.5,
        "symbolOpacity": 1,
        "columnPadding": 18,
        "columns": 3,
    },
    "title": {"anchor": "start", "color": INK, "subtitleColor": QUIET, "fontSize": 15, "subtitleFontSize": 12},
}


class Look(NamedTuple):
    colour: str
    dash: tuple[int, ...]
    shape: str


def look(place: int) -> Look:
    """How the strategy at this place is drawn."""
    return Look(*LOOKS[place % len(LOOKS)])


def view(layers: list[Spec], height_px: int, description: str) -> Spec:
    return {
        "description": description,
        "width": "container",
        "height": height_px,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _CONFIG,
        "layer": layers,
    }


def by_strategy(runs: Sequence[Run], channel: str, part: str, legend: Spec) -> Spec:
    """One channel by strategy. Channels with the same field and legend share one."""
    domain = names(runs)
    drawn = [getattr(look(place), part) for place in range(len(domain))]
    scale = {"domain": domain, "range": [list(each) if isinstance(each, tuple) else each for each in drawn]}
    return {channel: {"field": "strategy", "type": "nominal", "scale": scale, "legend": legend}}


def _end_s(runs: Iterable[Run]) -> int:
    return max((len(run["summary"]["requests_per_s"]) for run in runs), default=1)


def time_axis(runs: Sequence[Run]) -> Spec:
    return {
        "type": "quantitative",
        "scale": {"domain": [0, _end_s(runs)], "nice": False},
        "axis": {"title": "seconds since the run began", "grid": False, "tickCount": 8, "labelFlush": True},
    }


def boundary_layers(runs: Sequence[Run], *, labelled: bool = True) -> list[Spec]:
    instants = sorted({boundary["at_s"] for run in runs for boundary in run["boundaries"]})
    values = [{"at": at_s, "label": "new key"} for at_s in instants]
    x = {"field": "at", **time_axis(runs)}
    rule: Spec = {
        "data": {"values": values},
        "mark": {"type": "rule", "color": QUIET, "strokeWidth": 1, "strokeDash": [3, 3], "opacity": 0.8},
        "encoding": {"x": x},
    }
    label: Spec = {
        "data": {"values": values},
        "mark": {"type": "text", "baseline": "bottom", "dy": -4, "color": QUIET, "fontSize": 11},
        "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "label"}},
    }
    return [rule, label] if labelled else [rule]


def capacity_layers(runs: Sequence[Run]) -> list[Spec]:
    capacities = {run["spec"]["backend"]["license"]["admission"]["capacity"] for run in runs} - {None}
    values = [{"capacity": capacity, "label": f"capacity {capacity:g} a second"} for capacity in sorted(capacities)]
    y = {"field": "capacity", "type": "quantitative"}
    label = {"y": y, "x": {"datum": _end_s(runs), **time_axis(runs)}, "text": {"field": "label"}}
    return [
        {
            "data": {"values": values},
            "mark": {"type": "rule", "color": INK, "strokeWidth": 1, "strokeDash": [1, 3]},
            "encoding": {"y": y},
        },
        *(
            {"data": {"values": values}, "mark": mark, "encoding": label}
            for mark in (_CAPACITY_LABEL | HALO, _CAPACITY_LABEL)
        ),
    ]
