"""Statuses that a profile tells together: collected for a while, and held back until every session has one.

Only what is blocked waits for this; the CDM decrypts with a key as soon as it has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.clock import MILLISECOND
from player.drm import reactions
from player.drm.events import StatusesAnnounced
from player.drm.state import Batch
from player.eme import table as eme
from player.eme.status import KeyStatus
from player.errors import LicenseError

if TYPE_CHECKING:
    from player.engine.machine import Machine


def collect(m: Machine, now: int) -> None:
    """A status was reported: the wait begins, or begins anew."""
    wait_ms = m.spec.profile.status.batch_ms
    if wait_ms:
        batch = m.drm.batch = m.drm.batch or Batch()
        batch.due = now + wait_ms * MILLISECOND


def run(m: Machine, now: int) -> None:
    """Due: tell all statuses, unless a session keeps the others silent."""
    batch = m.drm.batch
    if batch is None or not 0 <= batch.due <= now:
        return
    batch.due = -1
    if m.spec.profile.status.after_all_sessions and not _all_loaded(m, now):
        return  # until the next status of any session
    batch.told = m.drm.keys
    if m.hears(StatusesAnnounced):
        m.tell(StatusesAnnounced(statuses=tuple((entry.kid, entry.status) for entry in batch.told)))
    if reactions.all_expired(batch.told, m.spec.profile.status):
        m.fail(LicenseError(reactions.Code.KEY_EXPIRED, "every key has expired"), now)


def _all_loaded(m: Machine, now: int) -> bool:
    return all(_is_loaded(m, slot, now) for slot in m.drm.order)


def _is_loaded(m: Machine, slot: int, now: int) -> bool:
    """It has a status other than pending, or its license came long ago and brought none."""
    row = eme.find(m.eme, slot)
    if row is None or any(status is not KeyStatus.STATUS_PENDING for _, status in row.statuses):
        return True
    exchange = next((x for x in m.exchanges if x.slot == slot), None)
    limit = m.spec.profile.sessions.load_timeout_ms * MILLISECOND
    return exchange is None or (exchange.licensed_at >= 0 and 0 < limit <= now - exchange.licensed_at)
