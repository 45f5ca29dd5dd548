"""The report: one page that works offline, on a phone and with scripts off; and its main picture by itself.

Every chart says what it found above, has its numbers below, and is drawn before the page is opened as well as by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from player.storm import charts
from player.storm.chart_parts import Spec, look
from player.storm.document import FormResult, Run
from player.storm.figures import after, duration, listed, named, network, number, peak_once_all_play, stalled_clients
from player.storm.findings import Chart, charts_of, peaks_found
from player.storm.page import Html, document, element, picture, table, text
from player.storm.strategy import STRATEGIES

_DATA: Final = "charts"
_SVG_WIDTH: Final = 900
_BOOT: Final = f"""
const specs = JSON.parse(document.getElementById({_DATA!r}).textContent);
const options = {{mode: "vega-lite", renderer: "svg", actions: false, ast: true}};
for (const [id, spec] of Object.entries(specs)) vegaEmbed(document.getElementById(id), spec, options);
"""


def html(runs: Sequence[Run], *, command: str = "") -> str:
    """The page. `command`: what to type to run the same again."""
    import vl_convert

    shown = charts_of(runs)
    specs = {_drawing_id(chart, place): spec for chart in shown for place, (_, spec) in enumerate(chart.drawings)}
    title = runs[0]["title"] if runs and runs[0]["title"] else "License requests at key rotation"
    body = [
        *_top(runs, title),
        element("div", *(_card(run, name, place) for place, (run, name) in enumerate(named(runs))), class_="cards"),
        *(_section(chart) for chart in shown),
        _at_boundaries(runs),
        _arithmetic(runs),
        _belief(runs),
        _what_was_run(runs, command),
    ]
    script = f"(function () {{{vl_convert.javascript_bundle(_BOOT)}}})();"
    return document(title, body, script=script, data=json.dumps(specs), data_id=_DATA)


def write(path: Path, runs: Sequence[Run], *, command: str = "") -> None:
    path.write_text(html(runs, command=command), encoding="utf-8")


def svg(runs: Sequence[Run]) -> str:
    """The main picture, with its finding as title."""
    return _draw(_main_picture(runs))


def png(runs: Sequence[Run], *, scale: float = 2.0) -> bytes:
    """The same in pixels."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(_main_picture(runs), scale=scale)
    return drawn


def _main_picture(runs: Sequence[Run]) -> Spec:
    title = runs[0]["title"] if runs else ""
    return charts.titled(charts.requests_over_time(runs), title, peaks_found(runs), _SVG_WIDTH)


def _draw(spec: Spec) -> str:
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    return drawn


# ── parts of the page ────────────────────────────────────────────────────────────────────────────────────────────────


def _top(runs: Sequence[Run], title: str) -> Iterable[Html]:
    yield element("h1", text(title))
    if runs:
        yield element("p", text(_in_one_line(runs[0])), class_="quiet")


def _in_one_line(run: Run) -> str:
    summary, backend = run["summary"], run["spec"]["backend"]
    capacity = backend["license"]["admission"]["capacity"]
    served = (
        "a license server without limit" if capacity is None else f"a license server that does {capacity:g} a second"
    )
    return (
        f"{summary['clients']} players with real key logic, {network(run)}, {served}, "
        f"a new key every {backend['content']['crypto_period_s']:g} s, seed {summary['seed']}."
    )


def _card(run: Run, name: str, place: int) -> Html:
    summary, verdict = run["summary"], run["validity"]["verdict"]
    strategy = STRATEGIES.get(summary["strategy"])
    figures = (
        ("busiest second, all playing", str(peak_once_all_play(run))),
        ("viewers that stood still", str(stalled_clients(run))),
        ("99 % answered within", duration(summary["latency_ms"]["p99"])),
        ("license requests in all", str(sum(summary["requests_per_s"]))),
    )
    return element(
        "article",
        element("header", element("b", text(name)), element("span", text(verdict), class_=f"badge {verdict}")),
        element("p", text(_sentence(strategy.tells if strategy else "")), class_="quiet"),
        element("dl", *(element("dt", text(what)) + element("dd", text(value)) for what, value in figures)),
        class_="card",
        style=f"border-top-color: {look(place).colour}",
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _section(chart: Chart) -> Html:
    drawings = [
        (element("h3", text(heading)) if heading else Html(""))
        + element("div", id=_drawing_id(chart, place), class_="chart", role="img", aria_label=heading or chart.finding)
        + element("noscript", picture(_draw({**spec, "width": _SVG_WIDTH}), heading or chart.finding))
        for place, (heading, spec) in enumerate(chart.drawings)
    ]
    return element(
        "section",
        element("h2", text(chart.finding)),
        element("p", text(chart.explained), class_="quiet"),
        *drawings,
        element("details", element("summary", text("The numbers")), table(chart.head, chart.rows)),
    )


def _drawing_id(chart: Chart, place: int) -> str:
    return f"{chart.id}-{place}"


def _at_boundaries(runs: Sequence[Run]) -> Html:
    rows = [
        (
            f"{at['at_s']:g} s",
            name,
            str(at["requests"]),
            str(at["peak_1s"]),
            number(at["peak_100ms"]),
            str(at["stalled_clients"]),
            f"{at['stall_s_total']:.1f}",
            after(at["all_usable_after_s"]),
        )
        for run, name in named(runs)
        for at in run["summary"]["boundaries"]
    ]
    head = (
        "new key at",
        "strategy",
        "requests",
        "most in 1 s",
        "most in 0.1 s",
        "stalled",
        "seconds stalled",
        "all have it",
    )
    return element(
        "section",
        element("h2", text("At each change of keys")),
        element(
            "p",
            text("Requests, stalls and keys by the key they are for. The last column counts from the change."),
            class_="quiet",
        ),
        table(head, rows, words=2),
    )


def _arithmetic(runs: Sequence[Run]) -> Html:
    rows = [
        (where, name, f"{form['form']}: {form['what']}", *_form_figures(form))
        for run, name in named(runs)
        for where, forms in _forms(run)
        for form in forms
    ]
    held = sum(row[-1] == "yes" for row in rows)
    return element(
        "section",
        element("h2", text(f"{held} of {len(rows)} predictions by arithmetic hold")),
        element(
            "p",
            text("Closed forms from queueing and extreme-value theory, beside what this run measured."),
            class_="quiet",
        ),
        element(
            "details",
            element("summary", text("Predicted and measured")),
            table(("where", "strategy", "what", "predicted", "band", "measured", "inside"), rows, words=3),
        ),
    )


def _forms(run: Run) -> Iterable[tuple[str, list[FormResult]]]:
    yield "joining", run["start"]["forms"]
    for boundary in run["boundaries"]:
        yield f"new key at {boundary['at_s']:g} s", boundary["forms"]
    yield "whole run", run["totals"]["forms"]


def _form_figures(form: FormResult) -> tuple[str, str, str, str]:
    band = "exact" if form["low"] == form["high"] else f"{_short(form['low'])} to {_short(form['high'])}"
    return _short(form["predicted"]), band, _short(form["measured"]), "yes" if form["holds"] else "NO"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _belief(runs: Sequence[Run]) -> Html:
    verdicts = listed(f"{name} is {run['validity']['verdict']}" for run, name in named(runs))
    rows = [
        (
            name,
            condition["name"],
            number(condition["value"]),
            condition["limit"],
            "yes" if condition["holds"] else "NO",
        )
        for run, name in named(runs)
        for condition in run["validity"]["conditions"]
    ]
    return element(
        "section",
        element("h2", text(f"Can it be believed? {verdicts}")),
        element(
            "p",
            text(
                "A load generator that is late or loses requests measures itself. All of these must hold; the time "
                "until every player had its first key is not judged."
            ),
            class_="quiet",
        ),
        element(
            "details",
            element("summary", text("Conditions")),
            table(("strategy", "condition", "measured", "limit", "holds"), rows, words=2),
        ),
    )


def _what_was_run(runs: Sequence[Run], command: str) -> Html:
    again = [element("p", text("To run it again:")), element("pre", element("code", text(command)))] if command else []
    rows = [
        (
            name,
            summary["driver"],
            summary["media"],
            str(summary["seed"]),
            run["environment"]["keystorm"],
            run["spec"]["sha256"][:16],
        )
        for run, name in named(runs)
        for summary in [run["summary"]]
    ]
    return element(
        "section",
        element("h2", text("What was run")),
        *again,
        table(("strategy", "driver", "media", "seed", "keystorm", "specification (SHA-256)"), rows, words=6),
    )
