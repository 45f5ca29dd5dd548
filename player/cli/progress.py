"""How far a storm has come: bars on a terminal, a line a strategy elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from player.cli.talk import talk
from player.storm.spec import StormSpec

Tell = Callable[[float], None]
"""Told the run clock (s) about once a second."""

Begin = Callable[[str], Tell | None]
"""Told the name of each strategy as it begins."""


@contextmanager
def progress(spec: StormSpec) -> Iterator[Begin]:
    """To stderr, until the block ends."""
    if sys.stderr.isatty():
        with _bars(spec) as begin:
            yield begin
    else:
        yield _lines(spec)


def _lines(spec: StormSpec) -> Begin:
    log = talk()

    def begin(strategy: str) -> None:
        log.info("playing", strategy=strategy, clients=spec.clients, clock=spec.clock.value, until_s=spec.end_s)

    return begin


@contextmanager
def _bars(spec: StormSpec) -> Iterator[Begin]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<18}"), BarColumn(), TextColumn("{task.completed:>3.0f} s"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:

        def begin(strategy: str) -> Tell:
            bar = bars.add_task(strategy, total=spec.end_s)
            return lambda time_s: bars.update(bar, completed=max(0.0, time_s))

        yield begin
