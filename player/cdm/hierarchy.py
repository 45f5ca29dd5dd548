"""The lab's key system with embedded keys, `org.keystorm.hierarchy`.

A license brings content keys or root keys. Init data whose content keys are wrapped under a root that is there makes
them usable without a request, in a session that hangs on the root's (EME embedded-keys explainer).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import msgspec

from player import ids
from player.cdm import stored, window
from player.cdm.calls import ALIKE
from player.cdm.embedded import adopt, deliver, entries_as, opened, read_box
from player.cdm.emulated import EmulatedCdm, Law, Used
from player.cdm.key_systems import HIERARCHY
from player.cdm.media_keys import check_certificate, status_by_display
from player.cdm.renewal import renew
from player.cdm.request import first_supported, limited
from player.cdm.ring import HeldKey, KeySession, Term, added
from player.cdm.spec import OnMissingRoot
from player.clock import MILLISECOND
from player.eme.cdm import (
    Decrypt,
    GenerateRequest,
    GetStatusForPolicy,
    Handled,
    Load,
    Provision,
    Remove,
    SessionChange,
    SetServerCertificate,
    Update,
    Wake,
)
from player.eme.errors import NotSupportedError
from player.eme.init_data import InitData, common_key_ids, sanitize
from player.eme.status import KeyStatus, MessageType, SessionType
from player.ids import HIERARCHY_SYSTEM, KeyId
from player.isobmff.pssh import Pssh
from player.wire import hierarchy
from player.wire.blob import Blob
from player.wire.hierarchy import LicenseKey, LicenseRequest, Use


def generate_request(cdm: EmulatedCdm, call: GenerateRequest, now: int) -> Handled:
    """A license-request for what the init data names, or no message where its embedded keys can be had at once."""
    found: InitData = cdm.pool.remember(sanitize, call.init_data_type, call.init_data)
    if found.kids:
        return _ask(cdm, _new(call), found.kids, now)
    box = first_supported(found.boxes, _supported)
    if not (cdm.spec.embedded_keys and box.system_id == HIERARCHY_SYSTEM and box.data):
        return _ask(cdm, _new(call), box.key_ids, now)
    wrapped: Blob = cdm.pool.remember(read_box, box)
    keys = opened(cdm, box.data, now)
    if keys is not None:
        return deliver(cdm, call, keys, now)
    return _MISSING_ROOT[OnMissingRoot(cdm.spec.on_missing_root)](cdm, replace(_new(call), blob=box.data), wrapped, now)


def update(cdm: EmulatedCdm, call: Update, now: int) -> Handled:
    """Keys accumulate, and the policy of the newest license holds for the whole session; its children follow.

    A session that was removed takes its acknowledgement only.
    """
    before = cdm.session(call.slot)
    if before.released:
        return stored.acknowledge(cdm, before, call.response)
    license_ = cdm.license(hierarchy.read_license, call.response)
    stored.check_storable(before, persist=license_.policy.persist)
    cdm.check_asked(before, (it.kid for it in license_.keys))
    policy = license_.policy
    session = cdm.check_room(cdm.pool.remember(_licensed, before, license_.keys, policy.nbf_ms or 0))
    cdm.put(session, Term(end_ms=policy.exp_ms or 0, renew_ms=policy.renew_at_ms or 0))
    changes = _with_children(cdm, call.slot, now)
    return Handled(changes=changes, records=stored.records(cdm, call.slot))


def load(cdm: EmulatedCdm, call: Load, now: int) -> Handled:
    """A stored root key opens what waits for it."""
    handled = stored.load(cdm, call, now)
    return msgspec.structs.replace(handled, changes=_with_children(cdm, call.slot, now)) if handled.value else handled


def used(cdm: EmulatedCdm, call: Decrypt, clear: int, now: int) -> Used:
    """A playback window may open, which a stored license is to remember, and a usage record hears of it."""
    opening, recorded = window.used(cdm, call, clear, now), stored.used(cdm, call, clear, now)
    opened_at = (record for it in opening for record in stored.records(cdm, it.slot))
    return Used(changes=opening, records=(*opened_at, *recorded.records))


def _with_children(cdm: EmulatedCdm, slot: int, now: int) -> tuple[SessionChange, ...]:
    """The session, then those whose embedded keys it opens."""
    adopted = adopt(cdm, slot, now)
    own = cdm.session(slot)
    following = (it for it in cdm.ring if it is not own and (it.parent == slot or it.slot in adopted))
    return (cdm.change_of(own, now), *(cdm.change_of(it, now) for it in following))


def wake(cdm: EmulatedCdm, call: Wake, now: int) -> Handled:
    """A renewal is a request for the same keys once more."""
    return renew(cdm, call, now, _request)


def provision(cdm: EmulatedCdm, call: Provision, now: int) -> Handled:
    """The device has a root key more, and opens what has waited for it; no session is its parent."""
    others = tuple(it for it in cdm.device.roots if it[0] != call.kid)
    cdm.device = cdm.pool.intern(replace(cdm.device, roots=(*others, (call.kid, call.key))))
    adopted = adopt(cdm, None, now)
    return Handled(changes=tuple(cdm.change_of(it, now) for it in cdm.ring if it.slot in adopted))


def _ask(cdm: EmulatedCdm, session: KeySession, kids: tuple[KeyId, ...], now: int) -> Handled:
    session = replace(session, asked=limited(kids))
    body = _request(cdm, session, now)
    cdm.put(session)
    return Handled(message=(MessageType.LICENSE_REQUEST, body))


def _request(cdm: EmulatedCdm, session: KeySession, now: int) -> bytes:
    wall = cdm.wall(now)
    return hierarchy.write_request(
        LicenseRequest(
            kids=session.asked,
            type=session.session_type,
            robustness=cdm.spec.robustness_level,
            time_ms=None if wall is None else wall // MILLISECOND,
        )
    )


def _ask_for_root(cdm: EmulatedCdm, session: KeySession, wrapped: Blob, now: int) -> Handled:
    return _ask(cdm, session, (wrapped.root_kid,), now)


def _wait_for_root(cdm: EmulatedCdm, session: KeySession, wrapped: Blob, now: int) -> Handled:
    if session.session_type is not SessionType.TEMPORARY:
        raise NotSupportedError("embedded keys are not stored")
    session = replace(session, licensed=False, keyless=entries_as(wrapped, KeyStatus.STATUS_PENDING))
    cdm.put(session)
    return Handled(changes=(cdm.change_of(session, now),))


def _reject(cdm: EmulatedCdm, session: KeySession, wrapped: Blob, now: int) -> Handled:  # noqa: ARG001 — one of a table
    raise NotSupportedError(f"the root key {wrapped.root_kid} of these embedded keys is not there")


_MISSING_ROOT: Final[Mapping[OnMissingRoot, Callable[[EmulatedCdm, KeySession, Blob, int], Handled]]] = (
    MappingProxyType(
        {
            OnMissingRoot.REQUEST: _ask_for_root,
            OnMissingRoot.PENDING: _wait_for_root,
            OnMissingRoot.REJECT: _reject,
        }
    )
)


def _new(call: GenerateRequest) -> KeySession:
    return KeySession(slot=call.slot, session_type=call.session_type)


def _supported(box: Pssh) -> Pssh | None:
    """This system's own box, or the common one."""
    own = box.system_id == HIERARCHY_SYSTEM and box.key_ids
    return box if own or common_key_ids(box) else None


def _licensed(session: KeySession, keys: tuple[LicenseKey, ...], begin_ms: int) -> KeySession:
    held = tuple(
        HeldKey(
            kid=it.kid,
            key=it.key,
            start_ms=max(it.nbf_ms or 0, begin_ms),
            output=it.output or "",
            wraps=it.use is Use.WRAP,
        )
        for it in keys
    )
    named = {it.kid for it in held}
    keyless = tuple(it for it in session.keyless if it[0] not in named)
    return stored.recorded(replace(session, keys=added(session.keys, held), keyless=keyless))


LAW: Final = Law(
    name=ids.HIERARCHY,
    supports=HIERARCHY,
    answers={
        **ALIKE,
        GenerateRequest: generate_request,
        Provision: provision,
        Load: load,
        Update: update,
        Remove: stored.remove,
        Wake: wake,
        SetServerCertificate: check_certificate,
        GetStatusForPolicy: status_by_display,
    },
    used=used,
    keep=stored.keep,
)
