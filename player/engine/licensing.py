"""The license exchange: message, key table of the command line, HTTP with the profile's retry law, update, statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.chance import Purpose
from player.clock import MILLISECOND
from player.drm import keys as table
from player.drm import retry
from player.drm.cause import Cause
from player.drm.events import LicenseAnswered, LicenseFailed, LicenseRequested
from player.drm.keys import ExtendedStatus
from player.drm.profile import LicenseScope, MissingKeyVerdict
from player.drm.requests import asked_for, local_license
from player.eme import table as eme
from player.eme import tasks
from player.eme.cdm import Decrypt, Decrypted, GenerateRequest, Handled, Update, Wake
from player.eme.events import KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.status import KeyStatus
from player.engine import keys, segments
from player.engine.actions import CdmCall, CdmDone, Fetch, Fetched, FetchFailed, FetchKind
from player.engine.exchange import Exchange, SessionCall
from player.errors import EmeError, KeystormError, LicenseError, NetworkError
from player.ids import KeyId
from player.wire import attribution

if TYPE_CHECKING:
    from player.engine.machine import Machine

_JSON: Final = ("content-type", "application/json")

# ── answers of the CDM ───────────────────────────────────────────────────────────────────────────────────────────────


def cdm_done(m: Machine, done: CdmDone, now: int) -> None:
    """An answer of the CDM: at once, or when its modelled latency is over."""
    call, result = done.call, done.result
    if isinstance(call, Decrypt):
        if isinstance(result, Decrypted):
            segments.decrypted(m, call, result, now)
    elif isinstance(result, Handled):
        exchange = _of_slot(m, call.slot) if isinstance(call, GenerateRequest | Update) else None
        latency = _latency_us(m, call)
        if exchange is not None and latency:
            exchange.held, exchange.held_until = (call, result), now + latency
        else:
            _settle(m, call, result, now)


def _latency_us(m: Machine, call: SessionCall) -> int:
    latency = m.spec.cdm_latency
    return latency.generate_request_us if isinstance(call, GenerateRequest) else latency.update_us


def run_deadlines(m: Machine, now: int) -> None:
    for exchange in m.exchanges:
        if exchange.held is not None and exchange.held_until <= now:
            held, exchange.held, exchange.held_until = exchange.held, None, -1
            _settle(m, *held, now)
        elif 0 <= exchange.retry_at <= now:
            due, exchange.retry_at = exchange.retry_at, -1
            _attempt(m, exchange, due, now)
    if m.eme.cdm_due is not None and m.eme.cdm_due <= now:
        m.eme.cdm_due = None
        m.act(CdmCall(Wake()))


def _settle(m: Machine, call: SessionCall, handled: Handled, now: int) -> None:
    for output in tasks.settle(m.eme, m.pool, call, handled):
        if m.hears(type(output)):
            m.tell(output)
        _follow(m, output, now)
    if isinstance(call, GenerateRequest | Update):
        _conclude(m, call)


def _follow(m: Machine, output: Output, now: int) -> None:
    match output:
        case KeyStatusesChanged():
            keys.statuses_changed(m, output)
        case Message():
            _message(m, output, now)
        case Settled(error=EmeError() as error):
            _call_failed(m, output, error, now)
        case SessionClosed():
            keys.session_closed(m, output)
        case _:
            pass


def _call_failed(m: Machine, output: Settled, error: EmeError, now: int) -> None:
    """generateRequest or update was rejected: this license will not come."""
    exchange = _of_slot(m, output.session.slot)
    if exchange is None:
        return
    if isinstance(output.call, Update):
        _answered(m, exchange, "rejected", now, now)
        give_up(m, exchange, LicenseError("license-rejected", f"the CDM refused the license: {error}"))
    elif isinstance(output.call, GenerateRequest):
        give_up(m, exchange, LicenseError("request-generate", f"the CDM refused the init data: {error}"))


def _conclude(m: Machine, call: GenerateRequest | Update) -> None:
    """The exchange is over once statuses are final: after the license, or where init data alone brought the keys."""
    exchange = _of_slot(m, call.slot)
    row = eme.find(m.eme, call.slot)
    if exchange is None or row is None:
        return
    if isinstance(call, GenerateRequest) and (exchange.message or not row.statuses):
        return
    if any(status is KeyStatus.STATUS_PENDING for _, status in row.statuses):
        return
    _absent(m, exchange.slot)
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)


def _absent(m: Machine, slot: int) -> None:
    """Keys in the extent of the license that it did not bring."""
    scope = m.spec.profile.scope
    widened = scope.license_scope is not LicenseScope.INIT_DATA
    if widened or scope.missing_key_verdict is MissingKeyVerdict.DISALLOWED:
        keys.set_keys(m, table.settle(m.drm.keys, slot, ExtendedStatus.DISALLOWED, "absent-from-license"))
    else:
        keys.set_keys(m, table.settle(m.drm.keys, slot, ExtendedStatus.UNKNOWN, "absent-from-license"))


# ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(m: Machine, output: Message, now: int) -> None:
    exchange = _of_slot(m, output.session.slot)
    network = m.spec.profile.network
    if output.message_type not in network.message_types or not output.message:
        return
    if exchange is None:
        return
    exchange.message = output.message
    exchange.attempt = 0
    _attempt(m, exchange, exchange.intended, now)


def _attempt(m: Machine, exchange: Exchange, intended: int, now: int) -> None:
    """One attempt: from the command line's key table if it has every key asked for, else over HTTP."""
    exchange.attempt += 1
    kids = _asked(m, exchange)
    held = m.spec.keys
    local = bool(held) and all(kid in held for kid in kids)
    urls = () if local else _urls(m)
    if not local and not urls:
        give_up(m, exchange, _no_url(m, kids))
        return
    if not local:
        exchange.sequence = m.drm.sequence
        m.drm.sequence += 1
    _tell_requested(m, exchange, kids, intended, local)
    if local:
        _update(m, exchange, local_license(m.key_system, held))
    else:
        exchange.request = _fetch(m, exchange, kids, urls[_pick(m, urls)], intended)
        m.act(exchange.request)


def _asked(m: Machine, exchange: Exchange) -> tuple[KeyId, ...]:
    kids = m.pool.remember(asked_for, m.key_system, exchange.message)
    return kids or exchange.init_data.kids


def _urls(m: Machine) -> tuple[str, ...]:
    """The application's URL, else the manifest's."""
    if m.spec.license_url is not None:
        return (m.spec.license_url,)
    return m.manifest.license_urls(m.key_system)


def _pick(m: Machine, urls: tuple[str, ...]) -> int:
    """Several URLs of one descriptor are equal alternatives: one at random each time."""
    return int(m.draw(Purpose.URL, m.drm.sequence) * len(urls)) if len(urls) > 1 else 0


def _no_url(m: Machine, kids: tuple[KeyId, ...]) -> LicenseError:
    named = ", ".join(str(kid) for kid in kids)
    return LicenseError("no-license-url", f"no license URL and no key given for {named} ({m.key_system})")


def _fetch(m: Machine, exchange: Exchange, kids: tuple[KeyId, ...], url: str, intended: int) -> Fetch:
    return Fetch(
        kind=FetchKind.LICENSE,
        url=url,
        method="POST",
        headers=(_JSON, *m.spec.license_headers, *_attribution(m, exchange)),
        body=exchange.message,
        timeout_us=m.spec.profile.network.timeout_ms * MILLISECOND,
        intended=intended,
        slot=exchange.slot,
        attempt=exchange.attempt,
        cause=exchange.cause,
        origin=exchange.origin,
        kids=kids,
    )


def _attribution(m: Machine, exchange: Exchange) -> tuple[tuple[str, str], ...]:
    if not m.spec.annotate:
        return ()
    told = attribution.Attribution(
        client=m.client, sequence=exchange.sequence, cause=exchange.cause.value, attempt=exchange.attempt
    )
    return ((attribution.HEADER, attribution.write(told)),)


def _tell_requested(m: Machine, exchange: Exchange, kids: tuple[KeyId, ...], intended: int, local: bool) -> None:
    if m.hears(LicenseRequested):
        m.tell(
            LicenseRequested(
                slot=exchange.slot,
                sequence=exchange.sequence,
                attempt=exchange.attempt,
                cause=exchange.cause,
                origin=exchange.origin,
                kids=kids,
                intended_us=intended,
                local=local,
            )
        )


# ── answers of the server ────────────────────────────────────────────────────────────────────────────────────────────


def fetched(m: Machine, result: Fetched, now: int) -> None:
    exchange = _waiting_for(m, result.action)
    if exchange is None:
        return
    network = m.spec.profile.network
    if retry.accepted(result.status, network.success_statuses):
        _answered(m, exchange, "ok", result.sent_at, result.done_at)
        _update(m, exchange, result.body)
        return
    _answered(m, exchange, f"http-{result.status}", result.sent_at, result.done_at)
    error = NetworkError("license-load", result.url, f"HTTP {result.status} to a license request", status=result.status)
    told = retry.retry_after_us(result.headers, m.wall_us(now))
    final = retry.accepted(result.status, network.final_statuses)
    _try_again(m, exchange, error, retry.cause_of_retry(result.status, ""), told, final, now)


def fetch_failed(m: Machine, result: FetchFailed, now: int) -> None:
    exchange = _waiting_for(m, result.action)
    if exchange is None:
        return
    timed_out = result.code == "timeout"
    _answered(m, exchange, "timeout" if timed_out else "network", result.sent_at, result.done_at)
    code = "license-timeout" if timed_out else "license-load"
    error = NetworkError(code, result.action.url, f"{result.reason} (license request)")
    _try_again(m, exchange, error, retry.cause_of_retry(None, result.code), None, result.code == "refused-url", now)


def _try_again(
    m: Machine, exchange: Exchange, error: KeystormError, cause: Cause, told_us: int | None, final: bool, now: int
) -> None:
    network = m.spec.profile.network
    if final or exchange.attempt >= network.attempts:
        give_up(m, exchange, error)
        return
    exchange.cause = cause
    exchange.retry_at = now + retry.delay_us(network, m.draw, m.drm.retries, exchange.attempt, told_us)
    m.drm.retries += 1


def _update(m: Machine, exchange: Exchange, response: bytes) -> None:
    call = eme.update(m.eme, m.pool, exchange.slot, response)
    if isinstance(call, EmeError):
        give_up(m, exchange, LicenseError("license-rejected", f"the license was refused: {call}"))
    else:
        m.act(CdmCall(call))


def give_up(m: Machine, exchange: Exchange, error: KeystormError) -> None:
    """The license will not come: its keys are `failed`, its session is closed where the profile closes it."""
    m.key_error = error
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)
    failed = tuple(e.kid for e in m.drm.keys if e.slot == exchange.slot and e.status is ExtendedStatus.REQUESTED)
    keys.set_keys(m, table.settle(m.drm.keys, exchange.slot, ExtendedStatus.FAILED, error.code))
    if m.hears(LicenseFailed):
        m.tell(LicenseFailed(slot=exchange.slot, kids=failed, code=error.code, reason=str(error)))
    if m.spec.profile.sessions.close_failed:
        keys.close_session(m, exchange.slot)


def _answered(m: Machine, exchange: Exchange, outcome: str, sent_us: int, done_us: int) -> None:
    if m.hears(LicenseAnswered):
        m.tell(
            LicenseAnswered(
                slot=exchange.slot,
                sequence=exchange.sequence,
                attempt=exchange.attempt,
                outcome=outcome,
                sent_us=sent_us,
                duration_us=done_us - sent_us,
            )
        )


def _waiting_for(m: Machine, action: Fetch) -> Exchange | None:
    for exchange in m.exchanges:
        if exchange.request is action:
            exchange.request = None
            return exchange
    return None


def _of_slot(m: Machine, slot: int) -> Exchange | None:
    return next((exchange for exchange in m.exchanges if exchange.slot == slot), None)
