"""Sessions that outlive their page: what is stored of them and when, load, remove, and acknowledgement.

A persistent license is stored with its keys until it is removed; of a usage record only key ids and times are stored.
The same for every key system. Knows no file, no session id and no origin: records are bytes for the session in a slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from player.cdm import calls, usage
from player.cdm.emulated import EmulatedCdm, Used, key_ids
from player.cdm.ring import HeldKey, KeySession, Ring, Term, family, find
from player.clock import MILLISECOND
from player.eme.cdm import Decrypt, Handled, Load, Record, Remove, SessionChange
from player.eme.errors import EmeTypeError, QuotaExceededError
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.errors import LicenseError
from player.ids import KeyId
from player.wire import release, stored_session
from player.wire.release import Release
from player.wire.stored_session import MAX_RECORD_BYTES, StoredKey, StoredSession
from player.wire.strict import MAX_DOCUMENT_BYTES

_LATER_BYTES: Final = 64  # by which a record grows when its times are known


def check_storable(session: KeySession, *, persist: bool) -> None:
    """Raises: EmeTypeError for a license to be stored in a session that stores none, or the other way round."""
    if persist != (session.session_type is SessionType.PERSISTENT_LICENSE):
        allowed = "must" if persist else "must not"
        raise EmeTypeError(f"a license that {allowed} be stored, for a {session.session_type} session")


def recorded(session: KeySession) -> KeySession:
    """With the key ids that its record names: those of its licenses, or all that were ever used under a usage record.

    A temporary session has none.
    """
    if session.session_type is SessionType.TEMPORARY:
        return session
    of_all = session.session_type is usage.RECORDED
    kids = (key.kid for key in session.keys if of_all or not key.embedded)
    return replace(session, recorded=tuple(dict.fromkeys((*session.recorded, *kids))))


def records(cdm: EmulatedCdm, slot: int) -> tuple[Record, ...]:
    """What is to be stored of a session now; nothing of a temporary one, nor before its first license.

    Raises: QuotaExceededError for more than a record holds or a release names, which could never be acknowledged.
    """
    session = find(cdm.ring, slot)
    found = _records(cdm, cdm.ring, slot)
    if session is None or not found:
        return ()
    if len(_release(cdm, session)) > MAX_DOCUMENT_BYTES or len(found[0].data or b"") > MAX_RECORD_BYTES - _LATER_BYTES:
        raise QuotaExceededError(f"{len(session.recorded)} key ids are too many for the record of a session")
    return found


def load(cdm: EmulatedCdm, call: Load, now: int) -> Handled:
    """EME 6.6 load. What cannot be read, and what another key system has stored, is as good as nothing.

    Raises: EmeTypeError where a session of another type is stored.
    """
    try:
        stored = stored_session.read(call.record)
    except LicenseError:
        return Handled(value=False)
    if stored.system != cdm.law.name:
        return Handled(value=False)
    if stored.type != call.session_type:
        raise EmeTypeError(f"what is stored is a {stored.type} session, not a {call.session_type} one")
    session = _session(call.slot, stored)
    cdm.put(cdm.check_room(session), Term(end_ms=stored.end_ms, renew_ms=stored.renew_ms, window_ms=stored.window_ms))
    times = stored.times
    if times is not None and times.first_ms is not None and times.latest_ms is not None:
        found = usage.Usage(call.slot, times.first_ms, times.latest_ms, times.latest_ms)
        cdm.usages = usage.entered(cdm.usages, found)
    return Handled(value=True, changes=(cdm.change_of(session, now),))


def remove(cdm: EmulatedCdm, call: Remove, now: int) -> Handled:
    """EME 6.6 remove: the keys go, here and in the store, and what is left of them is sent until it is acknowledged."""
    handled = calls.remove(cdm, call, now)
    session = find(cdm.ring, call.slot)
    if session is None or not session.recorded:
        return handled
    session = replace(session, released=True)
    cdm.amend(session)
    message = MessageType.LICENSE_RELEASE, _release(cdm, session)
    return msgspec.structs.replace(handled, message=message, records=records(cdm, session.slot))


def acknowledge(cdm: EmulatedCdm, session: KeySession, response: bytes) -> Handled:
    """The server has taken the release: what is stored goes, and the session closes, with those that hang on it.

    Raises: LicenseError for something else than an acknowledgement, EmeTypeError for that of another release.
    """
    if release.read_acknowledgement(response) != frozenset(session.recorded):
        raise EmeTypeError("the acknowledgement names other key ids than the release")
    slots = tuple(family(cdm.ring, session.slot))
    cdm.leave(slots)
    closed = SessionChange(slot=session.slot, statuses=(), closed=ClosedReason.RELEASE_ACKNOWLEDGED)
    below = (SessionChange(slot=slot, statuses=(), closed=ClosedReason.PARENT_CLOSED) for slot in slots[1:])
    return Handled(changes=(closed, *below), records=(Record(session.slot, None),))


def used(cdm: EmulatedCdm, call: Decrypt, clear: int, now: int) -> Used:
    """The times of the sessions whose keys have served; those that can wait no longer are saved at once."""
    wall = cdm.wall(now) if cdm.spec.usage_records else None
    if wall is None:
        return Used()
    wall_ms = wall // MILLISECOND
    serving = (found[0] for kid in key_ids(call, clear) if (found := cdm.at(now).serving(kid)) is not None)
    for slot in dict.fromkeys(it.slot for it in serving if it.session_type is usage.RECORDED):
        after = usage.used(usage.find(cdm.usages, slot), slot, wall_ms, cdm.spec)
        cdm.usages = usage.entered(cdm.usages, after)
    return Used(records=tuple(_due(cdm, cdm.ring, wall_ms)))


def keep(cdm: EmulatedCdm, before: Ring, handled: Handled, now: int) -> Handled:
    """After any answer: the records of sessions that have closed, and of those that it is time to save."""
    written = {it.slot for it in handled.records}
    for slot in written:
        _saved(cdm, slot)
    open_ = {it.slot for it in cdm.ring}
    gone = [it for it in cdm.usages or () if it.slot not in open_]
    last = [record for it in gone if it.slot not in written and it.due_ms for record in _records(cdm, before, it.slot)]
    for it in gone:
        cdm.usages = usage.without(cdm.usages, it.slot)
    wall = cdm.wall(now)
    due = () if wall is None else tuple(_due(cdm, cdm.ring, wall // MILLISECOND))
    return msgspec.structs.replace(handled, records=(*handled.records, *last, *due))


def _due(cdm: EmulatedCdm, ring: Ring, wall_ms: int) -> Iterator[Record]:
    for it in cdm.usages or ():
        if usage.is_due(it, wall_ms):
            yield from _records(cdm, ring, it.slot)
            _saved(cdm, it.slot)


def _saved(cdm: EmulatedCdm, slot: int) -> None:
    found = usage.find(cdm.usages, slot)
    if found is not None:
        cdm.usages = usage.entered(cdm.usages, usage.saved(found, cdm.spec))


def _records(cdm: EmulatedCdm, ring: Ring, slot: int) -> tuple[Record, ...]:
    session = find(ring, slot)
    if session is None or not session.recorded:
        return ()
    return (Record(slot, stored_session.write(_stored(cdm, session))),)


def _release(cdm: EmulatedCdm, session: KeySession) -> bytes:
    return release.write(Release(kids=session.recorded, times=_times(cdm, session)))


def _stored(cdm: EmulatedCdm, session: KeySession) -> StoredSession:
    keeps_keys = session.session_type is SessionType.PERSISTENT_LICENSE
    term = next((term for it, term in cdm.terms_of() if it.slot == session.slot), Term()) if keeps_keys else Term()
    keys = (it for it in session.keys if keeps_keys and not it.embedded)
    return StoredSession(
        system=cdm.law.name,
        type=session.session_type,
        kids=session.recorded,
        released=session.released,
        keys=tuple(
            StoredKey(kid=it.kid, key=it.key, start_ms=it.start_ms, output=it.output, wraps=it.wraps) for it in keys
        ),
        end_ms=term.end_ms,
        renew_ms=term.renew_ms,
        window_ms=term.window_ms,
        times=_times(cdm, session),
    )


def _session(slot: int, stored: StoredSession) -> KeySession:
    """A usage record holds no key, so that all its keys are released whatever became of its page."""
    is_over = stored.released or stored.type == usage.RECORDED
    keys = (
        HeldKey(kid=it.kid, key=it.key, start_ms=it.start_ms, output=it.output, wraps=it.wraps) for it in stored.keys
    )
    return KeySession(
        slot=slot,
        session_type=SessionType(stored.type),
        asked=stored.kids,
        keys=tuple(keys),
        keyless=_all_released(stored.kids) if is_over else (),
        recorded=stored.kids,
        released=is_over,
    )


def _all_released(kids: tuple[KeyId, ...]) -> tuple[tuple[KeyId, KeyStatus], ...]:
    return tuple((kid, KeyStatus.RELEASED) for kid in kids)


def _times(cdm: EmulatedCdm, session: KeySession) -> release.Times | None:
    if session.session_type is not usage.RECORDED:
        return None
    return usage.times(usage.find(cdm.usages, session.slot), cdm.spec)
