"""How a player leaves a content: exchanges that it aborts, and sessions that it closes or keeps for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.drm.profile import Quirk, ReuseCheck
from player.eme import table as eme
from player.eme import tasks
from player.eme.cdm import Close, Handled
from player.eme.status import KeyStatus
from player.engine import keys
from player.engine.actions import CdmDone

if TYPE_CHECKING:
    from player.engine.machine import Machine


def abort(m: Machine) -> None:
    """Some remember one pending request only: the answers of the others come, and nobody wants them."""
    if Quirk.ABORT_NEWEST_ONLY in m.spec.profile.quirks:
        m.exchanges = tuple(exchange for exchange in m.exchanges if exchange.request is not None)[-1:]


def close_sessions(m: Machine) -> None:
    """Children before their parents; what is kept for the next content must have something to show."""
    rules, known = m.spec.profile.sessions, set(m.drm.order)
    slots = [slot for slot in eme.leaves_first(m.eme) if slot in known or m.spec.element.channel_per_key]
    if rules.keep_between_contents:
        slots = [slot for slot in slots if rules.reuse_check is ReuseCheck.ANY_USABLE and not _has_usable(m, slot)]
    for slot in slots[::2] if Quirk.RESET_SKIPS_SESSIONS in m.spec.profile.quirks else slots:
        keys.close_session(m, slot)


def _has_usable(m: Machine, slot: int) -> bool:
    row = eme.find(m.eme, slot)
    return row is not None and any(status is KeyStatus.USABLE for _, status in row.statuses)


def closed(m: Machine, done: CdmDone) -> None:
    """An answer that comes after the end: a session is closed, and that is told."""
    if isinstance(done.call, Close) and isinstance(done.result, Handled):
        for output in tasks.settle(m.eme, m.pool, done.call, done.result):
            if m.hears(type(output)):
                m.tell(output)
