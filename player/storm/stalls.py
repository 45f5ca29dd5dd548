"""Who stood still, when, and for want of what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from player.clock import SECOND, seconds, us
from player.ids import KeyId
from player.storm.boundaries import Boundary
from player.storm.latency import written
from player.storm.observe import NEVER
from player.storm.record import Record
from player.trace.histogram import Histogram

REASONS = {"key": "no usable key", "network": "media late"}


class Stood(NamedTuple):
    """One stall; one that did not end, ends with the run. `kid`: the key that was missing."""

    client: int
    from_us: int
    to_us: int
    cause: str
    kid: KeyId | None

    @property
    def for_us(self) -> int:
        return self.to_us - self.from_us


def stood(record: Record) -> tuple[Stood, ...]:
    end_us = us(record.spec.end_s)
    return tuple(
        Stood(
            client=stall.client,
            from_us=stall.at_us,
            to_us=max(stall.at_us, end_us) if stall.for_us == NEVER else stall.at_us + stall.for_us,
            cause=stall.cause,
            kid=stall.kid,
        )
        for stall in record.seen.stalls
    )


def at(stalls: Iterable[Stood], boundary: Boundary) -> tuple[Stood, ...]:
    """Those for want of a key of this boundary; where the network was to blame, those after it."""
    return tuple(
        stall
        for stall in stalls
        if (boundary.at_us <= stall.from_us < boundary.until_us if stall.kid is None else stall.kid in boundary.kids)
    )


def per_second(stalls: Iterable[Stood], length: int) -> list[int]:
    """Clients that stood at some time of each second."""
    standing: list[set[int]] = [set() for _ in range(length)]
    for stall in stalls:
        for second in range(stall.from_us // SECOND, min(stall.to_us // SECOND, length - 1) + 1):
            standing[second].add(stall.client)
    return [len(clients) for clients in standing]


def section(record: Record, stalls: Sequence[Stood]) -> dict[str, Any]:
    by_client: dict[int, int] = {}
    for stall in stalls:
        by_client[stall.client] = by_client.get(stall.client, 0) + stall.for_us
    histogram = Histogram()
    for for_us in by_client.values():
        histogram.add(for_us)
    return {
        "clients": len(by_client),
        "share": len(by_client) / record.spec.clients if record.spec.clients else 0.0,
        "total_s": seconds(sum(by_client.values())),
        "longest_s": seconds(max((stall.for_us for stall in stalls), default=0)),
        "by_reason": {
            cause: {"tells": tells, "stalls": len(of), "total_s": seconds(sum(stall.for_us for stall in of))}
            for cause, tells in REASONS.items()
            for of in [[stall for stall in stalls if stall.cause == cause]]
        },
        "per_client": written(histogram),
    }
