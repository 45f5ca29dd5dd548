"""Answers of the CDM: settled in contract order, and what the key logic makes of each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from player.clock import MILLISECOND
from player.drm import absent
from player.drm import keys as table
from player.drm.cause import Cause
from player.drm.keys import ExtendedStatus, Table
from player.drm.profile import MissingKeyVerdict, OnStatus, Quirk
from player.drm.reactions import Code
from player.eme import table as eme
from player.eme import tasks
from player.eme.cdm import Decrypt, Decrypted, DeviceCall, GenerateRequest, Handled, KeysCall, SessionCall, Update, Wake
from player.eme.events import KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import Session
from player.eme.status import KeyStatus
from player.engine import announcing, batching, decrypting, keys, licensing, statuses
from player.engine.actions import CdmCall, CdmDone
from player.engine.exchange import Exchange
from player.errors import EmeError, LicenseError

if TYPE_CHECKING:
    from player.engine.machine import Machine


def cdm_done(m: Machine, done: CdmDone, now: int) -> None:
    """An answer of the CDM: at once, or when its modelled latency is over."""
    call, result = done.call, done.result
    if isinstance(call, Decrypt):
        if isinstance(result, Decrypted):
            if result.changes or result.lost is not None or result.wake_at is not None:
                _take(m, tasks.used(m.eme, m.pool, result), now)
            decrypting.decrypted(m, call, result, now)
    elif isinstance(result, Handled) and not isinstance(call, KeysCall):
        exchange = licensing.of_slot(m, call.slot) if isinstance(call, GenerateRequest | Update) else None
        latency = _latency_us(m, call)
        if exchange is not None and latency:
            exchange.held, exchange.held_until = (call, result), now + latency
        else:
            _settle(m, call, result, now)


def _latency_us(m: Machine, call: SessionCall | DeviceCall) -> int:
    latency = m.spec.cdm_latency
    return latency.generate_request_us if isinstance(call, GenerateRequest) else latency.update_us


def run_deadlines(m: Machine, now: int) -> None:
    for exchange in m.exchanges:
        if m.finished:
            return
        if 0 <= exchange.verdict_at <= now:
            _judge_late(m, exchange)
        if exchange.held is not None and exchange.held_until <= now:
            held, exchange.held, exchange.held_until = exchange.held, None, -1
            _settle(m, *held, now)
        elif 0 <= exchange.retry_at <= now:
            due, exchange.retry_at = exchange.retry_at, -1
            licensing.attempt(m, exchange, due, now)
    batching.run(m, now)
    if m.eme.cdm_due is not None and m.eme.cdm_due <= now:
        m.eme.cdm_due = _busy_until(m)
        if m.eme.cdm_due is None:
            m.act(CdmCall(Wake()))


def _busy_until(m: Machine) -> int | None:
    """What the CDM tells by itself waits until the answers that are held have been seen, or it would overtake them."""
    return max((exchange.held_until for exchange in m.exchanges if exchange.held is not None), default=None)


def _settle(m: Machine, call: SessionCall | DeviceCall, handled: Handled, now: int) -> None:
    _take(m, tasks.settle(m.eme, m.pool, call, handled), now)


def _take(m: Machine, outputs: Sequence[Output], now: int) -> None:
    for output in outputs:
        if m.hears(type(output)):
            m.tell(output)
        _follow(m, output, now)
    for slot in dict.fromkeys(output.session.slot for output in outputs):
        _conclude(m, slot, now)


def _follow(m: Machine, output: Output, now: int) -> None:
    match output:
        case KeyStatusesChanged():
            statuses.changed(m, output, now)
        case Message():
            licensing.message(m, output, now)
        case Settled(error=EmeError() as error):
            _call_failed(m, output, error, now)
        case Settled(call=Update()):
            _licensed(m, output.session.slot, now)
        case SessionClosed():
            statuses.session_closed(m, output, now)
        case _:
            pass


def _call_failed(m: Machine, output: Settled, error: EmeError, now: int) -> None:
    """generateRequest or update was rejected: this license will not come."""
    exchange = licensing.of_slot(m, output.session.slot)
    if exchange is None:
        return
    if isinstance(output.call, Update):
        licensing.answered(m, exchange, "rejected", now, now)
        licensing.give_up(m, exchange, LicenseError("license-rejected", f"the CDM refused the license: {error}"), now)
    elif isinstance(output.call, GenerateRequest):
        licensing.give_up(m, exchange, LicenseError("request-generate", f"the CDM refused the init data: {error}"), now)


def _licensed(m: Machine, slot: int, now: int) -> None:
    exchange = licensing.of_slot(m, slot)
    if exchange is not None:
        exchange.licensed, exchange.licensed_at = True, now


def _conclude(m: Machine, slot: int, now: int) -> None:
    """The exchange is over once statuses are final: after the license, or where init data alone brought the keys."""
    exchange, row = licensing.of_slot(m, slot), eme.find(m.eme, slot)
    if exchange is None or row is None or exchange.locked:
        return
    if not exchange.licensed and (exchange.message or not row.statuses):
        return
    pending = any(status is KeyStatus.STATUS_PENDING for _, status in row.statuses)
    if _waits(m, exchange, row, pending=pending, now=now):
        return
    _end(m, exchange, row)


def _waits(m: Machine, exchange: Exchange, row: Session, *, pending: bool, now: int) -> bool:
    """Are keys that have not come to be waited for? From the first statuses on, for as long as the profile says."""
    profile = m.spec.profile
    missing = any(e.slot == row.slot and e.status is ExtendedStatus.REQUESTED for e in m.drm.keys)
    endless = pending and (exchange.init_data.root is not None or Quirk.PENDING_NEVER_ENDS in profile.quirks)
    late = absent.waits(profile.scope, pending=pending)
    if not endless and late and (missing or pending) and exchange.verdict_at < 0:
        exchange.verdict_at = now + profile.scope.missing_key_timeout_ms * MILLISECOND
    silent = profile.status.after_all_sessions and not row.statuses and exchange.licensed_at == now
    return pending or silent or (late and missing)


def _judge_late(m: Machine, exchange: Exchange) -> None:
    """The wait for missing keys is over; what is still pending counts as refused where pending keys are waited for."""
    exchange.verdict_at = -1
    row = eme.find(m.eme, exchange.slot)
    if row is None or exchange.locked:
        return
    if m.spec.profile.status.on_status_pending is OnStatus.WAIT:
        keys.set_keys(m, table.end_pending(m.drm.keys, exchange.slot))
    _end(m, exchange, row)


def _end(m: Machine, exchange: Exchange, row: Session) -> None:
    asked = m.drm.keys
    _absent(m, exchange, row)
    if exchange.origin is Cause.RENEWAL:
        keys.set_keys(m, table.expire(m.drm.keys, row.slot))
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)
    _reject_absent(m, asked, row)


def _absent(m: Machine, exchange: Exchange, row: Session) -> None:
    """Keys in the extent of the license that it did not bring."""
    profile = m.spec.profile
    license_ = absent.License(row.slot, row.statuses, announcing.manifest_has_init_data(m))
    if Quirk.SECOND_KID_SAME_URI_RESOLVES in profile.quirks and row.statuses and len(exchange.init_data.kids) > 1:
        keys.set_keys(m, table.settle(m.drm.keys, row.slot, ExtendedStatus.UNKNOWN, "second-key-of-one-uri"))
    keys.set_keys(m, m.pool.remember(absent.settle, m.drm.keys, profile.scope, license_))


def _reject_absent(m: Machine, asked: Table, row: Session) -> None:
    """hls.js: the load of a key that did not come fails; a session without any usable key is closed."""
    if m.spec.profile.scope.missing_key_verdict is not MissingKeyVerdict.INTERNAL_ERROR:
        return
    kids = tuple(entry.kid for _, entry in table.changes(asked, m.drm.keys) if entry.why == table.ABSENT)
    if kids:
        statuses.tell_fault(m, Code.KEY_INTERNAL, kids, "the license lacks the key", fatal=False)
        if all(status is not KeyStatus.USABLE for _, status in row.statuses):
            keys.close_session(m, row.slot)
