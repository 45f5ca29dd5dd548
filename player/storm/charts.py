"""Charts of a storm as Vega-Lite specifications: plain values, drawn by whoever has a renderer.

Each is one view whose width follows its container, so it fits a phone. A strategy has its colour, its dash and its
shape in all of them: colour never carries meaning alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from player.storm.document import Run

Spec = dict[str, Any]

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

_INK: Final = "#1f2933"
_QUIET: Final = "#66727f"
_FAINT: Final = "#e4e7eb"
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_LANE_PX: Final = 58
_LANE_FILL: Final = 0.7  # of a lane's height; the rest is its label's
_LANE_LABEL: Final[Spec] = {
    "type": "text",
    "align": "left",
    "baseline": "top",
    "dy": 3,
    "dx": 3,
    "color": _INK,
    "fontSize": 11,
}
_CAPACITY_LABEL: Final[Spec] = {
    "type": "text",
    "align": "right",
    "baseline": "bottom",
    "dx": -2,
    "dy": -4,
    "color": _INK,
    "fontSize": 11,
}
_HALO: Final[Spec] = {"stroke": "#ffffff", "strokeWidth": 4, "color": "#ffffff"}
_MS_TICKS: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)

_LINES: Final[Spec] = {"symbolType": "stroke", "symbolSize": 700}
_SHAPES: Final[Spec] = {"symbolSize": 90}

_CONFIG: Final[Spec] = {
    "font": _FONT,
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _QUIET,
        "titleColor": _QUIET,
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
        "labelColor": _INK,
        "labelFontSize": 12,
        "symbolStrokeWidth": 2.5,
        "symbolOpacity": 1,
        "columnPadding": 18,
        "columns": 3,
    },
    "title": {"anchor": "start", "color": _INK, "subtitleColor": _QUIET, "fontSize": 15, "subtitleFontSize": 12},
}


class _Look(NamedTuple):
    colour: str
    dash: tuple[int, ...]
    shape: str


def look(place: int) -> _Look:
    """How the strategy at this place is drawn."""
    return _Look(*LOOKS[place % len(LOOKS)])


def names(runs: Sequence[Run]) -> list[str]:
    """A name for each run, all different: a strategy that was run twice has its number behind it."""
    given = [run["summary"]["strategy"] for run in runs]
    return [
        name if given.count(name) == 1 else f"{name} {given[: place + 1].count(name)}"
        for place, name in enumerate(given)
    ]


def requests_over_time(runs: Sequence[Run]) -> Spec:
    """License requests a second, all strategies in one picture, with boundaries and the server's capacity."""
    counts = {name: run["summary"]["requests_per_s"] for name, run in zip(names(runs), runs, strict=True)}
    return _steps(runs, counts, "License requests a second", _capacity_layers(runs), 300)


def stalled_over_time(runs: Sequence[Run]) -> Spec:
    """Clients that stood at some time of each second."""
    counts = {name: run["series_1s"]["stalled_clients"] for name, run in zip(names(runs), runs, strict=True)}
    return _steps(runs, counts, "Clients that stand still", [], 200)


def answers_over_time(runs: Sequence[Run]) -> Spec:
    """How long license answers took, by the second they were asked for in: from the middle one to the 99th of 100."""
    width = 1 / (len(runs) + 1)
    values = [
        {"at": second + width * (place + 1), "second": second, "strategy": name, "half": half, "most": most}
        for place, (name, run) in enumerate(zip(names(runs), runs, strict=True))
        for second, (half, most) in enumerate(
            zip(run["series_1s"]["answer_ms"]["p50"], run["series_1s"]["answer_ms"]["p99"], strict=True)
        )
        if half is not None and most is not None
    ]
    label = "datum.value < 1000 ? datum.value + ' ms' : datum.value / 1000 + ' s'"
    scale: Spec = {"type": "log", "nice": False, "padding": 8}
    y: Spec = {
        "field": "half",
        "type": "quantitative",
        "scale": scale,
        "axis": {"title": None, "values": list(_MS_TICKS), "labelExpr": label, "tickCount": 6},
    }
    shaped = _by_strategy(runs, "color", "colour", _SHAPES) | _by_strategy(runs, "shape", "shape", _SHAPES)
    x = {"field": "at", **_time_axis(runs)}
    told = [
        {"field": "strategy", "title": "strategy"},
        {"field": "second", "title": "asked in second"},
        {"field": "half", "title": "half within, ms", "format": ",.0f"},
        {"field": "most", "title": "99 % within, ms", "format": ",.0f"},
    ]
    layers: list[Spec] = [
        *_boundary_layers(runs),
        {
            "data": {"values": values},
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45},
            "encoding": {"x": x, "y": y, "y2": {"field": "most"}, **_by_strategy(runs, "color", "colour", _SHAPES)},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "most"}, **shaped, "tooltip": told},
        },
    ]
    return _view(layers, 240, "How long license answers took, by second")


def causes_over_time(run: Run, place: int, runs: Sequence[Run]) -> Spec:
    """License requests a second by cause: a lane each, all of one scale."""
    lanes = run["series_1s"]["by_cause"]
    most = max((max(counts, default=0) for counts in lanes.values()), default=0) or 1
    bars = [
        {
            "from": second,
            "to": second + 1,
            "cause": cause,
            "requests": count,
            "low": -lane,
            "high": _top(lane, count, most),
        }
        for lane, (cause, counts) in enumerate(lanes.items(), start=1)
        for second, count in enumerate(counts)
        if count
    ]
    labels = [
        {"at": 0, "y": 1 - lane, "text": f"{cause}: {sum(counts)}, at most {max(counts, default=0)} in a second"}
        for lane, (cause, counts) in enumerate(lanes.items(), start=1)
    ]
    y: Spec = {"type": "quantitative", "scale": {"domain": [-len(lanes), 0], "nice": False}, "axis": None}
    text = {"x": {"field": "at", **_time_axis(runs)}, "y": {"field": "y", **y}, "text": {"field": "text"}}
    told = [
        {"field": "cause", "title": "cause"},
        {"field": "from", "title": "second"},
        {"field": "requests", "title": "requests"},
    ]
    layers: list[Spec] = [
        *_boundary_layers(runs, labelled=False),
        {
            "data": {"values": [{"y": -lane} for lane in range(1, len(lanes) + 1)]},
            "mark": {"type": "rule", "color": _QUIET, "opacity": 0.6},
            "encoding": {"y": {"field": "y", **y}},
        },
        {
            "data": {"values": bars},
            "mark": {"type": "rect", "color": look(place).colour, "stroke": "#ffffff", "strokeWidth": 0.5},
            "encoding": {
                "x": {"field": "from", **_time_axis(runs)},
                "x2": {"field": "to"},
                "y": {"field": "low", **y},
                "y2": {"field": "high"},
                "tooltip": told,
            },
        },
        *({"data": {"values": labels}, "mark": mark, "encoding": text} for mark in (_LANE_LABEL | _HALO, _LANE_LABEL)),
    ]
    return _view(layers, _LANE_PX * max(1, len(lanes)), f"License requests by cause, {run['summary']['strategy']}")


def _top(lane: int, count: int, most: int) -> float:
    return round(-lane + _LANE_FILL * count / most, 4)


def titled(spec: Spec, title: str, subtitle: str, width_px: int) -> Spec:
    """The same chart as a picture of its own."""
    return {**spec, "width": width_px, "title": {"text": title, "subtitle": subtitle, "offset": 14}}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _view(layers: list[Spec], height_px: int, description: str) -> Spec:
    return {
        "description": description,
        "width": "container",
        "height": height_px,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _CONFIG,
        "layer": layers,
    }


def _steps(runs: Sequence[Run], counts: dict[str, list[int]], what: str, before: list[Spec], height_px: int) -> Spec:
    """A step line a strategy: a second's count holds until the next second."""
    values = [
        {"second": second, "strategy": name, "count": count}
        for name, of in counts.items()
        for second, count in enumerate([*of, *of[-1:]])
    ]
    encoding = {
        "x": {"field": "second", **_time_axis(runs)},
        "y": {
            "field": "count",
            "type": "quantitative",
            "axis": {"title": None, "tickCount": 5},
            "scale": {"nice": True},
        },
        **_by_strategy(runs, "color", "colour", _LINES),
    }
    told = [
        {"field": "strategy", "title": "strategy"},
        {"field": "second", "title": "second"},
        {"field": "count", "title": what.lower()},
    ]
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.1, "line": False},
            "encoding": {**encoding, "y": {**encoding["y"], "stack": None}},
        },
        *_boundary_layers(runs),
        {
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.25, "strokeJoin": "round"},
            "encoding": {**encoding, **_by_strategy(runs, "strokeDash", "dash", _LINES)},
        },
        *before,
        {
            "data": {"values": values},
            "mark": {"type": "point", "opacity": 0, "size": 120},  # unseen, for the tooltip
            "encoding": {**encoding, "tooltip": told},
        },
    ]
    return _view(layers, height_px, what)


def _by_strategy(runs: Sequence[Run], channel: str, part: str, legend: Spec) -> Spec:
    """One channel by strategy. Channels with the same field and legend share one."""
    domain = names(runs)
    drawn = [getattr(look(place), part) for place in range(len(domain))]
    scale = {"domain": domain, "range": [list(each) if isinstance(each, tuple) else each for each in drawn]}
    return {channel: {"field": "strategy", "type": "nominal", "scale": scale, "legend": legend}}


def _end_s(runs: Iterable[Run]) -> int:
    return max((len(run["summary"]["requests_per_s"]) for run in runs), default=1)


def _time_axis(runs: Sequence[Run]) -> Spec:
    return {
        "type": "quantitative",
        "scale": {"domain": [0, _end_s(runs)], "nice": False},
        "axis": {"title": "seconds since the run began", "grid": False, "tickCount": 8, "labelFlush": True},
    }


def _boundary_layers(runs: Sequence[Run], *, labelled: bool = True) -> list[Spec]:
    instants = sorted({boundary["at_s"] for run in runs for boundary in run["boundaries"]})
    values = [{"at": at_s, "label": "new key"} for at_s in instants]
    x = {"field": "at", **_time_axis(runs)}
    rule: Spec = {
        "data": {"values": values},
        "mark": {"type": "rule", "color": _QUIET, "strokeWidth": 1, "strokeDash": [3, 3], "opacity": 0.8},
        "encoding": {"x": x},
    }
    label: Spec = {
        "data": {"values": values},
        "mark": {"type": "text", "baseline": "bottom", "dy": -4, "color": _QUIET, "fontSize": 11},
        "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "label"}},
    }
    return [rule, label] if labelled else [rule]


def _capacity_layers(runs: Sequence[Run]) -> list[Spec]:
    capacities = {run["spec"]["backend"]["license"]["admission"]["capacity"] for run in runs} - {None}
    values = [{"capacity": capacity, "label": f"capacity {capacity:g} a second"} for capacity in sorted(capacities)]
    y = {"field": "capacity", "type": "quantitative"}
    label = {"y": y, "x": {"datum": _end_s(runs), **_time_axis(runs)}, "text": {"field": "label"}}
    return [
        {
            "data": {"values": values},
            "mark": {"type": "rule", "color": _INK, "strokeWidth": 1, "strokeDash": [1, 3]},
            "encoding": {"y": y},
        },
        *(
            {"data": {"values": values}, "mark": mark, "encoding": label}
            for mark in (_CAPACITY_LABEL | _HALO, _CAPACITY_LABEL)
        ),
    ]
