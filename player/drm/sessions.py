"""Which sessions must go before a new one is opened."""

from __future__ import annotations

from typing import Final

from player.drm.keys import ExtendedStatus, Table
from player.drm.profile import Evict, Sessions
from player.eme.session import Session
from player.ids import KeyId

EMBEDDED_PERIODS_KEPT: Final = 16  # children of one root that are kept at most (OP04)

_UNSETTLED: Final = frozenset({ExtendedStatus.REQUESTED, ExtendedStatus.STATUS_PENDING})


def victims(
    rows: tuple[Session, ...],
    table: Table,
    limits: Sessions,
    needed: frozenset[KeyId],
    embedded: bool,
    order: tuple[int, ...] = (),
) -> tuple[int, ...]:
    """Slots to close so that one more session fits, oldest first; fewer than needed where none may go.

    `order`: slots by their last announcement, which "lru" goes by; "fifo" goes by creation. What is not in it counts,
    and goes with another session or not at all.

    Unless the profile evicts in flight, no session goes that has children, whose statuses are not final, or whose keys
    playback needs.
    """
    surplus = len(rows) + 1 - _limit(limits)
    parents = {row.parent for row in rows}
    children = [row for row in rows if row.parent is not None]
    if embedded and len(children) >= _children_kept(limits):
        surplus = max(surplus, len(children) + 1 - _children_kept(limits))
    if surplus <= 0 or limits.evict is Evict.NONE:
        return ()
    ready = [
        row
        for row in rows
        if (not order or row.slot in order)
        and (row.slot not in parents or limits.evict_in_flight)
        and _may_go(row, table, limits, needed)
    ]
    if limits.evict is Evict.LRU:
        ready.sort(key=lambda row: order.index(row.slot) if row.slot in order else -1)
    ready.sort(key=lambda row: row.parent is None)  # children first, each group in its order
    return tuple(row.slot for row in ready[:surplus])


def _limit(limits: Sessions) -> int:
    return limits.max_sessions if limits.max_sessions >= 0 else 1 << 30


def _children_kept(limits: Sessions) -> int:
    return min(EMBEDDED_PERIODS_KEPT, limits.max_sessions - 1) if limits.max_sessions >= 0 else EMBEDDED_PERIODS_KEPT


def _may_go(row: Session, table: Table, limits: Sessions, needed: frozenset[KeyId]) -> bool:
    if limits.evict_in_flight:
        return True
    entries = [entry for entry in table if entry.slot == row.slot]
    if any(entry.status in _UNSETTLED for entry in entries):
        return False
    return not any(kid in needed for kid, _ in row.statuses) and bool(row.statuses or entries)


def stale_kids(table: Table, slot: int, listed: frozenset[KeyId]) -> frozenset[KeyId]:
    """Keys of an evicted session that the manifest does not list: nothing will ask for their status again."""
    return frozenset(entry.kid for entry in table if entry.slot == slot and entry.kid not in listed)
