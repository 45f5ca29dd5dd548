"""The few numbers of a run that people compare: what `storm --json` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from player.clock import MILLISECOND, SECOND, seconds
from player.drm.cause import Cause
from player.storm import latency
from player.storm.boundaries import Boundary, lost_clients, usable_at
from player.storm.document import AtBoundary, Generator, Series, Summary
from player.storm.observe import NEVER, Attempt
from player.storm.record import Record
from player.storm.series import TENTH_US, busiest
from player.storm.spec import ClockKind
from player.storm.stalls import Stood
from player.storm.validity import spread_s

_BIN_OF_LATENESS: Final = 10

FOLDED: Final[dict[Cause, str]] = {
    Cause.START: "initial",
    Cause.RELOAD: "initial",
    Cause.ROTATION_DEMAND: "rotation",
    Cause.ROOT: "rotation",
    Cause.QUALITY_DROP: "rotation",
    Cause.ROTATION_PREFETCH: "prefetch",
    Cause.RENEWAL: "renewal",
    Cause.RETRY_TIMEOUT: "retry",
    Cause.RETRY_REFUSED: "retry",
    Cause.RETRY_ERROR: "retry",
    Cause.RELEASE: "release",
    Cause.DUPLICATE: "duplicate",
}


def summary(record: Record, valid: bool, series: Series, boundaries: Iterable[AtBoundary]) -> Summary:
    """`boundaries`: those that count."""
    spec, attempts = record.spec, record.seen.attempts
    first = sum(attempt.attempt == 1 for attempt in attempts)
    return Summary(
        clients=spec.clients,
        strategy=record.strategy.name,
        driver=spec.driver.value,
        media=spec.media.value,
        seed=spec.seed,
        valid=valid,
        boundaries=list(boundaries),
        requests_per_s=series["intended"],
        latency_ms=latency.in_ms(latency.histogram(latency.served(record), latency.response_us)),
        amplification=round(len(attempts) / first, 6) if first else 1.0,
        gave_up=len(record.seen.gave_up.keys() - lost_clients(record)),
        generator=generator(record),
    )


def at_boundary(record: Record, boundary: Boundary, attempts: Sequence[Attempt], stood: Sequence[Stood]) -> AtBoundary:
    """`attempts` and `stood` are those that belong to the boundary."""
    instants = [attempt.intended_us for attempt in attempts]
    return AtBoundary(
        at_s=seconds(boundary.at_us),
        requests=len(attempts),
        peak_1s=busiest(instants, SECOND)[0],
        peak_100ms=busiest(instants, TENTH_US)[0] if tells_tenths(record, attempts) else None,
        by_cause=folded(attempt.cause for attempt in attempts),
        stalled_clients=len({stall.client for stall in stood}),
        stall_s_total=seconds(sum(stall.for_us for stall in stood)),
        all_usable_after_s=_all_usable_after_s(record, boundary),
    )


def tells_tenths(record: Record, attempts: Iterable[Attempt]) -> bool:
    """Whether tenths of a second mean anything: in a burst, bins are at least ten times as wide as it is late."""
    late_us = latency.histogram((a for a in attempts if a.sent_us != NEVER), latency.late_us).percentile(99)
    return bool(spread_s(record)) or late_us is None or _BIN_OF_LATENESS * late_us <= TENTH_US


def folded(causes: Iterable[Cause]) -> dict[str, int]:
    """Causes as a summary names them, each with its count."""
    counted = dict.fromkeys(FOLDED.values(), 0)
    for cause in causes:
        counted[FOLDED[cause]] += 1
    return counted


def generator(record: Record) -> Generator:
    """None for what real compute decides, where the clock is virtual."""
    late = latency.histogram((a for a in record.seen.attempts if a.sent_us != NEVER), latency.late_us)
    late_us = late.percentile(99)
    real = record.spec.clock is ClockKind.REAL
    requests = answered(record.server_counts)
    grown_kib = record.gauge.rss_kib_after - record.gauge.rss_kib_before
    return Generator(
        late_ms_p99=None if late_us is None else late_us / MILLISECOND,
        cpu_us_per_request=round(record.gauge.cpu_s * 1e6 / requests, 1) if real and requests else None,
        rss_kib_per_client=round(max(0, grown_kib) / record.spec.clients, 1) if real and record.spec.clients else None,
        lost_clients=len(lost_clients(record)),
    )


def answered(server_counts: dict[str, int]) -> int:
    """Requests of all kinds that the backend answered."""
    return sum(server_counts.get(kind, 0) for kind in ("license_requests", "mpd", "not_modified", "init", "media"))


def _all_usable_after_s(record: Record, boundary: Boundary) -> float | None:
    instants = list(usable_at(record, boundary).values())
    known = [instant for instant in instants if instant is not None]
    return seconds(max(known) - boundary.at_us) if known and len(known) == len(instants) else None
