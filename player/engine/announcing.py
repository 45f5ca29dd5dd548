"""Where init data is met: in the manifest, in init and media segments, and in announcements of coming keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.drm import keys as table
from player.drm import plan
from player.drm.announce import SkipReason
from player.drm.events import InitDataSkipped
from player.drm.init_data import InitData, Origin, Unit, from_boxes, from_kids, second_boxes
from player.drm.keys import ExtendedStatus
from player.drm.profile import CpLevel, Early, MediaEvent, NextPeriodTrigger, OnExpired, ZeroKid
from player.eme.events import Encrypted
from player.engine import keys
from player.engine.actions import OpenCdm
from player.engine.events import KeySystemChosen
from player.engine.track import Track
from player.ids import CLEARKEY, HIERARCHY, ZERO_KID, KeyId
from player.isobmff.model import Fragment, InitSegment
from player.mpd.model import AdaptationSet, ContentProtection, Period, Representation

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
    init_data = of_protections(m, track.period, track.adaptation_set, track.representation, origin)
    early = m.spec.profile.announce.early is Early.ALWAYS or (init_data is not None and init_data.type == "cenc")
    if init_data is not None and early:
        open_key_system(m)
        keys.announce_one(m, init_data, now)


def of_protections(
    m: Machine, period: Period, group: AdaptationSet, representation: Representation, origin: Origin
) -> InitData | None:
    """A box of the key system, else key ids (a Clear Key license needs no box)."""
    protections = _levels(m, group, representation)
    if not protections:
        return None
    open_key_system(m)
    unit = Unit(period.id, group.id, representation.id)
    boxes = b"".join(box for protection in protections for box in protection.pssh)
    found = _read_boxes(m, boxes, origin, unit) if boxes else None
    return found or from_kids(keys.default_kids(protections), origin, unit)


def _levels(m: Machine, group: AdaptationSet, representation: Representation) -> tuple[ContentProtection, ...]:
    """The descriptors that the profile looks at."""
    match m.spec.profile.announce.cp_level:
        case CpLevel.ADAPTATION:
            return group.protections
        case CpLevel.ADAPTATION_AND_FIRST_REPRESENTATION:
            return group.protections or group.representations[0].protections
        case CpLevel.ADAPTATION_AND_REPRESENTATION | CpLevel.SEGMENT:
            return (*group.protections, *representation.protections)


def manifest_has_init_data(m: Machine) -> bool:
    """Does the manifest speak of any key of the content?"""
    return bool(m.manifest.layout) or any(protection.pssh for protection in m.manifest.protections)


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
    named = keys.default_kids(_levels(m, track.adaptation_set, track.representation))
    zero = (ZERO_KID,) if m.spec.element.zero_default_kid else ()
    kids = tuple(dict.fromkeys((*zero, *named, *init.default_kids)))
    if not (
        any(not kid.is_zero for kid in kids)
        or init.init_data
        or any(e.protection for t in init.tracks for e in t.entries)
    ):
        return
    open_key_system(m)
    _tell_encrypted(m, track, init.init_data)
    unit = keys.unit(track)
    origin, told_of = (
        (Origin.INIT_SEGMENT, unit) if m.spec.profile.announce.neutralise_moov_pssh else (Origin.EVENT, None)
    )
    for boxes in init.init_data:
        found = _read_boxes(m, boxes, origin, told_of)
        if found is not None and _is_heard(m, found):
            keys.announce_one(m, found, now)
    _announce_unknown(m, kids, Origin.INIT_SEGMENT, unit, now)


def announce_fragment(m: Machine, track: Track, fragment: Fragment, now: int) -> None:
    """A media segment was read: its boxes each time they occur, and key ids that no box spoke of."""
    if fragment.kids or fragment.init_data:
        open_key_system(m)
        _tell_encrypted(m, track, fragment.init_data)
        if not waits_for_playhead(m, track, now):
            _announce_boxes(m, track, fragment, now)
            _announce_unknown(m, fragment.kids, Origin.MEDIA_SEGMENT, keys.unit(track), now)


def waits_for_playhead(m: Machine, track: Track, now: int) -> bool:
    """Some ask for a key only when the first sample that needs it is due."""
    if m.stream.started_at < 0 or client_plan(m).trigger is not NextPeriodTrigger.PLAYHEAD:
        return False
    return not track.pending or track.pending[0].start_us > m.stream.position(now)


def client_plan(m: Machine) -> plan.ClientPlan:
    """What the strategy says of coming keys, else the profile."""
    profile = m.spec.profile
    return m.spec.plan or plan.own_plan(profile.announce.next_period_trigger, profile.network)


def ask_again(m: Machine, track: Track, fragment: Fragment, kid: KeyId, now: int) -> None:
    """Playback waits for this key: see to it that something is about to bring it."""
    entry = table.find(m.drm.keys, kid)
    if entry is not None and entry.status is ExtendedStatus.EXPIRED:
        if m.spec.profile.status.on_expired is OnExpired.RENEW:
            keys.renew(m, kid, now)
    elif _is_unasked(m, kid) and not waits_for_playhead(m, track, now):
        _announce_boxes(m, track, fragment, now)
        _announce_unknown(m, (kid,), Origin.MEDIA_SEGMENT, keys.unit(track), now)


def _announce_boxes(m: Machine, track: Track, fragment: Fragment, now: int) -> None:
    rules = m.spec.profile.announce
    origin, unit = (Origin.MEDIA_SEGMENT, keys.unit(track)) if rules.parse_moof_pssh else (Origin.EVENT, None)
    for boxes in fragment.init_data:
        found = _read_boxes(m, boxes, origin, unit)
        if found is not None and _is_heard(m, found):
            keys.announce_one(m, found, now)


def _is_heard(m: Machine, init_data: InitData) -> bool:
    """May init data met in the media lead to a request? The player's own reading of it always may."""
    rules = m.spec.profile.announce
    if rules.zero_kid is ZeroKid.IGNORE and init_data.kids and all(kid.is_zero for kid in init_data.kids):
        return _suppress(m, init_data, SkipReason.ZERO_KID)
    if rules.manifest_pssh_suppresses_media and manifest_has_init_data(m):
        return _suppress(m, init_data, SkipReason.SUPPRESSED)
    foreign = rules.media_event is MediaEvent.ACTIVE_KEY_ONLY and not set(init_data.kids) & set(_playlist_kids(m))
    return _suppress(m, init_data, SkipReason.SUPPRESSED) if foreign and m.manifest.layout else True


def _suppress(m: Machine, init_data: InitData, reason: SkipReason) -> bool:
    if m.hears(InitDataSkipped):
        m.tell(InitDataSkipped(reason=reason, kids=init_data.kids))
    return False


def _playlist_kids(m: Machine) -> list[KeyId]:
    """The keys that the manifest names for what is played now."""
    played = [_levels(m, track.adaptation_set, track.representation) for track in m.stream.tracks]
    return [kid for protections in played for kid in keys.default_kids(protections)]


def _announce_unknown(m: Machine, kids: tuple[KeyId, ...], origin: Origin, unit: Unit, now: int) -> None:
    """Key ids that are in no box and not in the manifest: asked for as they are."""
    unasked = tuple(kid for kid in kids if _is_unasked(m, kid))
    found = m.pool.remember(from_kids, unasked, origin, unit) if unasked else None
    if isinstance(found, InitData) and _is_heard(m, found):
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
