"""The one question of the key logic: does this announcement need a license request?

Pure: the answer is a value, and the engine does what it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from player.drm import dedupe, keys
from player.drm.dedupe import Known
from player.drm.init_data import InitData, Origin
from player.drm.keys import MAY_BE_ASKED, ExtendedStatus, Table, Verdict
from player.drm.profile import Dedupe, LicenseScope, Scope, Status
from player.drm.scope import Layout, covered
from player.ids import KeyId


class SkipReason(StrEnum):
    DUPLICATE_KID = "duplicate-kid"
    DUPLICATE_BYTES = "duplicate-bytes"
    KNOWN_FROM_LICENSE = "known-from-license"
    IN_FLIGHT = "in-flight"
    SCOPE = "scope"
    DISALLOWED = "disallowed"
    EMPTY = "empty"
    SUPPRESSED = "suppressed"  # the manifest's own init data turns the media's off, or no key in play is meant
    ZERO_KID = "zero-kid"
    SECOND_BOX = "second-box"  # a box before it has the same SystemID, which the format forbids
    PLANNED = "planned"  # an instant is set already, and it comes before the need


class Skip(msgspec.Struct, frozen=True, gc=False):
    """No request. `disallowed`: keys that are hereby refused, since a license should have brought them."""

    reason: SkipReason
    disallowed: tuple[KeyId, ...] = ()
    slot: int = -1


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Asked again when the statuses of what it waits for are in: a root on its way, or a request of its scope unit."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Open a session and ask; `covers` are the keys a license is taken to cover."""

    covers: tuple[KeyId, ...]


Answer = Skip | Wait | Ask


def judge(
    init_data: InitData,
    table: Table,
    layout: Layout,
    scope: Scope,
    status: Status,
    *,
    law: Dedupe = Dedupe.SESSION_KIDS,
    sessions: Iterable[Known] = (),
) -> Answer:
    """What is known of the keys, dedupe by the law, embedded keys, then license scope, in this order."""
    if not (init_data.kids or init_data.data):
        return Skip(SkipReason.EMPTY)
    known = _known_keys(init_data, table, law, learn=scope.learn_kids_from_license)
    if known is not None:
        return Skip(_why_known(known, status), slot=known[0].slot)
    answering = dedupe.answering(law, init_data, sessions, learn=scope.learn_kids_from_license)
    if answering is not None and not _given_up(init_data, table, law):
        return Skip(_why_answered(init_data, answering), slot=answering.slot)
    if init_data.root is not None:
        return _judge_embedded(init_data.root, table, init_data.kids)
    return _judge_scope(init_data, table, layout, scope)


def _known_keys(init_data: InitData, table: Table, law: Dedupe, *, learn: bool) -> list[keys.Entry] | None:
    """The entries of all its keys, where the table alone says that none of them is to be asked for."""
    entries = [entry for kid in init_data.kids if (entry := keys.find(table, kid)) is not None]
    if not entries or len(entries) < len(init_data.kids):
        return None
    settled = [entry for entry in entries if entry.status not in MAY_BE_ASKED]
    if law is Dedupe.STATUS_KID:
        settled = [entry for entry in settled if entry.status is not ExtendedStatus.REQUESTED]
    if not learn or law not in (Dedupe.SESSION_KIDS, Dedupe.STATUS_KID):
        settled = [entry for entry in settled if entry.status is ExtendedStatus.DISALLOWED]
    return settled if len(settled) == len(entries) else None


def _given_up(init_data: InitData, table: Table, law: Dedupe) -> bool:
    """A law that looks at keys asks again for those given up, or expired, while their session is open."""
    entries = [entry for kid in init_data.kids if (entry := keys.find(table, kid)) is not None]
    return law is Dedupe.SESSION_KIDS and any(entry.status in _AGAIN for entry in entries)


_AGAIN = frozenset({ExtendedStatus.FAILED, ExtendedStatus.EXPIRED, ExtendedStatus.LOST})


def _why_answered(init_data: InitData, session: Known) -> SkipReason:
    if init_data.kids and set(init_data.kids) <= set(session.kids):
        return SkipReason.DUPLICATE_KID
    return SkipReason.DUPLICATE_BYTES if init_data.data == session.data else SkipReason.KNOWN_FROM_LICENSE


def _why_known(entries: list[keys.Entry], status: Status) -> SkipReason:
    if any(keys.verdict(entry.status, status) is Verdict.BLOCK for entry in entries):
        return SkipReason.DISALLOWED
    if any(entry.status is ExtendedStatus.REQUESTED for entry in entries):
        return SkipReason.IN_FLIGHT
    if any(entry.why == "status" for entry in entries):
        return SkipReason.KNOWN_FROM_LICENSE
    return SkipReason.DUPLICATE_KID


def _judge_embedded(root: KeyId, table: Table, leaves: tuple[KeyId, ...]) -> Answer:
    """A leaf goes to the CDM once its root is there; while the root is on its way, or to be renewed, it waits."""
    entry = keys.find(table, root)
    if entry is not None and entry.status in (ExtendedStatus.REQUESTED, ExtendedStatus.EXPIRED):
        return Wait()
    return Ask(leaves)


def _judge_scope(init_data: InitData, table: Table, layout: Layout, scope: Scope) -> Answer:
    covers = covered(scope.license_scope, init_data, layout)
    if scope.license_scope is LicenseScope.INIT_DATA or init_data.origin is Origin.ANNOUNCEMENT:
        return Ask(covers)
    license_held = next((entry for entry in table if _answers(entry, covers, scope.license_scope)), None)
    if license_held is None:
        return Ask(covers)
    missing = tuple(kid for kid in covers if keys.find(table, kid) is None)
    if missing and license_held.status is ExtendedStatus.REQUESTED:
        return Wait()  # its license may bring them
    return Skip(SkipReason.SCOPE, missing, license_held.slot) if missing else Ask(covers)


def _answers(entry: keys.Entry, covers: tuple[KeyId, ...], scope: LicenseScope) -> bool:
    """A session of this content that is taken to have covered these keys."""
    return entry.slot >= 0 and entry.status not in MAY_BE_ASKED and (scope is LicenseScope.MEDIA or entry.kid in covers)
