"""Asking for keys: from init data met anywhere to a session, and from statuses to what playback may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from player.drm import announce, plan, sessions
from player.drm import keys as table
from player.drm.announce import Ask, Skip, Wait
from player.drm.cause import Cause
from player.drm.events import InitDataAnnounced, InitDataSkipped, KeyStatusChanged, PrefetchPlanned, SessionCreated
from player.drm.init_data import InitData, Origin, Unit, from_boxes, from_kids
from player.drm.keys import ExtendedStatus, Table, Verdict
from player.drm.profile import MediaEvent
from player.eme import table as eme
from player.eme.cdm import Close
from player.eme.events import Encrypted, KeyStatusesChanged, SessionClosed
from player.engine import licensing
from player.engine.actions import CdmCall, OpenCdm
from player.engine.events import KeySystemChosen
from player.engine.exchange import Exchange
from player.engine.track import Track
from player.errors import EmeError, KeystormError, LicenseError
from player.ids import CLEARKEY, HIERARCHY, KeyId
from player.isobmff.model import Fragment, InitSegment
from player.mpd.model import AdaptationSet, ContentProtection, Period, Representation

if TYPE_CHECKING:
    from player.engine.machine import Machine

# ── the key system ───────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── where init data is met ───────────────────────────────────────────────────────────────────────────────────────────


def announce_protections(m: Machine, track: Track, origin: Origin, now: int) -> None:
    """What the manifest says of the Representation that is about to be played."""
    init_data = _of_protections(m, track.period, track.adaptation_set, track.representation, origin)
    if init_data is not None:
        open_key_system(m)
        announce_one(m, init_data, now)


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
    return found or from_kids(_default_kids(protections), origin, unit)


def _default_kids(protections: Iterable[ContentProtection]) -> list[KeyId]:
    return [kid for protection in protections for kid in protection.default_kids]


def _read_boxes(m: Machine, boxes: bytes, origin: Origin, unit: Unit | None) -> InitData | None:
    try:
        found = m.pool.remember(from_boxes, m.key_system, boxes, origin, unit)
    except KeystormError:
        return None  # told as a warning where the box was read
    return found if isinstance(found, InitData) else None


def announce_init(m: Machine, track: Track, init: InitSegment, now: int) -> None:
    """An init segment was read: its boxes, and the default key ids of what the manifest did not name."""
    kids = init.default_kids
    if not (kids or init.init_data or any(e.protection for t in init.tracks for e in t.entries)):
        return
    open_key_system(m)
    _tell_encrypted(m, track, init.init_data)
    unit = _unit(track)
    for boxes in init.init_data:
        found = _read_boxes(m, boxes, Origin.INIT_SEGMENT, unit)
        if found is not None:
            announce_one(m, found, now)
    _announce_unknown(m, kids, Origin.INIT_SEGMENT, unit, now)


def announce_fragment(m: Machine, track: Track, fragment: Fragment, now: int) -> None:
    """A media segment was read: its boxes each time they occur, and key ids that no box spoke of."""
    if not (fragment.kids or fragment.init_data):
        return
    open_key_system(m)
    _tell_encrypted(m, track, fragment.init_data)
    rules = m.spec.profile.announce
    parsed = rules.parse_moof_pssh
    origin, unit = (Origin.MEDIA_SEGMENT, _unit(track)) if parsed else (Origin.EVENT, None)
    if parsed or rules.media_event is MediaEvent.REQUEST:
        for boxes in fragment.init_data:
            found = _read_boxes(m, boxes, origin, unit)
            if found is not None:
                announce_one(m, found, now)
    _announce_unknown(m, fragment.kids, Origin.MEDIA_SEGMENT, unit, now)


def _announce_unknown(m: Machine, kids: tuple[KeyId, ...], origin: Origin, unit: Unit | None, now: int) -> None:
    """Key ids that are in no box and not in the manifest: asked for as they are."""
    waiting = {kid for init_data in m.drm.waiting for kid in init_data.kids}
    unknown = tuple(kid for kid in kids if table.find(m.drm.keys, kid) is None and kid not in waiting)
    found = m.pool.remember(from_kids, unknown, origin, unit) if unknown else None
    if isinstance(found, InitData):
        announce_one(m, found, now)


def _tell_encrypted(m: Machine, track: Track, runs: tuple[bytes, ...]) -> None:
    if m.hears(Encrypted):
        for boxes in runs:
            m.tell(Encrypted(track=track.number, init_data_type="cenc", init_data=boxes))


def _unit(track: Track) -> Unit:
    return Unit(track.period.id, track.adaptation_set.id, track.representation.id)


# ── keys that are announced ahead ────────────────────────────────────────────────────────────────────────────────────


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
    need = now + start_us - m.stream.position(now)
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
        announce_one(m, planned.init_data, now, Cause.ROTATION_PREFETCH, planned.at)


# ── one announcement ─────────────────────────────────────────────────────────────────────────────────────────────────


def announce_one(
    m: Machine, init_data: InitData, now: int, cause: Cause | None = None, intended: int | None = None
) -> None:
    """Judge one announcement and do what the answer says."""
    if m.hears(InitDataAnnounced):
        m.tell(InitDataAnnounced(origin=init_data.origin, type=init_data.type, kids=init_data.kids))
    match _judge(m, init_data):
        case Skip(reason, disallowed, slot):
            set_keys(m, table.disallow(m.drm.keys, disallowed, slot, "scope"))
            if m.hears(InitDataSkipped):
                m.tell(InitDataSkipped(reason=reason, kids=init_data.kids))
        case Wait():
            if init_data not in m.drm.waiting:
                m.drm.waiting = (*m.drm.waiting, init_data)
        case Ask(covers):
            _ask(m, init_data, covers, cause or _cause(m, init_data), now if intended is None else intended, now)


def _judge(m: Machine, init_data: InitData) -> announce.Answer:
    if _is_planned(m, init_data):
        return Skip(announce.SkipReason.PLANNED)
    profile = m.spec.profile
    return announce.judge(init_data, m.drm.keys, m.manifest.layout, profile.scope, profile.status)


def _is_planned(m: Machine, init_data: InitData) -> bool:
    planned = [kid for coming in m.drm.planned for kid in coming.init_data.kids]
    return bool(planned) and all(kid in planned for kid in init_data.kids)


def run_waiting(m: Machine, now: int) -> None:
    """Announcements that were held back, judged again."""
    waiting, m.drm.waiting = m.drm.waiting, ()
    for init_data in waiting:
        if isinstance(_judge(m, init_data), Wait):
            m.drm.waiting = (*m.drm.waiting, init_data)
        else:
            announce_one(m, init_data, now)


def _cause(m: Machine, init_data: InitData) -> Cause:
    held = [entry for kid in init_data.kids if (entry := table.find(m.drm.keys, kid)) is not None]
    if any(entry.status is ExtendedStatus.EXPIRED for entry in held):
        return Cause.RENEWAL
    if m.stream.started_at < 0:
        return Cause.START
    if m.key_system == HIERARCHY and init_data.root is None:
        return Cause.ROOT
    return Cause.ROTATION_DEMAND


def _ask(m: Machine, init_data: InitData, covers: tuple[KeyId, ...], cause: Cause, intended: int, now: int) -> None:
    """A session for this init data: create, make room if needed, generate the request."""
    _make_room(m)
    try:
        slot = eme.create_session(m.eme, m.pool)
    except EmeError as error:
        m.fail(error, now)
        return
    if m.hears(SessionCreated):
        m.tell(SessionCreated(slot=slot, kids=init_data.kids))
    set_keys(m, m.pool.remember(table.request, m.drm.keys, covers, slot, "request"))
    exchange = Exchange(slot, init_data, cause, intended)
    m.exchanges = (*m.exchanges, exchange)
    call = eme.generate_request(m.eme, m.pool, slot, init_data.type, init_data.data)
    if isinstance(call, EmeError):
        licensing.give_up(m, exchange, LicenseError("request-generate", str(call)))
    else:
        m.act(CdmCall(call))


def _make_room(m: Machine) -> None:
    """Close what the profile's cache gives up before one more session is opened."""
    needed = frozenset(kid for t in m.stream.tracks for p in t.pending for kid in p.fragment.kids)
    limits = m.spec.profile.sessions
    for slot in sessions.victims(m.eme.table, m.drm.keys, limits, needed, m.key_system == HIERARCHY):
        set_keys(m, table.drop(m.drm.keys, sessions.stale_kids(m.drm.keys, slot, m.manifest.kids)))
        close_session(m, slot)


def close_session(m: Machine, slot: int) -> None:
    call = eme.close(m.eme, m.pool, slot)
    if isinstance(call, Close):
        m.act(CdmCall(call))
    elif isinstance(call, EmeError):
        eme.drop(m.eme, m.pool, slot)  # it never became callable


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def statuses_changed(m: Machine, output: KeyStatusesChanged) -> None:
    row = output.session
    new = m.pool.remember(table.report, m.drm.keys, row.slot, row.statuses)
    set_keys(m, new)


def session_closed(m: Machine, output: SessionClosed) -> None:
    keep = m.spec.profile.sessions.keep_status_of_closed
    set_keys(m, table.close(m.drm.keys, output.session.slot, keep))
    m.exchanges = tuple(exchange for exchange in m.exchanges if exchange.slot != output.session.slot)


def set_keys(m: Machine, new: Table) -> None:
    """The one place where the key table changes."""
    old = m.drm.keys
    if new == old:
        return
    m.drm.keys = m.pool.intern(new)
    for track in m.stream.tracks:
        track.refused = None
    if m.hears(KeyStatusChanged):
        for was, entry in table.changes(old, new):
            old_status = ExtendedStatus.UNKNOWN if was is None else was.status
            m.tell(KeyStatusChanged(kid=entry.kid, old=old_status, new=entry.status, why=entry.why))


def verdict_of(m: Machine, track: Track, kid: KeyId, now: int) -> Verdict:
    """May samples of this key be decrypted? A key that nothing has asked for yet is asked for."""
    entry = table.find(m.drm.keys, kid)
    if entry is None or entry.status is ExtendedStatus.LOST:
        if not any(kid in init_data.kids for init_data in m.drm.waiting):
            found = m.pool.remember(from_kids, (kid,), Origin.MEDIA_SEGMENT, _unit(track))
            if isinstance(found, InitData):
                announce_one(m, found, now)
        return Verdict.UNDECIDED
    return table.verdict(entry.status, m.spec.profile.status)


def playable(m: Machine, group: AdaptationSet, representation: Representation) -> bool:
    """No key of the Representation is blocked."""
    kids = _default_kids((*group.protections, *representation.protections))
    held = [entry for kid in kids if (entry := table.find(m.drm.keys, kid)) is not None]
    return not any(table.verdict(entry.status, m.spec.profile.status) is Verdict.BLOCK for entry in held)


def nothing_left(m: Machine, kid: KeyId, now: int) -> None:
    """A fetched sample needs a key that will not come, and nothing else of its kind can be played instead: fatal."""
    entry = table.find(m.drm.keys, kid)
    if entry is not None and entry.status is ExtendedStatus.FAILED and m.key_error is not None:
        m.fail(m.key_error, now)
        return
    status = "unknown" if entry is None else entry.status.value
    m.fail(LicenseError("no-playable", f"key {kid} is {status}: nothing left to play"), now)
