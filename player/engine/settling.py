"""Answers of the CDM: settled in contract order, and what the key logic makes of each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from player.drm import keys as table
from player.drm.cause import Cause
from player.drm.keys import ExtendedStatus
from player.drm.profile import LicenseScope, MissingKeyVerdict
from player.eme import table as eme
from player.eme import tasks
from player.eme.cdm import Decrypt, Decrypted, DeviceCall, GenerateRequest, Handled, KeysCall, SessionCall, Update, Wake
from player.eme.events import KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.status import KeyStatus
from player.engine import decrypting, keys, licensing
from player.engine.actions import CdmCall, CdmDone
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
        if exchange.held is not None and exchange.held_until <= now:
            held, exchange.held, exchange.held_until = exchange.held, None, -1
            _settle(m, *held, now)
        elif 0 <= exchange.retry_at <= now:
            due, exchange.retry_at = exchange.retry_at, -1
            licensing.attempt(m, exchange, due)
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
        _conclude(m, slot)


def _follow(m: Machine, output: Output, now: int) -> None:
    match output:
        case KeyStatusesChanged():
            keys.statuses_changed(m, output)
        case Message():
            licensing.message(m, output, now)
        case Settled(error=EmeError() as error):
            _call_failed(m, output, error, now)
        case Settled(call=Update()):
            _licensed(m, output.session.slot)
        case SessionClosed():
            keys.session_closed(m, output)
        case _:
            pass


def _call_failed(m: Machine, output: Settled, error: EmeError, now: int) -> None:
    """generateRequest or update was rejected: this license will not come."""
    exchange = licensing.of_slot(m, output.session.slot)
    if exchange is None:
        return
    if isinstance(output.call, Update):
        licensing.answered(m, exchange, "rejected", now, now)
        licensing.give_up(m, exchange, LicenseError("license-rejected", f"the CDM refused the license: {error}"))
    elif isinstance(output.call, GenerateRequest):
        licensing.give_up(m, exchange, LicenseError("request-generate", f"the CDM refused the init data: {error}"))


def _licensed(m: Machine, slot: int) -> None:
    exchange = licensing.of_slot(m, slot)
    if exchange is not None:
        exchange.licensed = True


def _conclude(m: Machine, slot: int) -> None:
    """The exchange is over once statuses are final: after the license, or where init data alone brought the keys."""
    exchange, row = licensing.of_slot(m, slot), eme.find(m.eme, slot)
    if exchange is None or row is None:
        return
    if not exchange.licensed and (exchange.message or not row.statuses):
        return
    if any(status is KeyStatus.STATUS_PENDING for _, status in row.statuses):
        return
    _absent(m, slot)
    if exchange.origin is Cause.RENEWAL:
        keys.set_keys(m, table.expire(m.drm.keys, slot))
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)


def _absent(m: Machine, slot: int) -> None:
    """Keys in the extent of the license that it did not bring."""
    scope = m.spec.profile.scope
    widened = scope.license_scope is not LicenseScope.INIT_DATA
    if widened or scope.missing_key_verdict is MissingKeyVerdict.DISALLOWED:
        keys.set_keys(m, table.settle(m.drm.keys, slot, ExtendedStatus.DISALLOWED, "absent-from-license"))
    else:
        keys.set_keys(m, table.settle(m.drm.keys, slot, ExtendedStatus.UNKNOWN, "absent-from-license"))
