"""The result of a storm as one JSON document: sections of plain values, one run a strategy.

Two virtual runs of one specification give the same bytes: nothing of the machine or of wall time is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from player.clock import SECOND, seconds
from player.ids import ContentKey, KeyId
from player.runtime.version import version
from player.storm import latency, oracles, series, stalls, validity
from player.storm import summary as summaries
from player.storm.boundaries import Boundary, attempts_at, boundaries, lost_clients, usable_at
from player.storm.document import FORMAT, Document, Run
from player.storm.observe import NEVER, Attempt
from player.storm.record import Record
from player.storm.series import TENTH_US, busiest
from player.storm.spec import ClockKind
from player.storm.stalls import Stood

_TEN_S: Final = 10 * SECOND


def build(record: Record) -> Run:
    """Everything that can be said of one run."""
    stood = stalls.stood(record)
    rotations = boundaries(record)
    groups = list(zip(rotations, attempts_at(record, rotations), strict=True))
    by_second = series.per_second(record, stood)
    verdict = validity.judge(record)
    counted = [
        summaries.at_boundary(record, boundary, attempts, stalls.at(stood, boundary))
        for boundary, attempts in groups
        if boundary.counted
    ]
    return Run(
        title=record.spec.title,
        summary=summaries.summary(record, verdict["verdict"] == "valid", by_second, counted),
        spec=_spec(record),
        environment=_environment(record),
        validity=verdict,
        totals=_totals(record),
        series_1s=by_second,
        series_100ms=series.around(record, rotations),
        start={"forms": oracles.at_start(record)},
        boundaries=[_boundary(record, boundary, attempts, stalls.at(stood, boundary)) for boundary, attempts in groups],
        lateness=latency.lateness_section(record),
        latency=latency.latency_section(record),
        stalls=stalls.section(record, stood),
        retry=_retry(record),
        keys=_keys(record),
        generator=_generator(record),
    )


def document(runs: Sequence[Run]) -> Document:
    """What `--result` writes."""
    return Document(format=FORMAT, runs=list(runs))


def to_json(value: object) -> str:
    """Canonical: sorted members, one way to write it, a line feed at the end."""
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(path: Path, runs: Sequence[Run]) -> None:
    path.write_text(to_json(document(runs)), encoding="utf-8")


# ── sections ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _spec(record: Record) -> dict[str, Any]:
    """The storm and the strategy as given, the backend as the strategy laid it over, and a hash of all three."""
    plain: dict[str, Any] = {
        "storm": _plain(record.spec),
        "strategy": _plain(record.strategy),
        "backend": _plain(record.backend),
    }
    del plain["storm"]["strategies"]  # the others are no part of this run
    return plain | {"sha256": hashlib.sha256(to_json(plain).encode()).hexdigest()}


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, enc_hook=_written, str_keys=True)


def _written(value: object) -> object:
    match value:
        case KeyId():
            return str(value)
        case ContentKey():
            return "(hidden)"
        case Mapping():
            return {str(key): _written(item) for key, item in value.items()}
        case _:
            raise NotImplementedError(f"no JSON for {type(value).__name__}")


def _environment(record: Record) -> dict[str, Any]:
    constant = {"clock": record.spec.clock.value, "keystorm": version()}
    if record.spec.clock is ClockKind.VIRTUAL:
        return constant | {"epoch": "2026-01-01T00:00:00Z"}
    return constant | {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "loop": "asyncio",
        "processes": 2,
        "gc": "frozen and disabled while measuring",
        "connections": "pooled: one pool for media, one for licenses",
        "optimized": sys.flags.optimize,
    }


def _totals(record: Record) -> dict[str, Any]:
    seen, lost = record.seen, lost_clients(record)
    return {
        "clients": record.spec.clients,
        "started": len(seen.started),
        "gave_up": dict(sorted(Counter(seen.gave_up.values()).items())),
        "lost": {kind: sorted(clients) for kind, clients in sorted(seen.lost.items())},
        "attempts": len(seen.attempts),
        "by_outcome": _counted(attempt.outcome or "under-way" for attempt in seen.attempts),
        "by_cause": _counted(attempt.cause.value for attempt in seen.attempts),
        "under_way_at_end": len(latency.under_way(record)),
        "of_lost_clients": sum(attempt.client in lost for attempt in seen.attempts),
        "server_log": {str(status): count for status, count in sorted(_statuses(record).items())},
        "backend": dict(sorted(record.server_counts.items())),
        "forms": oracles.conservation(record),
    }


def _statuses(record: Record) -> Counter[int]:
    return Counter(row["status"] for row in record.server_log)


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _boundary(
    record: Record, boundary: Boundary, attempts: Sequence[Attempt], stood: Sequence[Stood]
) -> dict[str, Any]:
    instants = sorted(attempt.intended_us for attempt in attempts)
    widths = {"peak_100ms": TENTH_US, "peak_1s": SECOND, "peak_10s": _TEN_S}
    peaks: dict[str, Any] = {name: _peak(instants, bin_us) for name, bin_us in widths.items()}
    if not summaries.tells_tenths(record, attempts):
        peaks["peak_100ms"] = None
    usable = [instant for instant in usable_at(record, boundary).values() if instant is not None]
    return {
        **summaries.at_boundary(record, boundary, attempts, stood),
        **peaks,
        "counted": boundary.counted,
        "kids": sorted(str(kid) for kid in boundary.kids),
        "by_exact_cause": _counted(attempt.cause.value for attempt in attempts),
        "spread_s": _spread_s(instants),
        "emission_s": _emission_s(attempts),
        "share_before": _share(sum(instant < boundary.at_us for instant in instants), len(instants)),
        "share_usable_before": _share(sum(instant <= boundary.at_us for instant in usable), record.spec.clients),
        "forms": oracles.at_boundary(record, boundary, attempts, stood),
    }


def _peak(instants: Sequence[int], bin_us: int) -> dict[str, float | None]:
    requests, at_us = busiest(instants, bin_us)
    return {"requests": requests, "at_s": None if at_us is None else seconds(at_us)}


def _emission_s(attempts: Iterable[Attempt]) -> float | None:
    """From the first request that left to the last."""
    sent = [attempt.sent_us for attempt in attempts if attempt.sent_us != NEVER]
    return seconds(max(sent) - min(sent)) if sent else None


def _spread_s(instants: Sequence[int]) -> float | None:
    """From the 5th to the 95th hundredth of the requests."""
    if not instants:
        return None
    last = len(instants) - 1
    return seconds(instants[round(last * 0.95)] - instants[round(last * 0.05)])


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _retry(record: Record) -> dict[str, Any]:
    attempts = record.seen.attempts
    first = [attempt for attempt in attempts if attempt.attempt == 1]
    licenses = sum(attempt.outcome == latency.OK for attempt in attempts)
    refused = sum(attempt.outcome in ("http-429", "http-503") for attempt in attempts)
    return {
        "amplification": round(len(attempts) / len(first), 6) if first else 1.0,
        "attempts_by_number": {
            str(number): count for number, count in sorted(Counter(a.attempt for a in attempts).items())
        },
        "refusals_per_license": _share(refused, licenses),
        "gave_up": len(record.seen.gave_up),
    }


def _keys(record: Record) -> dict[str, Any]:
    attempts = [attempt for attempt in record.seen.attempts if attempt.attempt == 1]
    usable = record.seen.usable
    held = [
        attempt
        for attempt in attempts
        if attempt.kids
        and all(usable.get((attempt.client, kid), attempt.intended_us) < attempt.intended_us for kid in attempt.kids)
    ]
    licenses = sum(attempt.outcome == latency.OK for attempt in record.seen.attempts)
    return {
        "licenses": licenses,
        "licenses_per_client": _share(licenses, record.spec.clients),
        "usable": len(usable),
        "asked_for_though_held": len(held),
    }


def _generator(record: Record) -> dict[str, Any]:
    """Figures of the process only on the real clock: under the virtual one they are nobody's business and differ."""
    told: dict[str, Any] = {**summaries.generator(record), "interned_tables": record.tables}
    if record.spec.clock is ClockKind.VIRTUAL:
        return told
    gauge = record.gauge
    pauses = gauge.collections
    return told | {
        "cpu_s": round(gauge.cpu_s, 3),
        "wall_s": round(gauge.wall_s, 3),
        "cpu_share_per_s": [[round(end_us / SECOND, 3), round(share, 3)] for end_us, share in gauge.cpu],
        "requests_answered": summaries.answered(record.server_counts),
        "rss_kib": gauge.rss_kib_after,
        "rss_kib_grown": gauge.rss_kib_after - gauge.rss_kib_before,
        "timer_late_ms": latency.in_ms(gauge.probe),
        "collections": {"count": len(pauses), "sum_ms": _ms(sum(pauses)), "longest_ms": _ms(max(pauses, default=0.0))},
    }


def _ms(of_s: float) -> float:
    return round(of_s * 1000, 3)
