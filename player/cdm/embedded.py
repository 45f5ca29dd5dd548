"""Content keys that travel in init data, wrapped under a root key (EME embedded-keys explainer).

Knows blobs and rings, no message: what happens where the root key is missing is the key system's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from player.cdm import stored
from player.cdm.emulated import EmulatedCdm
from player.cdm.ring import HeldKey, KeySession, added, find, windowed
from player.eme.cdm import GenerateRequest, Handled, SessionChange, Statuses
from player.eme.errors import EmeTypeError, NotSupportedError, QuotaExceededError
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.errors import LicenseError
from player.ids import KeyId
from player.isobmff.pssh import Pssh
from player.wire import blob
from player.wire.blob import Blob, LeafKey


class Opened(NamedTuple):
    """The content keys of a blob and their end in ms, 0: open. `parent`: slot of the root's session, None: baked in."""

    parent: int | None
    keys: tuple[HeldKey, ...]
    end_ms: int


def read_box(box: Pssh) -> Blob:
    """What a box says of its embedded keys before they are opened.

    Raises: LicenseError for Data that is no blob, EmeTypeError where it names other key ids than the box.
    """
    found = blob.read(box.data)
    if tuple(entry.kid for entry in found.entries) != box.key_ids:
        raise EmeTypeError("the box and its wrapped keys name different key ids")
    return found


def opened(cdm: EmulatedCdm, data: bytes, now: int, only: int | None = None) -> Opened | None:
    """The blob's keys, by the newest root key that opens it; None where there is no usable root key by its id.

    `only`: the slot of the one session whose roots count. Raises: LicenseError where roots are there and none opens it.
    """
    refused: LicenseError | None = None
    for parent, root in _candidates(cdm, cdm.pool.remember(blob.read, data).root_kid, now):
        if only is not None and parent != only:
            continue
        try:
            return Opened(parent, *_unwrapped(cdm, data, root))
        except LicenseError as error:
            refused = error
    if refused is not None:
        raise refused
    return None


def deliver(cdm: EmulatedCdm, call: GenerateRequest, found: Opened, now: int) -> Handled:
    """The keys of init data are there: no message, and the session hangs on its root's.

    Raises: NotSupportedError for a session to be stored: such keys can be had again from the stream.
    """
    if call.session_type is not SessionType.TEMPORARY:
        raise NotSupportedError("embedded keys are not stored")
    if cdm.spec.single_session and found.parent is not None:
        return _merge(cdm, call.slot, found.parent, found.keys, now)
    session = KeySession(
        slot=call.slot,
        session_type=call.session_type,
        licensed=False,
        keys=found.keys,
        parent=found.parent,
        end_ms=found.end_ms,
    )
    cdm.put(cdm.check_room(session))
    return Handled(changes=(cdm.change_of(session, now),))


def adopt(cdm: EmulatedCdm, slot: int | None, now: int) -> frozenset[int]:
    """After an update of `slot`: open what waited for a root key; gives the slots of the sessions that changed.

    A session that has asked for the root itself waits for its own license and becomes its own root.
    """
    waiting = [it for it in cdm.ring if it.blob and (it.slot == slot or not it.licensed)]
    changed = set()
    for session in waiting:
        after = _adopted(cdm, session, now)
        if after is not None:
            cdm.amend(after)
            changed.add(session.slot)
    return frozenset(changed)


def entries_as(found: Blob, status: KeyStatus) -> Statuses:
    """The blob's key ids, all with one status."""
    return tuple((entry.kid, status) for entry in found.entries)


def _adopted(cdm: EmulatedCdm, session: KeySession, now: int) -> KeySession | None:
    """The session with its embedded keys; None where their root key is still missing.

    The license that brought the root was good, so a blob that does not open costs its own keys only.
    """
    try:
        found = opened(cdm, session.blob, now, session.slot if session.licensed else None)
    except LicenseError:
        broken = entries_as(cdm.pool.remember(blob.read, session.blob), KeyStatus.INTERNAL_ERROR)
        return replace(session, blob=b"", keyless=broken)
    if found is None:
        return None
    keys = added(session.keys, found.keys)
    if session.licensed:  # its own root: the license's policy holds for the whole session
        return stored.recorded(replace(session, blob=b"", keyless=(), keys=keys))
    return replace(session, blob=b"", keyless=(), keys=keys, parent=found.parent, end_ms=found.end_ms)


def _merge(cdm: EmulatedCdm, slot: int, parent: int, keys: tuple[HeldKey, ...], now: int) -> Handled:
    """Single-session mode: the new session closes, and its keys appear in the root's."""
    root = find(cdm.ring, parent)
    if root is None:
        raise NotSupportedError("the root's session is gone")
    root = stored.recorded(replace(root, keys=added(root.keys, keys)))
    root = replace(root, keys=windowed(root.keys, cdm.spec.root_window_periods))
    if len(root.keys) > cdm.spec.max_keys:
        raise QuotaExceededError(f"{len(root.keys)} keys in a session that takes {cdm.spec.max_keys}")
    cdm.amend(root)
    merged = SessionChange(slot=slot, statuses=(), closed=ClosedReason.PARENT_MERGED)
    return Handled(changes=(merged, cdm.change_of(root, now)), records=stored.records(cdm, parent))


def _candidates(cdm: EmulatedCdm, kid: KeyId, now: int) -> Iterator[tuple[int | None, HeldKey]]:
    yield from cdm.at(now).roots(kid)
    for named, key in reversed(cdm.device.roots):
        if named == kid:
            yield None, HeldKey(kid=kid, key=key, wraps=True)


def _unwrapped(cdm: EmulatedCdm, data: bytes, root: HeldKey) -> tuple[tuple[HeldKey, ...], int]:
    """Keys and end. Output rules are the root's unless the blob brings a policy of its own."""
    leaves: tuple[LeafKey, ...] = cdm.pool.remember(blob.open_blob, data, root.key)
    policy = cdm.pool.remember(blob.read, data).policy
    output = root.output if policy is None else policy.output or ""
    begin_ms = 0 if policy is None else policy.nbf_ms or 0
    ends = (leaves[0].end_ms, 0 if policy is None else policy.exp_ms or 0)
    keys = tuple(
        HeldKey(kid=it.kid, key=it.key, start_ms=max(it.start_ms, begin_ms), output=output, embedded=True)
        for it in leaves
    )
    return keys, min((end for end in ends if end), default=0)
