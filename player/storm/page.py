"""One HTML page that needs nothing from outside: elements that escape what they hold, a style sheet, a policy.

It refuses to know what a storm is.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from typing import Final, NewType

Html = NewType("Html", str)
"""Markup. Every other text is escaped where it enters."""

_VOID: Final = frozenset({"meta", "img", "br"})


def element(tag: str, *parts: str, **attributes: str | None) -> Html:
    """`<tag …>parts</tag>`. A trailing underscore of an attribute falls, others become hyphens."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(parts)
    return Html(f"<{tag}{given}>" if tag in _VOID else f"<{tag}{given}>{inside}</{tag}>")


def text(value: object) -> Html:
    """Any value as text."""
    return Html(html.escape(str(value)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> Html:
    """A table that scrolls by itself where it is too wide; the first `words` columns are text, the rest numbers."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            element(tag, text(cell), class_=None if column < words else "number") for column, cell in enumerate(row)
        )

    body = "".join(element("tr", cells("td", row)) for row in rows)
    inner = element("thead", element("tr", cells("th", head))) + element("tbody", body)
    return element("div", element("table", inner), class_="scroll", tabindex="0")


def document(title: str, body: Iterable[Html], *, script: str, data: str, data_id: str) -> str:
    """The whole page. `data` is JSON that `script` reads; nothing but this script may run, nothing may be loaded."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    head = (
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light"),
        element("title", text(title)),
        element("style", _STYLE),
    )
    shown = (
        element("main", *body),
        element("script", data.replace("<", "\\u003c"), type="application/json", id=data_id),
        element("script", script),
    )
    return f'<!doctype html>\n<html lang="en"><head>{"".join(head)}</head>\n<body>{"".join(shown)}</body></html>\n'


def picture(svg: str, described: str) -> Html:
    """A drawing as an image of its own, so that its names meet no others."""
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    return element("img", src=f"data:image/svg+xml;base64,{encoded}", alt=described)


_STYLE: Final = """
:root { --ink: #1f2933; --quiet: #66727f; --faint: #e4e7eb; --paper: #ffffff; --wash: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; overflow-wrap: anywhere; background: var(--wash); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.5rem, 4.5vw, 2.1rem); line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; line-height: 1.35; margin: 0 0 .2rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .1rem; }
p { margin: .2rem 0 .8rem; }
.quiet { color: var(--quiet); font-size: .92rem; }
section { background: var(--paper); border: 1px solid var(--faint); border-radius: 10px; margin: 1.25rem 0;
  padding: 1.25rem 1.25rem 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15.5rem, 1fr)); gap: 1rem;
  margin: 1.5rem 0 1.25rem; }
.card { background: var(--paper); border: 1px solid var(--faint); border-top-width: 4px; border-radius: 10px;
  padding: .9rem 1.1rem; display: flex; flex-direction: column; }
.card header { display: flex; justify-content: space-between; align-items: center; gap: .5rem; }
.card header b { font-size: 1.1rem; }
.card p { flex: 1; }
.card dl { margin: 0; display: grid; grid-template-columns: 1fr auto; gap: .15rem .8rem; font-size: .92rem; }
.card dt { color: var(--quiet); }
.card dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
.badge { border: 1px solid currentColor; border-radius: 99px; padding: 0 .55rem; font-size: .8rem; font-weight: 600; }
.badge.valid { color: #1b6e3c; } .badge.partial { color: #8a5a00; } .badge.invalid { color: #b42318; }
.chart { width: 100%; }
.chart .vega-embed { width: 100%; display: block; }
.chart svg { max-width: 100%; }
noscript img { width: 100%; height: auto; }
details { margin-top: .6rem; } summary { cursor: pointer; color: var(--quiet); font-size: .92rem; }
.scroll { overflow-x: auto; max-height: 26rem; overflow-y: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .88rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th { position: sticky; top: 0; background: var(--paper); color: var(--quiet); font-weight: 600; }
.number { text-align: right; }
code { font: .88rem/1.5 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
pre { background: var(--wash); border: 1px solid var(--faint); border-radius: 8px; padding: .7rem .9rem;
  overflow-x: auto; margin: .5rem 0; }
@media (max-width: 36rem) { main { padding: 1.25rem .75rem 3rem; } section { padding: 1rem .8rem .8rem; } }
@media print { body { background: none; } section, .card { break-inside: avoid; } details > * { display: block; } }
"""
