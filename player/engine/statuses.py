"""What follows when the CDM tells of statuses or of the end of a session: key table, errors, sessions made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.chance import Purpose
from player.clock import MILLISECOND, SECOND
from player.drm import absent, reactions
from player.drm import keys as table
from player.drm.cause import Cause
from player.drm.events import KeyFault
from player.drm.init_data import InitData, Origin, kids_of
from player.drm.keys import Table
from player.drm.plan import Planned
from player.drm.profile import HardwareReset, OnExpired
from player.eme import table as eme
from player.eme.events import KeyStatusesChanged, SessionClosed
from player.eme.session import CALLABLE, Session
from player.eme.status import ClosedReason, KeyStatus
from player.engine import batching, companions, keys, queueing
from player.errors import LicenseError
from player.ids import KeyId

if TYPE_CHECKING:
    from player.engine.machine import Machine

_RESET_SPREAD_S: Final = 5.0  # choice: over which clients that spread ask again after a reset


def changed(m: Machine, output: KeyStatusesChanged, now: int) -> None:
    """A status report: applied at once, told when the profile tells it."""
    row, old, profile = output.session, m.drm.keys, m.spec.profile
    statuses = m.pool.remember(table.understood, old, row.slot, row.statuses, profile.status.zero_kid_is_global)
    new = m.pool.remember(table.report, old, row.slot, statuses)
    if row.state is CALLABLE:
        new = m.pool.remember(absent.vanished, new, row.slot, statuses, profile.scope.missing_key_verdict)
    keys.set_keys(m, new)
    batching.collect(m, now)
    _react(m, old, now)
    _close_expired(m, row, now)


def _react(m: Machine, old: Table, now: int) -> None:
    """What the profile does beyond a verdict."""
    profile = m.spec.profile
    if m.drm.keys == old:
        return
    for reaction in reactions.to_changes(old, m.drm.keys, profile.status, profile.quirks, _active(m)):
        detail = f"key {reaction.kid} is {reaction.status}"
        tell_fault(m, reaction.code, (reaction.kid,), detail, fatal=reaction.fatal)
        if reaction.ends:
            m.fail(LicenseError(reaction.code, detail), now)


def _active(m: Machine) -> frozenset[KeyId]:
    """The keys of what is played now, as the manifest names them."""
    played = [(*track.adaptation_set.protections, *track.representation.protections) for track in m.stream.tracks]
    return frozenset(kid for protections in played for kid in keys.default_kids(protections))


def _close_expired(m: Machine, row: Session, now: int) -> None:
    """A session whose end has come, or as good as, is closed; one without an end stays open (Shaka Player)."""
    rules = m.spec.profile.status
    if rules.on_expired is not OnExpired.FATAL_IF_ALL:
        return
    end_ms = eme.expiration_ms(m.eme, row.slot)
    over = 0 < end_ms <= m.wall_us(now) // MILLISECOND + rules.expiry_tolerance_ms
    if over and any(status is KeyStatus.EXPIRED for _, status in row.statuses):
        keys.close_session(m, row.slot)


def tell_fault(m: Machine, code: str, kids: tuple[KeyId, ...], detail: str, *, fatal: bool) -> None:
    """What the player of this profile tells its application."""
    if m.hears(KeyFault):
        m.tell(KeyFault(code=code, fatal=fatal, kids=kids, detail=detail))


def session_closed(m: Machine, output: SessionClosed, now: int) -> None:
    row = output.session
    keep = m.spec.profile.sessions.keep_status_of_closed
    held = companions.held_by(m, row)
    keys.set_keys(m, table.close(m.drm.keys, row.slot, keep))
    m.exchanges = tuple(exchange for exchange in m.exchanges if exchange.slot != row.slot)
    known = row.slot in m.drm.order
    queueing.forget(m, row.slot)
    companions.close_with(m, held)
    if known and output.reason is ClosedReason.HARDWARE_CONTEXT_RESET:
        _make_again(m, row, now)


def _make_again(m: Machine, row: Session, now: int) -> None:
    """The device was reset: every client of its kind asks again at this moment, or spreads it."""
    rule = m.spec.profile.sessions.hardware_reset
    named = m.pool.remember(kids_of, row.init_data_type, row.init_data)
    kids = tuple(dict.fromkeys((*named, *(kid for kid, _ in row.statuses))))
    again = InitData(type=row.init_data_type, data=row.init_data, kids=kids, origin=Origin.MPD)
    if rule is HardwareReset.RECREATE:
        keys.set_keys(m, table.close(m.drm.keys, row.slot, keep=False))
        keys.announce_one(m, again, now, Cause.RELOAD)
    elif rule is HardwareReset.RECREATE_JITTERED:
        at = now + round(m.draw.between(Purpose.RESET, m.eme.sessions_made, 0.0, _RESET_SPREAD_S) * SECOND)
        m.drm.planned = (*m.drm.planned, Planned(again, at, at, Cause.RELOAD))
