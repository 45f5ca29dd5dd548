"""The MPD: first load, clock, opening of the tracks, refresh."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import announcing, choosing, client_data, tracks, window
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
from player.engine.events import ClockSynced, ManifestFailed, ManifestLoaded
from player.engine.fetching import FETCH_ATTEMPTS, error_of, is_final, validators, wait_us
from player.engine.manifest import Manifest
from player.engine.track import Track
from player.errors import KeystormError, ManifestError
from player.mpd.availability import refresh_due
from player.mpd.model import Presentation
from player.mpd.values import instant

if TYPE_CHECKING:
    from player.engine.machine import Machine

KINDS: Final = ("video", "audio")  # what is played, in the order of track numbers

_HTTP_SCHEMES: Final = frozenset(
    {
        "urn:mpeg:dash:utc:http-iso:2014",
        "urn:mpeg:dash:utc:http-xsdate:2014",
        "urn:mpeg:dash:utc:http-head:2014",
        "urn:mpeg:dash:utc:http-iso:2012",
        "urn:mpeg:dash:utc:http-xsdate:2012",
        "urn:mpeg:dash:utc:http-head:2012",
    }
)
_DIRECT_SCHEMES: Final = frozenset({"urn:mpeg:dash:utc:direct:2014", "urn:mpeg:dash:utc:direct:2012"})
_HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7
_LEAST_REFRESH_US: Final = (
    1 * SECOND
)  # an MPD that may change at any moment (minimumUpdatePeriod 0) is polled at this pace


# ── load and refresh ─────────────────────────────────────────────────────────────────────────────────────────────────


def start(m: Machine, now: int) -> None:
    """The client joins."""
    m.stream.joined_at = now
    _fetch(m, now)


def refresh(m: Machine) -> None:
    """Due: the time between two refreshes runs from due instant to due instant, never from an arrival."""
    due, m.refresh_at = m.refresh_at, -1
    if m.request is None:
        _fetch(m, due)
    else:
        _schedule_refresh(m, due)


def _fetch(m: Machine, intended: int) -> None:
    m.request = Fetch(kind=FetchKind.MPD, url=m.manifest_url, headers=m.validators, intended=intended)
    if m.spec.cmcd is not None:
        m.request = client_data.of_manifest(m, m.request)
    m.act(m.request)


def fetched(m: Machine, result: Fetched, now: int) -> None:
    if m.request is not result.action:
        return
    m.request = None
    if result.status == 304 and m.manifest_version:
        m.manifest_attempts = 0
        announcing.plan_coming(m, now)
        _schedule_refresh(m, result.action.intended)
    elif isinstance(result.parsed, Manifest):
        _loaded(m, result, result.parsed, now)
    else:
        _not_loaded(m, result, error_of(result), is_final(result), now)


def fetch_failed(m: Machine, result: FetchFailed, now: int) -> None:
    if m.request is result.action:
        m.request = None
        _not_loaded(m, result, error_of(result), is_final(result), now)


def _loaded(m: Machine, result: Fetched, manifest: Manifest, now: int) -> None:
    m.manifest, m.manifest_attempts = manifest, 0
    m.manifest_version += 1
    presentation = manifest.presentation
    m.manifest_url = presentation.locations[0] if presentation.locations else result.url
    m.validators = m.pool.intern(validators(result.headers)) if m.manifest_url == result.url else ()
    if m.hears(ManifestLoaded):
        m.tell(_told(m, presentation))
    _schedule_refresh(m, result.action.intended)
    if m.manifest_version > 1:
        tracks.renewed(m)
        announcing.plan_coming(m, now)
    elif m.spec.as_fast_as_possible and presentation.dynamic:
        m.fail(KeystormError("usage", "a live presentation cannot be played as fast as possible"), now)
    elif not _sync_clock(m, presentation, now):
        _open(m, now)


def _told(m: Machine, presentation: Presentation) -> ManifestLoaded:
    return ManifestLoaded(
        version=m.manifest_version,
        dynamic=presentation.dynamic,
        periods=len(presentation.periods),
        warnings=presentation.warnings,
    )


def _not_loaded(m: Machine, result: Fetched | FetchFailed, error: KeystormError, final: bool, now: int) -> None:
    m.manifest_attempts += 1
    if not m.manifest_version:
        if final or m.manifest_attempts >= FETCH_ATTEMPTS:
            m.fail(error, now)
        else:
            m.refresh_at = now + wait_us(m.manifest_attempts, result, m.wall_us(now))
        return
    if m.hears(ManifestFailed):
        m.tell(ManifestFailed(code=error.code, reason=str(error)))
    _schedule_refresh(m, result.action.intended)


def _schedule_refresh(m: Machine, due: int) -> None:
    interval = refresh_due(m.manifest.presentation)
    m.refresh_at = -1 if interval is None else due + interval


# ── clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sync_clock(m: Machine, presentation: Presentation, now: int) -> bool:
    """Set the clock by UTCTiming (ISO/IEC 23009-1, 5.8.4.11). True: an answer must come first."""
    if not (presentation.dynamic and m.spec.sync_clock):
        return False
    for scheme, value in presentation.utc_timings:
        if scheme in _DIRECT_SCHEMES:
            return _set_clock(m, _read_instant(value), now, 0)
        if scheme in _HTTP_SCHEMES and value:
            method = "HEAD" if "http-head" in scheme else "GET"
            m.request = Fetch(kind=FetchKind.TIME, url=value.split()[0], method=method, intended=now)
            m.act(m.request)
            return True
    return False


def time_fetched(m: Machine, result: Fetched, now: int) -> None:
    if m.request is not result.action:
        return
    m.request = None
    half = (result.done_at - result.sent_at) // 2
    _set_clock(m, _server_time(result), result.done_at - half, half)
    _open(m, now)


def time_failed(m: Machine, result: FetchFailed, now: int) -> None:
    if m.request is result.action:
        m.request = None
        _open(m, now)  # our own clock has to do


def _set_clock(m: Machine, server_us: int | None, at: int, uncertainty_us: int) -> bool:
    """Rather late than early: a segment asked for too early is not there yet."""
    if server_us is not None:
        m.clock_offset_us = server_us - uncertainty_us - (m.epoch_us + at)
        if m.hears(ClockSynced):
            m.tell(ClockSynced(offset_us=m.clock_offset_us))
    return False


def _server_time(result: Fetched) -> int | None:
    if not 200 <= result.status < 300:
        return None
    if result.action.method == "HEAD":
        return _read_http_date(next((value for name, value in result.headers if name == "date"), ""))
    return _read_instant(result.body[:64].decode("ascii", "replace"))


def _read_instant(text: str) -> int | None:
    try:
        return instant(text)
    except ValueError:
        return None


def _read_http_date(text: str) -> int | None:
    try:
        return int(datetime.strptime(text, _HTTP_DATE).replace(tzinfo=UTC).timestamp()) * SECOND
    except ValueError:
        return None


# ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _open(m: Machine, now: int) -> None:
    """Choose the key system, the position and the tracks; from here on the turn of the machine does the rest."""
    periods = m.manifest.presentation.periods
    if not periods:
        m.fail(ManifestError("no-periods", "/MPD", "no Period can be played"), now)
        return
    if not m.manifest.presentation.dynamic and window.needs_live(m):
        m.fail(KeystormError("usage", "only a live presentation can be started live or at a wall time"), now)
        return
    if m.manifest.protections:
        announcing.open_key_system(m)
    position = window.start_us(m, now)
    period = window.period_at(m, position)
    m.stream.origin_us = position
    m.stream.set_position(position, now, moving=False)
    chosen = [(kind, group) for kind in KINDS if (group := choosing.first(period, kind)) is not None]
    if not chosen:
        m.fail(ManifestError("no-tracks", f"/MPD/Period[@id='{period.id}']", "neither video nor audio"), now)
        return
    m.stream.tracks = tuple(Track(number, position) for number in range(len(chosen)))
    for track, (_, group) in zip(m.stream.tracks, chosen, strict=True):
        tracks.open_period(m, track, period, group, now)
    announcing.plan_coming(m, now)
