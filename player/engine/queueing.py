"""The sessions that the key logic knows, in the order of their last use, and whether a request has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from player.drm import queue
from player.drm.dedupe import Known
from player.drm.init_data import InitData, kids_of
from player.drm.queue import InFlight
from player.eme import table as eme
from player.eme.session import CALLABLE, REQUESTING

if TYPE_CHECKING:
    from player.engine.machine import Machine


def known(m: Machine) -> Iterator[Known]:
    """Open sessions that dedupe may find; one that was let go of without being closed is not among them."""
    for row in m.eme.table:
        if row.state in (CALLABLE, REQUESTING) and row.slot in m.drm.order:
            yield Known(
                row.slot,
                row.init_data_type,
                row.init_data,
                kids=m.pool.remember(kids_of, row.init_data_type, row.init_data),
                listed=tuple(kid for kid, _ in row.statuses),
                tied=tuple(entry.kid for entry in m.drm.keys if entry.slot == row.slot),
            )


def use(m: Machine, slot: int) -> None:
    """An announcement that a session answers for moves it to the end: it goes last."""
    order = m.drm.order
    if slot >= 0 and order[-1:] != (slot,):
        m.drm.order = m.pool.intern((*(other for other in order if other != slot), slot))


def forget(m: Machine, slot: int) -> None:
    """The key logic knows nothing of this session any more, whether or not it is closed."""
    if slot in m.drm.order:
        m.drm.order = m.pool.intern(tuple(other for other in m.drm.order if other != slot))


def must_wait(m: Machine, init_data: InitData) -> bool:
    """Does the profile hold this request back until others have ended?"""
    if not m.exchanges:
        return False
    in_flight = [InFlight(x.init_data, _has_reported(m, x.slot) and not x.locked) for x in m.exchanges]
    return queue.waits(init_data, m.spec.profile.scope, in_flight)


def _has_reported(m: Machine, slot: int) -> bool:
    row = eme.find(m.eme, slot)
    return row is not None and bool(row.statuses)
