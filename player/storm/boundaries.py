"""Where the keys change, and which requests, stalls and keys belong to which change.

By key, not by the clock: a key asked for ahead belongs to the boundary it is for. Only a request for a root key, which
is for no period, belongs to the boundary after which it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from player.backend.origin.presentation import Presentation
from player.backend.rotation.schedule import Schedule
from player.backend.spec import Form
from player.chance import Draw
from player.clock import us
from player.ids import KeyId
from player.storm.observe import Attempt
from player.storm.record import Record


class Boundary(NamedTuple):
    """`at_us`: when the first segment under new keys becomes available. `until_us`: the next boundary.

    `counted`: the run went on for as long as the last client needs to play across it.
    """

    at_us: int
    until_us: int
    kids: frozenset[KeyId]
    counted: bool


def boundaries(record: Record) -> tuple[Boundary, ...]:
    """Those inside the run, in order. Keys are draws, so the KIDs of each period can be made again."""
    content = record.backend.content
    if content.form is not Form.LIVE:
        return ()
    presentation = Presentation(content, Form.LIVE, Draw(record.spec.seed, "origin"), {}, 0)
    return tuple(
        Boundary(
            at_us=at,
            until_us=presentation.schedule.boundary(period + 1),
            kids=frozenset(presentation.kids(period)),
            counted=at + us(record.spec.live_delay.to_s) <= us(record.spec.end_s),
        )
        for period, at in _instants(presentation.schedule, us(record.spec.end_s))
    )


def _instants(schedule: Schedule, end_us: int) -> Iterable[tuple[int, int]]:
    """Number and run-clock instant of each crypto period that begins inside the run."""
    if schedule.first_start is None:
        return
    period = 1
    while (at := schedule.boundary(period)) < end_us:
        if at >= 0:
            yield period, at
        period += 1


def root_kid(record: Record) -> KeyId:
    """The key under which content keys are wrapped, where they are."""
    content = record.backend.content
    return Presentation(content, content.form, Draw(record.spec.seed, "origin"), {}, 0).ring.root().kid


def attempts_at(record: Record, all_boundaries: Sequence[Boundary]) -> tuple[tuple[Attempt, ...], ...]:
    """The attempts that belong to each boundary."""
    root = root_kid(record)
    return tuple(
        tuple(attempt for attempt in record.seen.attempts if _belongs(attempt, boundary, root))
        for boundary in all_boundaries
    )


def _belongs(attempt: Attempt, boundary: Boundary, root: KeyId) -> bool:
    if root in attempt.kids:
        return boundary.at_us <= attempt.intended_us < boundary.until_us
    return not boundary.kids.isdisjoint(attempt.kids)


def usable_at(record: Record, boundary: Boundary) -> dict[int, int | None]:
    """When each client had all keys of the boundary that it asked for or got; None: never.

    Clients that the run lost are left out: it cannot know.
    """
    lost = lost_clients(record)
    wanted: dict[int, set[KeyId]] = {client: set() for client in range(record.spec.clients) if client not in lost}
    for attempt in record.seen.attempts:
        if attempt.client in wanted:
            wanted[attempt.client] |= boundary.kids.intersection(attempt.kids)
    for client, kid in record.seen.usable:
        if client in wanted and kid in boundary.kids:
            wanted[client].add(kid)
    return {client: _when(record, client, kids) for client, kids in wanted.items()}


def _when(record: Record, client: int, kids: Iterable[KeyId]) -> int | None:
    instants = [record.seen.usable.get((client, kid)) for kid in kids]
    known = [instant for instant in instants if instant is not None]
    return max(known) if known and len(known) == len(instants) else None


def lost_clients(record: Record) -> frozenset[int]:
    """Clients whose task raised."""
    return frozenset(client for clients in record.seen.lost.values() for client in clients)
