"""From one announcement of init data to a session, and from key statuses to what playback may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from player.drm import announce, dedupe, sessions
from player.drm import keys as table
from player.drm.announce import Ask, Skip, SkipReason, Wait
from player.drm.cause import Cause
from player.drm.events import InitDataAnnounced, InitDataSkipped, KeyStatusChanged, SessionCreated
from player.drm.init_data import InitData, Origin, Unit
from player.drm.keys import ExtendedStatus, Table
from player.drm.profile import Quirk
from player.eme import table as eme
from player.eme.cdm import Close
from player.eme.session import REQUESTING
from player.engine import companions, licensing, queueing
from player.engine.actions import CdmCall
from player.engine.exchange import Exchange
from player.engine.track import Track
from player.errors import EmeError, LicenseError
from player.ids import HIERARCHY, KeyId
from player.mpd.model import ContentProtection

if TYPE_CHECKING:
    from player.engine.machine import Machine

_COVERED: Final = (SkipReason.KNOWN_FROM_LICENSE, SkipReason.IN_FLIGHT)

# ── one announcement ──────────────────────────────────────────────────────────────────────────────────────────────────


def announce_one(
    m: Machine, init_data: InitData, now: int, cause: Cause | None = None, intended: int | None = None
) -> None:
    """Judge one announcement and do what the answer says."""
    if m.hears(InitDataAnnounced):
        m.tell(InitDataAnnounced(origin=init_data.origin, type=init_data.type, kids=init_data.kids))
    if Quirk.LIMIT_BEFORE_DUPLICATE_CHECK in m.spec.profile.quirks:
        make_room(m)
    match _judge(m, init_data):
        case Skip(reason, disallowed, slot):
            queueing.use(m, slot)
            set_keys(m, table.disallow(m.drm.keys, disallowed, slot, "scope"))
            if m.hears(InitDataSkipped):
                m.tell(InitDataSkipped(reason=reason, kids=init_data.kids))
            if reason in _COVERED:
                companions.open_channel(m, init_data)
        case Wait():
            if init_data not in m.drm.waiting:
                m.drm.waiting = (*m.drm.waiting, init_data)
        case Ask(covers):
            _ask(m, init_data, covers, cause or _cause(m, init_data), now if intended is None else intended, now)


def _judge(m: Machine, init_data: InitData) -> announce.Answer:
    if _is_planned(m, init_data):
        return Skip(SkipReason.PLANNED)
    profile = m.spec.profile
    law = dedupe.law_of(profile.scope, init_data.origin, first_manifest=m.manifest_version <= 1)
    layout = m.manifest.layout
    answer = announce.judge(
        init_data, m.drm.keys, layout, profile.scope, profile.status, law=law, sessions=queueing.known(m)
    )
    return Wait() if isinstance(answer, Ask) and queueing.must_wait(m, init_data) else answer


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
    make_room(m)
    try:
        slot = eme.create_session(m.eme, m.pool)
    except EmeError as error:
        m.fail(error, now)
        return
    queueing.use(m, slot)
    if m.hears(SessionCreated):
        m.tell(SessionCreated(slot=slot, kids=init_data.kids))
    set_keys(m, m.pool.remember(table.request, m.drm.keys, covers, slot, "request"))
    exchange = Exchange(slot, init_data, cause, intended)
    m.exchanges = (*m.exchanges, exchange)
    call = eme.generate_request(m.eme, m.pool, slot, init_data.type, init_data.data)
    if isinstance(call, EmeError):
        licensing.give_up(m, exchange, LicenseError("request-generate", str(call)), now)
    else:
        m.act(CdmCall(call))


def make_room(m: Machine) -> None:
    """Close what the profile's cache gives up before one more session is opened."""
    needed = frozenset(kid for t in m.stream.tracks for p in t.pending for kid in p.fragment.kids)
    limits = m.spec.profile.sessions
    counted = tuple(row for row in m.eme.table if row.slot in m.drm.order or m.spec.element.channel_per_key)
    for slot in sessions.victims(counted, m.drm.keys, limits, needed, m.key_system == HIERARCHY, m.drm.order):
        set_keys(m, table.drop(m.drm.keys, sessions.stale_kids(m.drm.keys, slot, m.manifest.kids)))
        close_session(m, slot)


def close_session(m: Machine, slot: int) -> None:
    """A close that is ordered while the CDM is busy with generateRequest waits for that call."""
    queueing.forget(m, slot)
    exchange = licensing.of_slot(m, slot)
    row = eme.find(m.eme, slot)
    if exchange is not None and row is not None and row.state is REQUESTING:
        exchange.closing = True
        return
    call = eme.close(m.eme, m.pool, slot)
    if isinstance(call, Close):
        m.act(CdmCall(call))
    elif isinstance(call, EmeError):
        eme.drop(m.eme, m.pool, slot)  # it never became callable


# ── statuses ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


def renew(m: Machine, kid: KeyId, now: int) -> None:
    """The key has expired: ask again with the init data of the session that held it, or of that session's root."""
    entry = table.find(m.drm.keys, kid)
    row = None if entry is None else eme.find(m.eme, entry.slot)
    if row is not None and row.parent is not None:
        row = eme.find(m.eme, row.parent)
    if row is None:
        return
    held = tuple(entry.kid for entry in m.drm.keys if entry.slot == row.slot)
    close_session(m, row.slot)
    again = InitData(type=row.init_data_type, data=row.init_data, kids=held, origin=Origin.MPD)
    announce_one(m, again, now, Cause.RENEWAL)


def nothing_left(m: Machine, kid: KeyId, now: int) -> None:
    """A fetched sample needs a key that will not come, and nothing else of its kind can be played instead: fatal."""
    entry = table.find(m.drm.keys, kid)
    if entry is not None and entry.status is ExtendedStatus.FAILED and m.key_error is not None:
        m.fail(m.key_error, now)
        return
    status = "unknown" if entry is None else entry.status.value
    m.fail(LicenseError("no-playable", f"key {kid} is {status}: nothing left to play"), now)


def default_kids(protections: Iterable[ContentProtection]) -> list[KeyId]:
    """Every default_KID of these descriptors."""
    return [kid for protection in protections for kid in protection.default_kids]


def unit(track: Track) -> Unit:
    """What asks for the keys of a track."""
    return Unit(track.period.id, track.adaptation_set.id, track.representation.id)
