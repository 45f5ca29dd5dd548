"""The first MPD is in force: set the clock, ask the steering server, then choose position and tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.engine import announcing, choosing, steering, tracks, triggers, utc_timing, window
from player.engine.actions import Fetched, FetchFailed
from player.engine.track import Track
from player.errors import KeystormError, ManifestError

if TYPE_CHECKING:
    from player.engine.machine import Machine

KINDS: Final = ("video", "audio")  # what is played, in the order of track numbers


def begin(m: Machine, now: int) -> None:
    if m.spec.as_fast_as_possible and m.manifest.presentation.dynamic:
        m.fail(KeystormError("usage", "a live presentation cannot be played as fast as possible"), now)
        return
    first_asked = steering.begin(m, now)
    if not utc_timing.synchronize(m, now) and not first_asked:
        _open(m, now)


def time_fetched(m: Machine, result: Fetched, now: int) -> None:
    if utc_timing.fetched(m, result, now):
        _go_on(m, now)


def time_failed(m: Machine, result: FetchFailed, now: int) -> None:
    if utc_timing.failed(m, result, now):
        _go_on(m, now)


def steering_fetched(m: Machine, result: Fetched, now: int) -> None:
    if steering.fetched(m, result, now):
        _go_on(m, now)


def steering_failed(m: Machine, result: FetchFailed, now: int) -> None:
    if steering.failed(m, result, now):
        _go_on(m, now)


def _go_on(m: Machine, now: int) -> None:
    """Open, unless that was done or something is still waited for."""
    u, wanted = m.upkeep, m.manifest.presentation.steering
    if m.stream.tracks or (u is not None and u.clock_request is not None):
        return
    if u is not None and u.steering_request is not None and wanted is not None and wanted.query_before_start:
        return
    _open(m, now)


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
        triggers.expect(m)
    position = window.start_us(m, now)
    period = window.period_at(m, position)
    m.stream.origin_us = position
    m.stream.set_position(position, now, moving=False)
    chosen = [(kind, group) for kind in KINDS if (group := choosing.first(period, kind)) is not None]
    if not chosen:
        place = f"/MPD/Period[@id='{period.id}']"
        m.fail(ManifestError("no-tracks", place, "neither video nor audio in ISO BMFF"), now)
        return
    m.stream.tracks = tuple(Track(number, position) for number in range(len(chosen)))
    for track, (_, group) in zip(m.stream.tracks, chosen, strict=True):
        tracks.open_period(m, track, period, group, now)
    triggers.manifest_loaded(m, now)
