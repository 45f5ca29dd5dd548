"""Clear Key, `org.w3.clearkey` (EME 9.1): keys come as a JWK set, nothing expires, nothing is embedded."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from player.cdm import stored
from player.cdm.calls import ALIKE
from player.cdm.emulated import EmulatedCdm, Law
from player.cdm.key_systems import CLEAR_KEY
from player.cdm.media_keys import refuse_certificate, usable_whatever_the_policy
from player.cdm.request import first_supported, limited
from player.cdm.ring import HeldKey, KeySession, added, find
from player.eme.cdm import (
    GenerateRequest,
    GetStatusForPolicy,
    Handled,
    Load,
    Remove,
    SetServerCertificate,
    Update,
)
from player.eme.errors import EmeTypeError
from player.eme.init_data import common_key_ids, sanitize
from player.eme.status import MessageType
from player.ids import CLEARKEY, KeyId
from player.wire import clearkey
from player.wire.clearkey import ClearKeyLicense


def generate_request(cdm: EmulatedCdm, call: GenerateRequest, now: int) -> Handled:  # noqa: ARG001 — without time
    """One license-request with the key ids of the init data, in its order."""
    kids: tuple[KeyId, ...] = cdm.pool.remember(_asked, call.init_data_type, call.init_data)
    body: bytes = cdm.pool.remember(clearkey.write_request, kids, call.session_type)
    cdm.put(KeySession(slot=call.slot, session_type=call.session_type, asked=kids))
    return Handled(message=(MessageType.LICENSE_REQUEST, body))


def update(cdm: EmulatedCdm, call: Update, now: int) -> Handled:
    """Keys accumulate; all that are named are usable. A session that was removed takes its acknowledgement only."""
    session = cdm.session(call.slot)
    if session.released:
        return stored.acknowledge(cdm, session, call.response)
    license_ = cdm.license(clearkey.read_license, call.response)
    if license_.type != session.session_type:
        raise EmeTypeError(f"a {license_.type} license for a {session.session_type} session")
    cdm.check_asked(session, (kid for kid, _ in license_.keys))
    session = cdm.check_room(cdm.pool.remember(_licensed, session, license_))
    cdm.put(session)
    return Handled(changes=(cdm.change_of(session, now),), records=stored.records(cdm, call.slot))


def remove(cdm: EmulatedCdm, call: Remove, now: int) -> Handled:
    """Keys become "released" as in EME 6.6; EME 9.1.2 would have the map empty, which is there as an option."""
    handled = stored.remove(cdm, call, now)
    session = find(cdm.ring, call.slot)
    if session is None or not cdm.spec.ck_remove_empty:
        return handled
    cdm.amend(replace(session, keyless=()))
    own = msgspec.structs.replace(handled.changes[0], statuses=())
    return msgspec.structs.replace(handled, changes=(own, *handled.changes[1:]))


def _licensed(session: KeySession, license_: ClearKeyLicense) -> KeySession:
    keys = tuple(HeldKey(kid=kid, key=key) for kid, key in license_.keys)
    named = {it.kid for it in keys}
    keyless = tuple(it for it in session.keyless if it[0] not in named)
    return stored.recorded(replace(session, keys=added(session.keys, keys), keyless=keyless))


def _asked(init_data_type: str, init_data: bytes) -> tuple[KeyId, ...]:
    found = sanitize(init_data_type, init_data)
    kids: tuple[KeyId, ...] = found.kids or first_supported(found.boxes, common_key_ids)
    return limited(kids)


LAW: Final = Law(
    name=CLEARKEY,
    supports=CLEAR_KEY,
    answers={
        **ALIKE,
        GenerateRequest: generate_request,
        Load: stored.load,
        Update: update,
        Remove: remove,
        SetServerCertificate: refuse_certificate,
        GetStatusForPolicy: usable_whatever_the_policy,
    },
    used=stored.used,
    keep=stored.keep,
)
