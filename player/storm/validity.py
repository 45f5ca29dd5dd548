"""May this run be believed? A storm whose own generator was late or lost requests measured itself.

Each condition has a limit; all must hold. Nothing before the end of the warm-up is judged, and in a strategy that asks
at once the two seconds after a boundary are left out for lateness and CPU: no core can send such a burst on time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from player.clock import MILLISECOND, SECOND, seconds, us
from player.storm.boundaries import boundaries, lost_clients
from player.storm.document import Condition, Validity
from player.storm.latency import late_us, under_way
from player.storm.observe import NEVER
from player.storm.record import Record
from player.storm.spec import ClockKind
from player.trace.histogram import Histogram

AT_ONCE_MS = 50.0  # what stands for a share of the spread where there is none
_BURST_US = 2 * SECOND
_CPU_SHARE = 0.8
_SENT_SHARE = 0.99
_BACKEND_LATE_MS = 100.0  # 300 clients that fetch at one instant cost 7 ms; beyond this the backend is starved


def judge(record: Record) -> Validity:
    """Virtual time is never late: there only what the clients and the server counted is compared."""
    counted = [_never_sent(record), _ledgers(record)]
    timed = [] if record.spec.clock is ClockKind.VIRTUAL else list(_timed(record))
    lost = _condition("clients lost", len(lost_clients(record)), "0", bool(not lost_clients(record)))
    holds = all(condition["holds"] for condition in (*counted, *timed))
    verdict = "invalid" if not holds else "valid" if lost["holds"] else "partial"
    return Validity(verdict=verdict, warm_up_s=seconds(warm_up_us(record)), conditions=[*timed, *counted, lost])


def warm_up_us(record: Record) -> int:
    """Until every client that the run kept had its first key; the whole run where one never had."""
    first: dict[int, int] = {}
    for (client, _), instant in record.seen.usable.items():
        first[client] = min(instant, first.get(client, instant))
    missing = record.spec.clients - len(first.keys() | lost_clients(record))
    return us(record.spec.end_s) if missing or not first else max(first.values())


def spread_s(record: Record) -> float:
    """W: over how long the strategy spreads the requests of one boundary; 0: it asks at once."""
    content = record.backend.content
    if not content.announced:
        return 0.0
    return content.announce_s if record.strategy.window_s is None else record.strategy.window_s


def _never_sent(record: Record) -> Condition:
    """A request is under way until the client's own timeout; one that is older was never sent, or never given up."""
    oldest_us = us(record.spec.end_s) - record.spec.profile.network.timeout_ms * MILLISECOND
    stuck = [attempt for attempt in under_way(record) if attempt.intended_us < oldest_us]
    return _condition("requests intended but never sent", len(stuck), "0", not stuck)


def _ledgers(record: Record) -> Condition:
    """Each attempt that ended is a row of the server's log, and each row is an attempt of ours."""
    rows = {_row_key(row) for row in record.server_log}
    ours = {(attempt.client, attempt.sequence) for attempt in record.seen.attempts}
    answered = {
        (attempt.client, attempt.sequence)
        for attempt in record.seen.attempts
        if attempt.outcome == "ok" or attempt.outcome.startswith("http-")
    }
    repeated = len(record.server_log) - len(rows)
    different = len(answered - rows) + len(rows - ours) + repeated
    return _condition("attempts that only one side knows", different, "0", not different)


def _row_key(row: dict[str, Any]) -> tuple[Any, Any]:
    return row["client"], row["sequence"]


def _timed(record: Record) -> Iterable[Condition]:
    spread_ms = spread_s(record) * 1000
    share_ms, small_ms = (spread_ms / 10, spread_ms / 100) if spread_ms else (AT_ONCE_MS, AT_ONCE_MS)
    judged = _judged(record)
    late = _late_by_second(record, judged)
    yield _at_most("lateness, 99 % of the worst second, ms", _worst_late_ms(late.values()), share_ms)
    sent = min((sum(each <= SECOND for each in second) / len(second) for second in late.values()), default=None)
    enough = sent is None or sent >= _SENT_SHARE
    yield _condition("sent within a second, share of the worst second", sent, f">= {_SENT_SHARE:g}", enough)
    cpu = max((share for end_us, share in record.gauge.cpu if judged(end_us - SECOND // 2)), default=0.0)
    yield _at_most("CPU of the generator in any second, share of a core", round(cpu, 3), _CPU_SHARE)
    pause_ms = max(record.gauge.collections, default=0.0) * 1000
    yield _at_most("longest garbage collection, ms", round(pause_ms, 3), min(share_ms, AT_ONCE_MS))
    backend_ms = record.server_counts.get("late_us_p99", 0) / MILLISECOND
    yield _at_most("lateness of the backend, 99 % of its timers, ms", backend_ms, _BACKEND_LATE_MS)
    start_ms = record.gauge.late_start_us / MILLISECOND
    yield _at_most("late start, ms", start_ms, min(small_ms, AT_ONCE_MS))


def _judged(record: Record) -> Callable[[int], bool]:
    """Whether an instant lies inside the run, after the warm-up, and in no burst of a strategy that asks at once."""
    begin, end = warm_up_us(record), us(record.spec.end_s)
    bursts = () if spread_s(record) else tuple(boundary.at_us for boundary in boundaries(record))
    return lambda instant: begin <= instant <= end and not any(at <= instant < at + _BURST_US for at in bursts)


def _late_by_second(record: Record, judged: Callable[[int], bool]) -> dict[int, list[int]]:
    by_second: dict[int, list[int]] = {}
    for attempt in record.seen.attempts:
        if attempt.sent_us != NEVER and judged(attempt.intended_us):
            by_second.setdefault(attempt.intended_us // SECOND, []).append(late_us(attempt))
    return by_second


def _worst_late_ms(seconds_of_lateness: Iterable[list[int]]) -> float | None:
    """None: there was no request to judge."""
    worst: list[int] = []
    for second in seconds_of_lateness:
        counted = Histogram()
        for late in second:
            counted.add(late)
        worst.append(counted.percentile(99) or 0)
    return max(worst) / MILLISECOND if worst else None


def _at_most(name: str, value: float | None, limit: float) -> Condition:
    return _condition(name, value, f"<= {limit:g}", value is None or value <= limit)


def _condition(name: str, value: float | None, limit: str, holds: bool) -> Condition:
    return Condition(name=name, value=value, limit=limit, holds=holds)
