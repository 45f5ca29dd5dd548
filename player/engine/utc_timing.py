"""The clock: set by UTCTiming before the start, and again when there is reason to (ISO/IEC 23009-1, 5.8.5.7).

Several descriptors are tried in the order of the MPD, and the URLs of one in the order of its value. Rather late than
early: a segment asked for too early is not there yet.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from player.clock import SECOND
from player.engine.actions import Fetched, FetchFailed, FetchKind
from player.engine.events import ClockSynced
from player.engine.upkeep import Upkeep, ask, upkeep
from player.mpd.values import instant

if TYPE_CHECKING:
    from player.engine.machine import Machine

RESYNC_US: Final = 600 * SECOND  # a choice: a quartz that is off by 100 ppm has drifted by 60 ms
LEAST_RESYNC_US: Final = 30 * SECOND  # a choice, the one of dash.js: between two attempts, whatever speaks for one
MAX_CLOCKS: Final = 16

_DIRECT: Final = "direct"
_HEAD: Final = "http-head"
_NTP: Final = "http-ntp"
_FORMS: Final = {
    f"urn:mpeg:dash:utc:{form}:{year}": form
    for year in (2012, 2014)
    for form in (_DIRECT, _HEAD, _NTP, "http-iso", "http-xsdate")
}
_HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7
_NTP_BYTES: Final = 8
_NTP_TO_UNIX_S: Final = 2_208_988_800  # RFC 5905, 6: NTP counts from 1900
_NTP_ERA_S: Final = 1 << 32


def synchronize(m: Machine, now: int) -> bool:
    """Begin to set the clock. True: an answer must come first."""
    presentation = m.manifest.presentation
    if not (presentation.dynamic and m.spec.sync_clock and presentation.utc_timings):
        return False
    u = upkeep(m)
    u.clocks = tuple(
        (form, where)
        for scheme, value in presentation.utc_timings[:MAX_CLOCKS]
        if (form := _FORMS.get(scheme.strip().lower())) is not None
        for where in (value.split() if form != _DIRECT else [value])
    )[:MAX_CLOCKS]
    u.synced_at = now
    u.clock_at = -1
    return _ask_next(m, u, now)


def _ask_next(m: Machine, u: Upkeep, now: int) -> bool:
    """Take the next descriptor that says something. True: it is being asked."""
    while u.clocks:
        form, where = u.clocks[0]
        if form == _DIRECT:
            server_us = _read_instant(where)
            if server_us is not None:
                _set(m, server_us, now, 0)
                break
            u.clocks = u.clocks[1:]
            continue
        url = _absolute(m.manifest.presentation.url, where)
        u.clock_request = ask(m, FetchKind.TIME, url, now, "HEAD" if form == _HEAD else "GET")
        return True
    _settled(m, u, now)
    return False


def fetched(m: Machine, result: Fetched, now: int) -> bool:
    """True: this brought the clock's attempt to an end."""
    u = _taken(m, result)
    if u is None:
        return False
    server_us = _server_time(result, u.clocks[0][0])
    if server_us is None:
        u.clocks = u.clocks[1:]
        return not _ask_next(m, u, now)
    half = (result.done_at - result.sent_at) // 2
    _set(m, server_us, result.done_at - half, half)
    _settled(m, u, now)
    return True


def failed(m: Machine, result: FetchFailed, now: int) -> bool:
    """The next descriptor, else our own clock has to do."""
    u = _taken(m, result)
    if u is None:
        return False
    u.clocks = u.clocks[1:]
    return not _ask_next(m, u, now)


def run_deadlines(m: Machine, u: Upkeep, now: int) -> None:
    if 0 <= u.clock_at <= now and u.clock_request is None:
        synchronize(m, now)


def too_early(m: Machine, result: Fetched | FetchFailed, now: int) -> None:
    """A segment that should be there is not: our clock may be fast. Ask again, or believe the server's own date.

    The date of an answer is taken only where no UTCTiming is at hand, and only where it says that we are ahead.
    """
    if not m.spec.sync_clock or not isinstance(result, Fetched):
        return
    if m.manifest.presentation.utc_timings:
        u = upkeep(m)
        if u.clock_request is None and now - u.synced_at >= LEAST_RESYNC_US:
            synchronize(m, now)
        return
    server_us = _date_of(result)
    if server_us is not None and server_us + SECOND < m.wall_us(result.done_at):
        _set(m, server_us + SECOND // 2, result.done_at, 0)


def renewed(m: Machine, before: tuple[tuple[str, str], ...], now: int) -> None:
    """A new MPD with other descriptors; one that writes the time itself does so each time."""
    if m.manifest.presentation.utc_timings != before and not (m.upkeep is not None and m.upkeep.clock_request):
        u = upkeep(m)
        if now - u.synced_at >= LEAST_RESYNC_US:
            synchronize(m, now)


def _taken(m: Machine, result: Fetched | FetchFailed) -> Upkeep | None:
    u = m.upkeep
    if u is None or u.clock_request is not result.action:
        return None
    u.clock_request = None
    return u


def _settled(m: Machine, u: Upkeep, now: int) -> None:
    u.clocks = ()
    u.clock_at = now + RESYNC_US if m.manifest.presentation.dynamic else -1


def _set(m: Machine, server_us: int, at: int, uncertainty_us: int) -> None:
    m.clock_offset_us = server_us - uncertainty_us - (m.epoch_us + at)
    if m.hears(ClockSynced):
        m.tell(ClockSynced(offset_us=m.clock_offset_us))


def _server_time(result: Fetched, form: str) -> int | None:
    if not 200 <= result.status < 300:
        return None
    if form == _HEAD:
        return _date_of(result)
    if form == _NTP:
        return _read_ntp(result.body)
    return _read_instant(result.body[:64].decode("ascii", "replace"))


def _date_of(result: Fetched) -> int | None:
    return _read_http_date(next((value for name, value in result.headers if name == "date"), ""))


def _read_instant(text: str) -> int | None:
    try:
        return instant(text)
    except ValueError:
        return None


def _read_ntp(data: bytes) -> int | None:
    """The 64-bit timestamp of RFC 5905, 6; its first half is at the turn of the era in 2036."""
    if len(data) < _NTP_BYTES:
        return None
    whole_s, fraction = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    unix_s = whole_s - _NTP_TO_UNIX_S + (0 if whole_s >= _NTP_TO_UNIX_S else _NTP_ERA_S)
    return unix_s * SECOND + (fraction * SECOND >> 32)


def _read_http_date(text: str) -> int | None:
    try:
        return int(datetime.strptime(text, _HTTP_DATE).replace(tzinfo=UTC).timestamp()) * SECOND
    except ValueError:
        return None


def _absolute(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference  # the driver refuses it
