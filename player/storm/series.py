"""What happened in each second, and in each tenth of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from player.clock import MILLISECOND, SECOND, us
from player.storm import latency, stalls
from player.storm.boundaries import Boundary
from player.storm.document import Series
from player.storm.latency import OK
from player.storm.observe import NEVER, Attempt
from player.storm.record import Record
from player.storm.stalls import Stood
from player.trace.histogram import Histogram

TENTH_US: Final = 100 * MILLISECOND
_AROUND_US: Final = 10 * SECOND  # of a boundary, either way


def busiest(instants: Iterable[int], bin_us: int) -> tuple[int, int | None]:
    """The most instants in one bin, and where that bin begins (µs); bins begin at multiples of their width."""
    counted = Counter(instant // bin_us for instant in instants)
    if not counted:
        return 0, None
    index = min(counted, key=lambda index: (-counted[index], index))
    return counted[index], index * bin_us


def per_second(record: Record, stood: Sequence[Stood]) -> Series:
    """Seconds from run-clock 0 to the end of the run, or to the last request where that is later."""
    attempts = record.seen.attempts
    length = max([-(-us(record.spec.end_s) // SECOND), *(attempt.intended_us // SECOND + 1 for attempt in attempts)])
    ended = [attempt for attempt in attempts if attempt.completed_us != NEVER]
    causes = sorted({attempt.cause for attempt in attempts})
    return Series(
        bin_s=1.0,
        intended=_binned((attempt.intended_us for attempt in attempts), length),
        sent=_binned((attempt.sent_us for attempt in attempts if attempt.sent_us != NEVER), length),
        completed=_binned((attempt.completed_us for attempt in ended if attempt.outcome == OK), length),
        failed=_binned((attempt.completed_us for attempt in ended if attempt.outcome != OK), length),
        goodput=_binned(_first_completions(ended), length),
        backlog=_backlog(attempts, length),
        by_cause={
            cause.value: _binned((attempt.intended_us for attempt in attempts if attempt.cause is cause), length)
            for cause in causes
        },
        stalled_clients=stalls.per_second(stood, length),
        answer_ms=_answers(record, length),
    )


def around(record: Record, boundaries: Sequence[Boundary]) -> dict[str, Any]:
    """Tenths of a second within 10 s of a boundary: counts by number of the tenth, zeros left out."""
    attempts = record.seen.attempts

    def tenths(instant_of: Callable[[Attempt], int]) -> dict[str, int]:
        near = (
            instant
            for instant in map(instant_of, attempts)
            if instant != NEVER and any(abs(instant - boundary.at_us) <= _AROUND_US for boundary in boundaries)
        )
        counted = Counter(instant // TENTH_US for instant in near)
        return {str(tenth): counted[tenth] for tenth in sorted(counted)}

    return {
        "bin_s": 0.1,
        "intended": tenths(lambda attempt: attempt.intended_us),
        "completed": tenths(lambda attempt: attempt.completed_us),
    }


def _binned(instants: Iterable[int], length: int) -> list[int]:
    """Counts by second; what came after the last second is left out."""
    counted = Counter(instant // SECOND for instant in instants)
    return [counted[second] for second in range(length)]


def _first_completions(ended: Iterable[Attempt]) -> list[int]:
    """The first license that each client got for the keys it asked for."""
    first: dict[tuple[int, tuple[bytes, ...]], int] = {}
    for attempt in ended:
        if attempt.outcome == OK:
            place = (attempt.client, attempt.kids)
            first[place] = min(attempt.completed_us, first.get(place, attempt.completed_us))
    return list(first.values())


def _backlog(attempts: Iterable[Attempt], length: int) -> list[int]:
    moves = [0] * (length + 1)
    for attempt in attempts:
        moves[attempt.intended_us // SECOND] += 1
        if attempt.completed_us != NEVER:
            moves[min(attempt.completed_us // SECOND, length)] -= 1
    backlog, levels = 0, []
    for move in moves[:length]:
        backlog += move
        levels.append(backlog)
    return levels


def _answers(record: Record, length: int) -> dict[str, list[float | None]]:
    """None where nothing was asked, or where a request of that second was still under way at the end."""
    seconds = [Histogram() for _ in range(length)]
    for attempt in record.seen.attempts:
        if attempt.outcome == OK:
            seconds[attempt.intended_us // SECOND].add(latency.response_us(attempt))
    for attempt in latency.under_way(record):
        seconds[attempt.intended_us // SECOND] = Histogram()
    told = [latency.in_ms(second) for second in seconds]
    return {name: [each[name] for each in told] for name in ("p50", "p95", "p99", "max")}
