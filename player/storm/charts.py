"""The charts of a storm as Vega-Lite specifications: plain values, drawn by whoever has a renderer.

Each is one view whose width follows its container, so it fits a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from player.storm.chart_parts import (
    HALO,
    INK,
    LINES,
    QUIET,
    SHAPES,
    Spec,
    boundary_layers,
    by_strategy,
    capacity_layers,
    look,
    time_axis,
    view,
)
from player.storm.document import Run
from player.storm.figures import names

_LANE_PX: Final = 58
_LANE_FILL: Final = 0.7  # of a lane's height; the rest is its label's
_LANE_LABEL: Final[Spec] = {
    "type": "text",
    "align": "left",
    "baseline": "top",
    "dy": 3,
    "dx": 3,
    "color": INK,
    "fontSize": 11,
}
_MS_TICKS: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)


def requests_over_time(runs: Sequence[Run]) -> Spec:
    """License requests a second, all strategies in one picture, with boundaries and the server's capacity."""
    counts = {name: run["summary"]["requests_per_s"] for name, run in zip(names(runs), runs, strict=True)}
    return _steps(runs, counts, "License requests a second", capacity_layers(runs), 300)


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
    shaped = by_strategy(runs, "color", "colour", SHAPES) | by_strategy(runs, "shape", "shape", SHAPES)
    x = {"field": "at", **time_axis(runs)}
    told = [
        {"field": "strategy", "title": "strategy"},
        {"field": "second", "title": "asked in second"},
        {"field": "half", "title": "half within, ms", "format": ",.0f"},
        {"field": "most", "title": "99 % within, ms", "format": ",.0f"},
    ]
    layers: list[Spec] = [
        *boundary_layers(runs),
        {
            "data": {"values": values},
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.45},
            "encoding": {"x": x, "y": y, "y2": {"field": "most"}, **by_strategy(runs, "color", "colour", SHAPES)},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
            "encoding": {"x": x, "y": {**y, "field": "most"}, **shaped, "tooltip": told},
        },
    ]
    return view(layers, 240, "How long license answers took, by second")


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
    text = {"x": {"field": "at", **time_axis(runs)}, "y": {"field": "y", **y}, "text": {"field": "text"}}
    told = [
        {"field": "cause", "title": "cause"},
        {"field": "from", "title": "second"},
        {"field": "requests", "title": "requests"},
    ]
    layers: list[Spec] = [
        *boundary_layers(runs, labelled=False),
        {
            "data": {"values": [{"y": -lane} for lane in range(1, len(lanes) + 1)]},
            "mark": {"type": "rule", "color": QUIET, "opacity": 0.6},
            "encoding": {"y": {"field": "y", **y}},
        },
        {
            "data": {"values": bars},
            "mark": {"type": "rect", "color": look(place).colour, "stroke": "#ffffff", "strokeWidth": 0.5},
            "encoding": {
                "x": {"field": "from", **time_axis(runs)},
                "x2": {"field": "to"},
                "y": {"field": "low", **y},
                "y2": {"field": "high"},
                "tooltip": told,
            },
        },
        *({"data": {"values": labels}, "mark": mark, "encoding": text} for mark in (_LANE_LABEL | HALO, _LANE_LABEL)),
    ]
    return view(layers, _LANE_PX * max(1, len(lanes)), f"License requests by cause, {run['summary']['strategy']}")


def _top(lane: int, count: int, most: int) -> float:
    return round(-lane + _LANE_FILL * count / most, 4)


def titled(spec: Spec, title: str, subtitle: str, width_px: int) -> Spec:
    """The same chart as a picture of its own."""
    return {**spec, "width": width_px, "title": {"text": title, "subtitle": subtitle, "offset": 14}}


def _steps(runs: Sequence[Run], counts: dict[str, list[int]], what: str, before: list[Spec], height_px: int) -> Spec:
    """A step line a strategy: a second's count holds until the next second."""
    values = [
        {"second": second, "strategy": name, "count": count}
        for name, of in counts.items()
        for second, count in enumerate([*of, *of[-1:]])
    ]
    encoding = {
        "x": {"field": "second", **time_axis(runs)},
        "y": {
            "field": "count",
            "type": "quantitative",
            "axis": {"title": None, "tickCount": 5},
            "scale": {"nice": True},
        },
        **by_strategy(runs, "color", "colour", LINES),
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
        *boundary_layers(runs),
        {
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.25, "strokeJoin": "round"},
            "encoding": {**encoding, **by_strategy(runs, "strokeDash", "dash", LINES)},
        },
        *before,
        {
            "data": {"values": values},
            "mark": {"type": "point", "opacity": 0, "size": 120},  # unseen, for the tooltip
            "encoding": {**encoding, "tooltip": told},
        },
    ]
    return view(layers, height_px, what)
