"""Lateness of the generator, and how long answers took: by the service, and as a viewer feels it.

Of requests that were still under way at the end nobody knows how long they would have taken, so latencies are those of
requests made before the oldest of them: of these every answer is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from player.clock import MILLISECOND, SECOND
from player.storm.boundaries import lost_clients
from player.storm.observe import NEVER, Attempt
from player.storm.record import Record
from player.trace.histogram import Histogram

OK = "ok"
PERCENTILES = (50, 95, 99)


def under_way(record: Record) -> tuple[Attempt, ...]:
    """Attempts that had not ended when the run did, of clients that were still there."""
    lost = lost_clients(record)
    return tuple(attempt for attempt in record.seen.attempts if not attempt.outcome and attempt.client not in lost)


def known_until(record: Record) -> int | None:
    """Before this instant (µs) every request has ended; None: all have."""
    return min((attempt.intended_us for attempt in under_way(record)), default=None)


def served(record: Record) -> tuple[Attempt, ...]:
    """Attempts that brought a license, made before anything that was left under way."""
    until = known_until(record)
    return tuple(
        attempt
        for attempt in record.seen.attempts
        if attempt.outcome == OK and (until is None or attempt.intended_us < until)
    )


def response_us(attempt: Attempt) -> int:
    """From the instant a request was meant to leave to its answer."""
    return attempt.completed_us - attempt.intended_us


def service_us(attempt: Attempt) -> int:
    """From the first byte sent to the answer."""
    return attempt.completed_us - attempt.sent_us


def late_us(attempt: Attempt) -> int:
    """How long after the instant it was meant to leave a request did."""
    return attempt.sent_us - attempt.intended_us


def histogram(attempts: Iterable[Attempt], measure: Callable[[Attempt], int]) -> Histogram:
    counted = Histogram()
    for attempt in attempts:
        counted.add(measure(attempt))
    return counted


def in_ms(counted: Histogram) -> dict[str, float | None]:
    """Percentiles and the greatest value, in milliseconds."""
    named = {f"p{percent}": counted.percentile(percent) for percent in PERCENTILES} | {"max": counted.max}
    return {name: None if value is None else value / MILLISECOND for name, value in named.items()}


def written(counted: Histogram) -> dict[str, Any]:
    """A histogram as it stands in a result: counters by index, zeros left out."""
    snapshot = asdict(counted.snapshot())
    return {
        "unit": "µs",
        **snapshot,
        "counters": {str(index): times for index, times in snapshot["counters"].items()},
    }


def lateness_section(record: Record) -> dict[str, Any]:
    sent = [attempt for attempt in record.seen.attempts if attempt.sent_us != NEVER]
    late = histogram(sent, late_us)
    return {"histogram": written(late), "ms": in_ms(late), "per_second": late_per_second(record)}


def late_per_second(record: Record) -> dict[str, dict[str, float | None]]:
    """By second of the intended instant, seconds without requests left out."""
    seconds: dict[int, Histogram] = {}
    for attempt in record.seen.attempts:
        if attempt.sent_us != NEVER:
            seconds.setdefault(attempt.intended_us // SECOND, Histogram()).add(late_us(attempt))
    return {str(second): in_ms(seconds[second]) for second in sorted(seconds)}


def latency_section(record: Record) -> dict[str, Any]:
    taken = served(record)
    causes = sorted({attempt.cause.value for attempt in taken})
    return {
        "known_until_s": None if (until := known_until(record)) is None else until / SECOND,
        "response": _by_cause(taken, causes, response_us),
        "service": _by_cause(taken, causes, service_us),
    }


def _by_cause(taken: tuple[Attempt, ...], causes: list[str], measure: Callable[[Attempt], int]) -> dict[str, Any]:
    groups = {"all": taken} | {cause: tuple(a for a in taken if a.cause.value == cause) for cause in causes}
    counted = {name: histogram(group, measure) for name, group in groups.items()}
    return {name: {"ms": in_ms(each), "histogram": written(each)} for name, each in counted.items()}
