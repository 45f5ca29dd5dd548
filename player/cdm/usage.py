"""Usage records: when keys of a session decrypted first and last (session type persistent-usage-record).

Times stand beside the ring, for they differ by client, and only where such a session has decrypted something. What is
stored is never further from the truth than the accuracy: it is saved at a wake-up, or at once where that would be late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from player.clock import MILLISECOND
from player.eme.status import SessionType
from player.wire.release import Times

if TYPE_CHECKING:
    from player.cdm.spec import CdmSpec

RECORDED = SessionType.PERSISTENT_USAGE_RECORD


class Usage(NamedTuple):
    """Of the session in `slot`, in ms since the epoch. `due_ms`: when to save, 0: what is stored is right."""

    slot: int
    first_ms: int
    latest_ms: int
    saved_ms: int  # the latest time as it is stored
    due_ms: int = 0


Usages = tuple[Usage, ...] | None
"""One for each session that has such times; None where none has."""


def find(usages: Usages, slot: int) -> Usage | None:
    return next((it for it in usages or () if it.slot == slot), None)


def without(usages: Usages, slot: int) -> Usages:
    return tuple(it for it in usages or () if it.slot != slot) or None


def entered(usages: Usages, usage: Usage) -> Usages:
    return (*(without(usages, usage.slot) or ()), usage)


def used(before: Usage | None, slot: int, wall_ms: int, spec: CdmSpec) -> Usage:
    """After a decryption. `due_ms` up to now: it is to be saved at once."""
    if before is None:
        return Usage(slot, wall_ms, wall_ms, 0, wall_ms)
    latest_ms = max(before.latest_ms, wall_ms)  # a clock that was set back makes no record earlier
    after = before._replace(latest_ms=latest_ms)
    if before.due_ms or rounded(latest_ms, spec) == before.saved_ms:
        return after
    return after._replace(due_ms=min(wall_ms + spec.save_every_ms, before.saved_ms + spec.accuracy_ms))


def is_due(usage: Usage, wall_ms: int) -> bool:
    return 0 < usage.due_ms <= wall_ms


def saved(usage: Usage, spec: CdmSpec) -> Usage:
    """Once it is stored as it is."""
    return usage._replace(saved_ms=rounded(usage.latest_ms, spec), due_ms=0)


def times(usage: Usage | None, spec: CdmSpec) -> Times:
    """As anybody may see them."""
    if usage is None:
        return Times()
    return Times(first_ms=rounded(usage.first_ms, spec), latest_ms=rounded(usage.latest_ms, spec))


def rounded(time_ms: int, spec: CdmSpec) -> int:
    """To the nearest multiple of the accuracy, so that a time tells no more than it must."""
    step = spec.accuracy_ms
    return (time_ms + step // 2) // step * step


def next_due(usages: Usages) -> int | None:
    """µs since the epoch."""
    return min((it.due_ms * MILLISECOND for it in usages or () if it.due_ms), default=None)
