"""Where init data is met: in the manifest, in init and media segments, and in announcements of coming keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.drm import keys as table
from player.drm import plan
from player.drm.announce import SkipReason
from player.drm.cause import Cause
from player.drm.events import InitDataSkipped, PrefetchPlanned
from player.drm.init_data import InitData, Origin, Unit, from_boxes, from_kids, second_boxes
from player.drm.keys import ExtendedStatus
from player.drm.profile import MediaEvent
from player.eme.events import Encrypted
from player.engine import keys
from player.engine.actions import OpenCdm
from player.engine.events import KeySystemChosen
from player.engine.track import Track
from player.ids import CLEARKEY, HIERARCHY, ZERO_KID, KeyId
from player.isobmff.model import Fragment, InitSegment
from player.mpd.model import AdaptationSet, Period, Representation

if TYPE_CHECKING:
    from player.engine.machine import Machine

# ── the key system ────────────────────────────────────────────────────────────────────────────────────────────────────


def open_key_system(m: Machine) -> None:
    """The one asked for; else the hierarchy where the content carries it and its server is known; else Clear Key."""
    if m.key_system:
        return
    m.key_system = m.spec.key_system or _by_content(m)
    m.act(OpenCdm(m.key_system))
    if m.hears(KeySystemChosen):
        m.tell(KeySystemChosen(key_system=m.key_system))


def _by_content(m: Machine) -> str:
    if m.manifest.names(HIERARCHY) and (m.spec.license_url or m.manifest.license_urls(HIERARCHY)):
        return HIERARCHY
    return CLEARKEY


# ── where init data is met ────────────────────────────────────────────────────────────────────────────────────────────


def announce_protections(m: Machine, track: Track, origin: Origin, now: int) -> None:
    """What the manifest says of the Representation that is about to be played."""
    init_data = _of_protections(m, track.period, track.adaptation_set, track.representation, origin)
    if init_data is not None:
        open_key_system(m)
        keys.announce_one(m, init_data, now)


def _of_protections(
    m: Machine, period: Period, group: AdaptationSet, representation: Representation, origin: Origin
) -> InitData | None:
    """A box of the key system, else key ids (a Clear Key license needs no box)."""
    protections = (*group.protections, *representation.protections)
    if not protections:
        return None
    open_key_system(m)
    unit = Unit(period.id, group.id, representation.id)
    boxes = b"".join(box for protection in protections for box in protection.pssh)
    found = _read_boxes(m, boxes, origin, unit) if boxes else None
    return found or from_kids(keys.default_kids(protections), origin, unit)


def _read_boxes(m: Machine, boxes: bytes, origin: Origin, unit: Unit | None) -> InitData | None:
    try:
        found = m.pool.remember(from_boxes, m.key_system, boxes, origin, unit)
    except ValueError:
        return None  # no boxes: the key ids of the manifest are left to ask by
    unused = m.pool.remember(second_boxes, boxes) if m.hears(InitDataSkipped) else ()
    if unused:
        m.tell(InitDataSkipped(reason=SkipReason.SECOND_BOX, kids=unused))
    return found if isinstance(found, InitData) else None


def announce_init(m: Machine, track: Track, init: InitSegment, now: int) -> None:
    """An init segment was read: its boxes, and the default key ids of what the manifest did not name."""
    kids = (*((ZERO_KID,) if m.spec.element.zero_default_kid else ()), *init.default_kids)
    if not (
        any(not kid.is_zero for kid in kids)
        or init.init_data
        or any(e.protection for t in init.tracks for e in t.entries)
    ):
        return
    open_key_system(m)
    _tell_encrypted(m, track, init.init_data)
    unit = keys.unit(track)
    for boxes in init.init_data:
        found = _read_boxes(m, boxes, Origin.INIT_SEGMENT, unit)
        if found is not None:
            keys.announce_one(m, found, now)
    _announce_unknown(m, kids, Origin.INIT_SEGMENT, unit, now)


def announce_fragment(m: Machine, track: Track, fragment: Fragment, now: int) -> None:
    """A media segment was read: its boxes each time they occur, and key ids that no box spoke of."""
    if fragment.kids or fragment.init_data:
        open_key_system(m)
        _tell_encrypted(m, track, fragment.init_data)
        _announce_boxes(m, track, fragment, now)
        _announce_unknown(m, fragment.kids, Origin.MEDIA_SEGMENT, keys.unit(track), now)


def ask_again(m: Machine, track: Track, fragment: Fragment, kid: KeyId, now: int) -> None:
    """Playback waits for this key: see to it that something is about to bring it."""
    entry = table.find(m.drm.keys, kid)
    if entry is not None and entry.status is ExtendedStatus.EXPIRED:
        keys.renew(m, kid, now)
    elif _is_unasked(m, kid):
        _announce_boxes(m, track, fragment, now)
        _announce_unknown(m, (kid,), Origin.MEDIA_SEGMENT, keys.unit(track), now)


def _announce_boxes(m: Machine, track: Track, fragment: Fragment, now: int) -> None:
    rules = m.spec.profile.announce
    origin, unit = (Origin.MEDIA_SEGMENT, keys.unit(track)) if rules.parse_moof_pssh else (Origin.EVENT, None)
    if rules.parse_moof_pssh or rules.media_event is MediaEvent.REQUEST:
        for boxes in fragment.init_data:
            found = _read_boxes(m, boxes, origin, unit)
            if found is not None:
                keys.announce_one(m, found, now)


def _announce_unknown(m: Machine, kids: tuple[KeyId, ...], origin: Origin, unit: Unit, now: int) -> None:
    """Key ids that are in no box and not in the manifest: asked for as they are."""
    unasked = tuple(kid for kid in kids if _is_unasked(m, kid))
    found = m.pool.remember(from_kids, unasked, origin, unit) if unasked else None
    if isinstance(found, InitData):
        keys.announce_one(m, found, now)


def _is_unasked(m: Machine, kid: KeyId) -> bool:
    """Nothing is known of the key but that its session is gone, and no announcement of it waits."""
    entry = table.find(m.drm.keys, kid)
    gone = entry is None or entry.status is ExtendedStatus.LOST
    return gone and not any(kid in init_data.kids for init_data in m.drm.waiting)


def _tell_encrypted(m: Machine, track: Track, runs: tuple[bytes, ...]) -> None:
    if m.hears(Encrypted):
        for boxes in runs:
            m.tell(Encrypted(track=track.number, init_data_type="cenc", init_data=boxes))


# ── keys that are announced ahead ─────────────────────────────────────────────────────────────────────────────────────


def plan_coming(m: Machine, now: int) -> None:
    """Coming keys that the manifest tells of: crypto periods of an event stream, and Periods not yet reached."""
    if not m.stream.tracks:
        return
    rule = client_plan(m)
    if not rule.asks_ahead:
        return
    for start_us, announced in m.manifest.announcements:
        found = m.pool.remember(from_kids, announced.kids, Origin.ANNOUNCEMENT, None)
        _plan(m, rule, announced.idx, found, start_us, now)
    reached = max(track.period.start_us for track in m.stream.tracks)
    for period in m.manifest.presentation.periods:
        if period.start_us > reached:
            for init_data in _of_period(m, period):
                _plan(m, rule, period.start_us // 1_000_000, init_data, period.start_us, now)


def client_plan(m: Machine) -> plan.ClientPlan:
    profile = m.spec.profile
    return m.spec.plan or plan.own_plan(profile.announce.next_period_trigger, profile.network)


def _of_period(m: Machine, period: Period) -> list[InitData]:
    kinds = {track.kind for track in m.stream.tracks}
    groups = [group for group in period.adaptation_sets if group.kind in kinds]
    found = [_of_protections(m, period, group, group.representations[0], Origin.MPD) for group in groups]
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
        open_key_system(m)
    for planned in due:
        keys.announce_one(m, planned.init_data, now, Cause.ROTATION_PREFETCH, planned.at)
