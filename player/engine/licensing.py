"""The license exchange with a server: message, keys given by hand, attempts by the profile's retry law, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from player.chance import Purpose
from player.clock import MILLISECOND
from player.drm import keys as table
from player.drm import retry
from player.drm.cause import Cause
from player.drm.events import LicenseAnswered, LicenseFailed, LicenseRequested
from player.drm.init_data import InitData, Origin
from player.drm.keys import ExtendedStatus
from player.drm.profile import NullLicense, OnLicenseFailure
from player.drm.requests import asked_for, local_license
from player.eme import table as eme
from player.eme.events import Message
from player.eme.status import MessageType
from player.engine import client_data, keys, queueing, statuses
from player.engine.actions import CdmCall, Fetch, Fetched, FetchFailed, FetchKind
from player.engine.exchange import Exchange
from player.errors import EmeError, KeystormError, LicenseError, NetworkError
from player.ids import KeyId
from player.wire import attribution, playready_message

if TYPE_CHECKING:
    from player.engine.machine import Machine

_NO_CONTENT: Final = 204  # what stands for an application that has nothing to hand to the session
_JSON: Final = ("content-type", "application/json")

# ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def message(m: Machine, output: Message, now: int) -> None:
    network = m.spec.profile.network
    exchange = of_slot(m, output.session.slot)
    if exchange is not None and exchange.closing:
        _close(m, exchange)
        return
    if output.message_type not in network.message_types:
        return
    if exchange is None and output.message_type is MessageType.LICENSE_RENEWAL:
        exchange = _renewal(m, output, now)
    if exchange is None:
        return
    if not output.message:
        give_up(m, exchange, LicenseError("empty-message", "the CDM sent a message without content"), now)
        return
    wrapped = playready_message.read(output.message)
    exchange.message, exchange.headers = (output.message, ()) if wrapped is None else wrapped
    exchange.attempt = 0
    if not _is_delayed(m):
        attempt(m, exchange, exchange.intended, now)


def _is_delayed(m: Machine) -> bool:
    """Some players hold messages until the user plays for the first time; nothing is held after that."""
    return m.spec.profile.network.delay_until_play and m.stream.paused and m.stream.started_at < 0


def run_delayed(m: Machine, now: int) -> None:
    """The user plays: what was held leaves together."""
    if m.spec.profile.network.delay_until_play and not _is_delayed(m):
        for exchange in m.exchanges:
            if exchange.message and exchange.attempt == 0:
                attempt(m, exchange, now, now)


def _close(m: Machine, exchange: Exchange) -> None:
    """Its session was evicted while the CDM made the request: nothing is sent, and nobody is told."""
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)
    keys.close_session(m, exchange.slot)


def _renewal(m: Machine, output: Message, now: int) -> Exchange:
    """The CDM has asked by itself, on a session that has no work under way (EME, Monitor for CDM State Changes)."""
    row = output.session
    kids = tuple(kid for kid, _ in row.statuses)
    init_data = InitData(type=row.init_data_type, data=row.init_data, kids=kids, origin=Origin.MPD)
    exchange = Exchange(row.slot, init_data, Cause.RENEWAL, now)
    m.exchanges = (*m.exchanges, exchange)
    return exchange


def attempt(m: Machine, exchange: Exchange, intended: int, now: int) -> None:
    """One attempt: from the command line's key table if it has every key asked for, else over HTTP."""
    exchange.attempt += 1
    kids = _asked(m, exchange)
    held = m.spec.keys
    local = bool(held) and all(kid in held for kid in kids)
    urls = () if local else _urls(m)
    if not local and not urls:
        give_up(m, exchange, _no_url(m, kids), now)
        return
    if not local:
        exchange.sequence = m.drm.sequence
        m.drm.sequence += 1
    _tell_requested(m, exchange, kids, intended, local)
    if local:
        _update(m, exchange, local_license(m.key_system, held, kids, exchange.init_data), now)
    else:
        exchange.request = _fetch(m, exchange, kids, urls[_pick(m, urls)], intended)
        if m.spec.cmcd is not None:
            exchange.request = client_data.of_license(m, exchange.request)
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
    network = m.spec.profile.network
    return Fetch(
        kind=FetchKind.LICENSE,
        url=url,
        method="POST",
        headers=(*(exchange.headers or (_JSON,)), *m.spec.license_headers, *_attribution(m, exchange)),
        body=exchange.message,
        timeout_us=network.timeout_ms * MILLISECOND,
        connect_timeout_us=network.connect_timeout_ms * MILLISECOND,
        stall_timeout_us=network.stall_timeout_ms * MILLISECOND,
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


# ── answers of the server ─────────────────────────────────────────────────────────────────────────────────────────────


def fetched(m: Machine, result: Fetched, now: int) -> None:
    exchange = _waiting_for(m, result.action)
    if exchange is None:
        return
    network = m.spec.profile.network
    if retry.accepted(result.status, network.success_statuses):
        answered(m, exchange, "ok", result.sent_at, result.done_at)
        if result.status == _NO_CONTENT:
            _nothing_to_update(m, exchange, now)
        else:
            _update(m, exchange, result.body, now)
        return
    answered(m, exchange, f"http-{result.status}", result.sent_at, result.done_at)
    error = NetworkError("license-load", result.url, f"HTTP {result.status} to a license request", status=result.status)
    told = retry.retry_after_us(result.headers, m.wall_us(now))
    final = retry.accepted(result.status, network.final_statuses)
    _try_again(m, exchange, error, retry.cause_of_retry(result.status, ""), told, final, now)


def fetch_failed(m: Machine, result: FetchFailed, now: int) -> None:
    exchange = _waiting_for(m, result.action)
    if exchange is None:
        return
    timed_out = result.code == "timeout"
    answered(m, exchange, "timeout" if timed_out else "network", result.sent_at, result.done_at)
    code = "license-timeout" if timed_out else "license-load"
    error = NetworkError(code, result.action.url, f"{result.reason} (license request)")
    _try_again(m, exchange, error, retry.cause_of_retry(None, result.code), None, result.code == "refused-url", now)


def _try_again(
    m: Machine, exchange: Exchange, error: KeystormError, cause: Cause, told_us: int | None, final: bool, now: int
) -> None:
    network = m.spec.profile.network
    if final or exchange.attempt >= network.attempts:
        give_up(m, exchange, error, now)
        return
    exchange.cause = cause
    exchange.retry_at = now + retry.delay_us(network, m.draw, m.drm.retries, exchange.attempt, told_us)
    m.drm.retries += 1


def _nothing_to_update(m: Machine, exchange: Exchange, now: int) -> None:
    """An answer without a license: an error, the end of this exchange, or (RxPlayer) one that never ends."""
    rule = m.spec.profile.network.null_license
    if rule is NullLicense.ERROR:
        _update(m, exchange, b"", now)
    elif rule is NullLicense.SKIP_UPDATE:
        m.exchanges = tuple(other for other in m.exchanges if other is not exchange)
        keys.set_keys(m, table.settle(m.drm.keys, exchange.slot, ExtendedStatus.UNKNOWN, "nothing-to-update"))
    else:
        exchange.locked = True


def _update(m: Machine, exchange: Exchange, response: bytes, now: int) -> None:
    call = eme.update(m.eme, m.pool, exchange.slot, response)
    if isinstance(call, EmeError):
        give_up(m, exchange, LicenseError("license-rejected", f"the license was refused: {call}"), now)
    else:
        m.act(CdmCall(call))


def give_up(m: Machine, exchange: Exchange, error: KeystormError, now: int) -> None:
    """The license will not come: its keys are `failed`, its session is closed where the profile closes it.

    A renewal that fails leaves the running keys alone until they expire.
    """
    m.key_error = error
    m.exchanges = tuple(other for other in m.exchanges if other is not exchange)
    failed = tuple(e.kid for e in m.drm.keys if e.slot == exchange.slot and e.status is ExtendedStatus.REQUESTED)
    keys.set_keys(m, table.settle(m.drm.keys, exchange.slot, ExtendedStatus.FAILED, error.code))
    if m.hears(LicenseFailed):
        m.tell(LicenseFailed(slot=exchange.slot, kids=failed, code=error.code, reason=str(error)))
    if _serves(m, exchange.slot):
        return
    if m.spec.profile.sessions.close_failed:
        keys.close_session(m, exchange.slot)
    _FAILURES[m.spec.profile.sessions.on_license_failure](m, exchange, error, now)


def _end_content(m: Machine, _exchange: Exchange, error: KeystormError, now: int) -> None:
    """One failure ends the key logic, and with it the pending work of all other sessions."""
    m.fail(error, now)


def _drop_unless_last(m: Machine, exchange: Exchange, error: KeystormError, now: int) -> None:
    """The session is forgotten without being closed, and without a word while there is another (Shaka Player)."""
    queueing.forget(m, exchange.slot)
    if not m.drm.order:
        m.fail(error, now)


def _tell_failure(m: Machine, exchange: Exchange, error: KeystormError, _now: int) -> None:
    statuses.tell_fault(m, error.code, exchange.init_data.kids, str(error), fatal=False)


def _serves(m: Machine, slot: int) -> bool:
    """A renewal that fails costs nothing as long as the keys are good."""
    return any(entry.slot == slot and entry.status is ExtendedStatus.USABLE for entry in m.drm.keys)


def answered(m: Machine, exchange: Exchange, outcome: str, sent_us: int, done_us: int) -> None:
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


def of_slot(m: Machine, slot: int) -> Exchange | None:
    return next((exchange for exchange in m.exchanges if exchange.slot == slot), None)


_FAILURES: Final[dict[OnLicenseFailure, Callable[[Machine, Exchange, KeystormError, int], None]]] = {
    OnLicenseFailure.FATAL: _end_content,
    OnLicenseFailure.DROP_UNLESS_LAST: _drop_unless_last,
    OnLicenseFailure.EVENT: _tell_failure,
    OnLicenseFailure.CLOSE_AND_REPORT: _tell_failure,
}
