"""When the manifest's init data is announced: at the start, for coming Periods, and for keys on a schedule.

Where a Representation begins is `tracks`' to say; what its init data is, `announcing`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.clock import us
from player.drm import keys as table
from player.drm import plan
from player.drm.cause import Cause
from player.drm.events import PrefetchPlanned
from player.drm.init_data import InitData, Origin, from_kids
from player.drm.profile import Extent, LicenseScope, NextPeriodTrigger, OncePer, Trigger
from player.engine import announcing, keys, statuses
from player.engine.track import Track
from player.mpd.model import Period
from player.stream.buffer import FOREVER

if TYPE_CHECKING:
    from player.engine.machine import Machine

# ── this manifest, this Representation, this segment ──────────────────────────────────────────────────────────────────


def manifest_loaded(m: Machine, now: int) -> None:
    """The first MPD is in and its tracks are open, or another version of it has come."""
    rules, first = m.spec.profile.announce, m.manifest_version == 1
    if first:
        _warn_of_scope(m)
    if _asks_for_all(m):
        _announce_all(m, now)
    elif not first and rules.once_per is OncePer.PERIOD_UPDATE:
        for track in m.stream.tracks:
            announcing.announce_protections(m, track, Origin.MPD, now)
    plan_coming(m, now)


def expect(m: Machine) -> None:
    """Before the first announcement: the keys that one license should bring."""
    scope = m.spec.profile.scope
    whole = scope.license_scope is LicenseScope.MEDIA or scope.extent is Extent.ONE_AT_A_TIME
    if scope.expect_all_manifest_kids and whole:
        keys.set_keys(m, table.expect(m.drm.keys, (row.kid for row in m.manifest.layout)))


def _warn_of_scope(m: Machine) -> None:
    if m.manifest.presentation.dynamic and m.spec.profile.scope.license_scope is LicenseScope.MEDIA:
        statuses.tell_fault(
            m, "scope-breaks-rotation", (), "one license for a live presentation: later keys are refused", fatal=False
        )


def _asks_for_all(m: Machine) -> bool:
    return m.spec.profile.announce.trigger is Trigger.MANIFEST_LOAD and m.spec.plan is None


def _announce_all(m: Machine, now: int) -> None:
    """All init data of all qualities of all Periods, in the manifest's order."""
    kinds = {track.kind for track in m.stream.tracks}
    reached = max(track.period.start_us for track in m.stream.tracks)
    for period in m.manifest.presentation.periods:
        ahead = m.stream.started_at >= 0 and period.start_us > reached
        for group in period.adaptation_sets:
            for representation in group.representations if group.kind in kinds else ():
                init_data = announcing.of_protections(m, period, group, representation, Origin.MPD)
                if init_data is not None and not m.finished:
                    keys.announce_one(m, init_data, now, Cause.ROTATION_PREFETCH if ahead else None)


def representation_started(m: Machine, track: Track, now: int) -> None:
    """A Representation is about to be played."""
    later = m.stream.started_at >= 0 and track.last is None
    if m.spec.profile.announce.trigger is Trigger.MEDIA_SEGMENT or _asks_for_all(m):
        return
    if not (later and announcing.client_plan(m).trigger is NextPeriodTrigger.PLAYHEAD):
        announcing.announce_protections(m, track, Origin.MPD, now)


def segment_due(m: Machine, track: Track, now: int) -> None:
    """A media segment is about to be fetched."""
    if m.spec.profile.announce.trigger is Trigger.MEDIA_SEGMENT:
        announcing.announce_protections(m, track, Origin.MPD, now)


# ── the next Period ───────────────────────────────────────────────────────────────────────────────────────────────────


def next_period_at(m: Machine, track: Track, start_us: int, now: int) -> int:
    """The instant from which a track may go on in the next Period, starting at `start_us`; FOREVER: not yet known."""
    rules = m.spec.profile.announce
    trigger = announcing.client_plan(m).trigger
    if trigger is NextPeriodTrigger.PREVIOUS_PERIOD_LOADED:
        return _when_within(m, start_us, m.spec.profile.stream.buffer_goal_s, now)
    if trigger is not NextPeriodTrigger.PREVIOUS_PERIOD_BUFFERED:
        return now
    if any(not _is_loaded(other, track) for other in m.stream.tracks):
        return FOREVER  # until the others are; each answer asks again
    if not rules.preload_clear_to_encrypted and not m.drm.keys and m.manifest.layout:
        return _when_within(m, start_us, 0.0, now)
    return now


def _when_within(m: Machine, position_us: int, ahead_s: float, now: int) -> int:
    at = m.stream.until(position_us - us(ahead_s), now)
    if at <= now or m.spec.as_fast_as_possible or m.stream.started_at < 0:
        return now
    return at if m.stream.moving else FOREVER


def _is_loaded(other: Track, track: Track) -> bool:
    """Has the other track nothing left to fetch of the Period that this one has ended?"""
    if other is track or other.ended or other.period_number > track.period_number:
        return True
    last = other.last
    return other.request is None and last is not None and other.index.ended and other.index.after(last) is None


# ── keys that are announced ahead ─────────────────────────────────────────────────────────────────────────────────────


def plan_coming(m: Machine, now: int) -> None:
    """Coming keys that the manifest tells of: crypto periods of an event stream, and Periods not yet reached."""
    rule = announcing.client_plan(m)
    if not (m.stream.tracks and rule.asks_ahead) or _asks_for_all(m):
        return
    for start_us, announced in m.manifest.announcements if _reads_schedules(m, rule) else ():
        found = m.pool.remember(from_kids, announced.kids, Origin.ANNOUNCEMENT, None)
        _plan(m, rule, announced.idx, found, start_us, now)
    reached = max(track.period.start_us for track in m.stream.tracks)
    for period in m.manifest.presentation.periods:
        if period.start_us > reached:
            for init_data in _of_period(m, period):
                _plan(m, rule, period.start_us // 1_000_000, init_data, period.start_us, now)


def _reads_schedules(m: Machine, rule: plan.ClientPlan) -> bool:
    """A schedule of keys is the application's; players that have none ignore it."""
    return m.spec.plan is not None or rule.trigger is NextPeriodTrigger.MANIFEST_REFRESH_SPREAD


def _of_period(m: Machine, period: Period) -> list[InitData]:
    kinds = {track.kind for track in m.stream.tracks}
    groups = [group for group in period.adaptation_sets if group.kind in kinds]
    found = [announcing.of_protections(m, period, group, group.representations[0], Origin.MPD) for group in groups]
    return [init_data for init_data in found if init_data is not None]


def _plan(m: Machine, rule: plan.ClientPlan, number: int, init_data: InitData | None, start_us: int, now: int) -> None:
    """Note when to ask, unless the key is known or planned already."""
    if init_data is None or any(planned.init_data.kids == init_data.kids for planned in m.drm.planned):
        return
    if all(table.find(m.drm.keys, kid) is not None for kid in init_data.kids):
        return
    need = m.stream.until(start_us, now)
    if need < now:
        return  # over before playback could use it
    at = plan.instant(rule, m.draw, number, now, need)
    m.drm.planned = (*m.drm.planned, plan.Planned(init_data, at, need))
    if m.hears(PrefetchPlanned):
        m.tell(PrefetchPlanned(kids=init_data.kids, at_us=at, need_us=need))


def run_plans(m: Machine, now: int) -> None:
    due = [planned for planned in m.drm.planned if planned.at <= now]
    if due:
        m.drm.planned = tuple(planned for planned in m.drm.planned if planned.at > now)
        announcing.open_key_system(m)
    for planned in due:
        keys.announce_one(m, planned.init_data, now, planned.cause, planned.at)
