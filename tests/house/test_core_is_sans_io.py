"""The core says what is to be done and when; it does nothing itself. Contracts see imports, this looks inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLAYER = Path(__file__).resolve().parents[2] / "player"
CORE = ("audit", "cdm", "cenc", "crypto", "drm", "eme", "engine", "isobmff", "mpd", "stream", "wire")
FORBIDDEN = frozenset({"aiohttp", "asyncio", "logging", "random", "socket", "structlog", "time"})
CLOCK_READERS = frozenset({"now", "today", "utcnow"})
MODULES = sorted(path for room in CORE for path in (PLAYER / room).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PLAYER)))
def test_a_module_of_the_core_does_no_io_and_reads_no_clock(path: Path) -> None:
    assert list(offences(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("import time", "1: import of time"),
        ("def f():\n    from asyncio.queues import Queue", "2: import of asyncio"),
        ("import importlib\nimportlib.import_module('random')", "2: import of random"),
        ("__import__('socket')", "1: import of socket"),
        ("async def f(): pass", "1: async def f"),
        ("import datetime\ndatetime.datetime.now()", "2: datetime read with now()"),
        ("from datetime import date\ndate.today()", "2: datetime read with today()"),
        ("open('x')", "1: open()"),
    ],
)
def test_each_offence_is_seen(source: str, offence: str) -> None:
    assert list(offences(ast.parse(source))) == [offence]


def test_datetime_may_parse() -> None:
    assert not list(offences(ast.parse("import datetime\ndatetime.datetime.fromisoformat('2026-01-01')")))


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from _imports(node.lineno, *(name.name for name in names))
            case ast.ImportFrom(module=str(module), level=0):
                yield from _imports(node.lineno, module)
            case ast.AsyncFunctionDef(name=name):
                yield f"{node.lineno}: async def {name}"
            case ast.Call(func=ast.Name(id="open")):
                yield f"{node.lineno}: open()"
            case ast.Call(
                func=ast.Name(id="__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield from _imports(node.lineno, module)
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in CLOCK_READERS:
                if ast.unparse(value).split(".")[-1] in {"datetime", "date"}:
                    yield f"{node.lineno}: datetime read with {attr}()"


def _imports(line: int, *modules: str) -> Iterator[str]:
    for module in modules:
        if module.split(".")[0] in FORBIDDEN:
            yield f"{line}: import of {module.split('.')[0]}"
