"""The strategies of a storm, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from player.cli.file_limit import raise_file_limit
from player.cli.progress import progress
from player.errors import UsageError
from player.runtime.version import version
from player.storm.play import run
from player.storm.record import Record
from player.storm.spec import ClockKind, StormSpec
from player.trace.encode import Header
from player.trace.writer import TraceWriter


def play_all(spec: StormSpec, *, scenario: str, trace: Path | None = None) -> tuple[Record, ...]:
    """What each strategy left behind. `scenario`: its name, for the heads of the traces.

    Raises: UsageError where the machine cannot hold so many clients; BackendError.
    """
    if spec.clock is ClockKind.REAL:
        raise_file_limit(spec.clients)
    records = []
    with progress(spec) as begin:
        for strategy in spec.strategies:
            path = None if trace is None else trace_path(trace, strategy.name, alone=len(spec.strategies) == 1)
            with _writer(path, spec, scenario) as writer:
                records.append(run(spec, strategy, trace=writer, progress=begin(strategy.name)))
    return tuple(records)


def trace_path(path: Path, strategy: str, *, alone: bool) -> Path:
    """`x.trace.jsonl` is x-jitter.trace.jsonl where there are others beside it: each has a run clock of its own."""
    name, dot, suffix = path.name.partition(".")
    return path if alone else path.with_name(f"{name}-{strategy}{dot}{suffix}")


@contextmanager
def _writer(path: Path | None, spec: StormSpec, scenario: str) -> Iterator[TraceWriter | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    header = Header(version=version(), scenario=scenario, seed=spec.seed, clock=spec.clock.value)
    with file:
        writer = TraceWriter(file, header)
        yield writer
        writer.close()
