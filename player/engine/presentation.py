"""The MPD: first load, refresh by whole documents or by patches, where it is asked for, and when.

An MPD comes into force with `use`, once its remote elements are in their place. A refresh that brings nothing leaves
the last one in force. Sources: ISO/IEC 23009-1, 5.3.1.2, 5.4, 5.10.4, 5.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import (
    client_data,
    mpd_events,
    opening,
    periods,
    remote,
    restarts,
    steering,
    triggers,
    utc_timing,
)
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
from player.engine.events import ManifestFailed, ManifestLoaded, PatchRefused
from player.engine.fetching import FETCH_ATTEMPTS, error_of, is_final, validators, wait_us
from player.engine.manifest import NONE_YET, Manifest
from player.engine.upkeep import Upkeep, upkeep
from player.errors import KeystormError, ManifestError
from player.mpd.availability import refresh_due
from player.mpd.model import Presentation

if TYPE_CHECKING:
    from player.engine.machine import Machine

MAX_PATCH_FAILURES: Final = 3  # in a row: then this origin's patches are left alone
MAX_STALE: Final = 3  # older MPDs in a row: then the origin means it
MAX_EXPIRED_TRIES: Final = 5  # refreshes for one event that brought nothing newer
LEAST_BETWEEN_US: Final = SECOND  # refreshes that events ask for
_NOT_MODIFIED: Final = (204, 304)


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def start(m: Machine, now: int) -> None:
    """The client joins."""
    m.stream.joined_at = now
    _ask_whole(m, now)


def refresh(m: Machine) -> None:
    """Due: the time between two refreshes runs from due instant to due instant, never from an arrival."""
    due, m.refresh_at = m.refresh_at, -1
    if m.request is None:
        _ask(m, due)
    else:
        _schedule_refresh(m, due)


def run_deadlines(m: Machine, u: Upkeep, now: int) -> None:
    """A refresh that an event has asked for."""
    if not 0 <= u.poll_at <= now:
        return
    if m.request is not None:
        u.poll_at = now + LEAST_BETWEEN_US  # a due instant that stayed would be due again at once
        return
    due, u.poll_at, u.refreshed_at = u.poll_at, -1, now
    _ask(m, due)


def run_dry(m: Machine, now: int) -> None:
    """A track has played all there is: an MPD that waits for events to be refreshed may have missed one."""
    if m.refresh_at < 0 and m.request is None and refresh_due(m.manifest.presentation) is not None:
        _poll(upkeep(m), now + (refresh_due(m.manifest.presentation) or 0))


def expire(m: Machine, published_us: int | None, now: int) -> None:
    """An event says: the MPD published at this instant, and what came before it, counts no longer (5.10.4)."""
    ours = m.manifest.presentation.publish_wall_us
    if published_us is not None and ours is not None and ours > published_us:
        return
    u = upkeep(m)
    wanted = published_us if published_us is not None else ours or 0
    if u.wanted_publish_us < wanted:
        u.wanted_publish_us, u.wanted_tries = wanted, 0
        _poll(u, now)


def _poll(u: Upkeep, at: int) -> None:
    """At most one refresh a second, whatever events say."""
    if u.refreshed_at >= 0:
        at = max(at, u.refreshed_at + LEAST_BETWEEN_US)
    u.poll_at = at if u.poll_at < 0 else min(u.poll_at, at)


def _ask(m: Machine, intended: int) -> None:
    """For a patch where the MPD offers one that is still good, else for the whole (5.15.2)."""
    base, url = _patch(m, intended)
    if base is None:
        _ask_whole(m, intended)
    else:
        _begin(m, Fetch(kind=FetchKind.PATCH, url=url, base=base, intended=intended))


def _ask_whole(m: Machine, intended: int) -> None:
    _begin(m, Fetch(kind=FetchKind.MPD, url=m.manifest_url, headers=m.validators, intended=intended))


def _begin(m: Machine, fetch: Fetch) -> None:
    m.request = fetch if m.spec.cmcd is None else client_data.of_manifest(m, fetch)
    m.act(m.request)


def _patch(m: Machine, now: int) -> tuple[Manifest | None, str]:
    """What is to be patched, and where the patch lies; None: there is none."""
    u = m.upkeep
    base = m.manifest if u is None or u.as_fetched is NONE_YET else u.as_fetched
    if base.document is None or (u is not None and u.patch_failures >= MAX_PATCH_FAILURES):
        return None, ""
    published = base.presentation.publish_wall_us or 0
    for offer in base.presentation.patches:
        if offer.ttl_us is None or m.wall_us(now) <= published + offer.ttl_us:
            return base, offer.url
    return None, ""


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fetched(m: Machine, result: Fetched, now: int) -> None:
    if m.request is not result.action:
        return
    m.request = None
    if result.status in _NOT_MODIFIED and m.manifest_version:
        m.manifest_attempts = 0
        triggers.plan_coming(m, now)
        _unchanged(m, now)
        _schedule_refresh(m, result.action.intended)
    elif isinstance(result.parsed, Manifest) and not _goes_back(m, result):
        _loaded(m, result, result.parsed, now)
    else:
        _not_loaded(m, result, _why(result), now)


def fetch_failed(m: Machine, result: FetchFailed, now: int) -> None:
    if m.request is result.action:
        m.request = None
        _not_loaded(m, result, error_of(result), now)


def _goes_back(m: Machine, result: Fetched) -> bool:
    """An MPD older than the one in force: an cache that lags behind, unless the origin keeps to it."""
    if not m.manifest_version or not isinstance(result.parsed, Manifest):
        return False
    before, after = m.manifest.presentation, result.parsed.presentation
    if before.publish_wall_us is None or after.publish_wall_us is None or restarts.is_restart(before, after):
        return False
    if result.action.kind is FetchKind.PATCH:
        return after.publish_wall_us <= before.publish_wall_us
    if after.publish_wall_us >= before.publish_wall_us:
        return False
    u = upkeep(m)
    u.stale += 1
    return u.stale < MAX_STALE


def _why(result: Fetched) -> KeystormError:
    if isinstance(result.parsed, Manifest):
        return ManifestError("stale-mpd", "/MPD", f"{result.url} was published before the MPD in force")
    return error_of(result)


def _loaded(m: Machine, result: Fetched, manifest: Manifest, now: int) -> None:
    m.manifest_attempts = 0
    if m.upkeep is not None:
        m.upkeep.stale = m.upkeep.patch_failures = 0
    if result.action.kind is FetchKind.MPD:
        locations = manifest.presentation.locations
        m.manifest_url = locations[0] if locations else result.url
        m.validators = m.pool.intern(validators(result.headers)) if m.manifest_url == result.url else ()
    else:
        m.validators = ()  # they are of the whole MPD that came before
    _schedule_refresh(m, result.action.intended, manifest)
    complete = remote.complete(m, manifest, now)
    if complete is not None:
        use(m, complete, now)


def use(m: Machine, manifest: Manifest, now: int) -> None:
    """From here on this MPD is in force."""
    if m.manifest_version and not manifest.presentation.periods:
        unusable(m, ManifestError("no-periods", "/MPD", "no Period can be played"), now)
        return
    before = m.manifest.presentation
    m.manifest = manifest
    m.manifest_version += 1
    if m.hears(ManifestLoaded):
        m.tell(_told(m, manifest.presentation))
    _unchanged(m, now)
    if m.manifest_version == 1:
        opening.begin(m, now)
    else:
        restarts.follow(m, before, now)
        periods.renewed(m, now)
        utc_timing.renewed(m, before.utc_timings, now)
        steering.renewed(m, before.steering, now)
        triggers.manifest_loaded(m, now)
    mpd_events.in_mpd(m, now)


def _told(m: Machine, presentation: Presentation) -> ManifestLoaded:
    return ManifestLoaded(
        version=m.manifest_version,
        dynamic=presentation.dynamic,
        periods=len(presentation.periods),
        warnings=presentation.warnings,
    )


def _not_loaded(m: Machine, result: Fetched | FetchFailed, error: KeystormError, now: int) -> None:
    if result.action.kind is FetchKind.PATCH:
        _without_patch(m, result, error)
        return
    m.manifest_attempts += 1
    if m.manifest_version:
        m.manifest_url = _elsewhere(m)
        if m.hears(ManifestFailed):
            m.tell(ManifestFailed(code=error.code, reason=str(error)))
        _schedule_refresh(m, result.action.intended)
    elif is_final(result) or m.manifest_attempts >= FETCH_ATTEMPTS:
        m.fail(error, now)
    else:
        m.refresh_at = now + wait_us(m.manifest_attempts, result, m.wall_us(now))


def unusable(m: Machine, error: KeystormError, now: int) -> None:
    """An MPD that has come and cannot be played after all."""
    if not m.manifest_version:
        m.fail(error, now)
    elif m.hears(ManifestFailed):
        m.tell(ManifestFailed(code=error.code, reason=str(error)))


def _without_patch(m: Machine, result: Fetched | FetchFailed, error: KeystormError) -> None:
    """The whole MPD, at once."""
    upkeep(m).patch_failures += 1
    if m.hears(PatchRefused):
        m.tell(PatchRefused(code=error.code, reason=str(error)))
    _ask_whole(m, result.action.intended)


def _elsewhere(m: Machine) -> str:
    """The next place at which the MPD was said to be; the one it first came from is the last of them."""
    presentation = m.manifest.presentation
    places = list(dict.fromkeys((*presentation.locations, presentation.url, m.spec.mpd_url)))
    following = places.index(m.manifest_url) + 1 if m.manifest_url in places else 0
    chosen = places[following % len(places)]
    if chosen != m.manifest_url:
        m.validators = ()  # of another resource
    return chosen


# ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _schedule_refresh(m: Machine, due: int, manifest: Manifest | None = None) -> None:
    """@minimumUpdatePeriod 0 with events that tell of changes: these are waited for (5.10.4.1)."""
    manifest = m.manifest if manifest is None else manifest
    presentation = manifest.presentation
    interval = refresh_due(presentation)
    waits = presentation.minimum_update_us == 0 and manifest.tells_validity
    over = periods.is_over(m, presentation, due)
    m.refresh_at = -1 if interval is None or waits or over else due + interval


def _unchanged(m: Machine, now: int) -> None:
    """Has what an event has asked for come? If not, ask again a few times."""
    u = m.upkeep
    if u is None or u.wanted_publish_us < 0:
        return
    published = m.manifest.presentation.publish_wall_us
    if published is not None and published > u.wanted_publish_us:
        u.wanted_publish_us, u.wanted_tries = -1, 0
    elif u.wanted_tries < MAX_EXPIRED_TRIES:
        u.wanted_tries += 1
        _poll(u, now + wait_us(u.wanted_tries))
