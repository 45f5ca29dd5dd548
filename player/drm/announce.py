"""The one question of the key logic: does this announcement need a license request?

Pure: the answer is a value, and the engine does what it says.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from player.drm import keys
from player.drm.init_data import InitData, Origin
from player.drm.keys import MAY_BE_ASKED, ExtendedStatus, Table, Verdict
from player.drm.profile import LicenseScope, Scope, Status
from player.drm.scope import Layout, covered
from player.ids import KeyId


class SkipReason(StrEnum):
    DUPLICATE_KID = "duplicate-kid"
    KNOWN_FROM_LICENSE = "known-from-license"
    IN_FLIGHT = "in-flight"
    SCOPE = "scope"
    DISALLOWED = "disallowed"
    EMPTY = "empty"
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


def judge(init_data: InitData, table: Table, layout: Layout, scope: Scope, status: Status) -> Answer:
    """Dedupe (law `session_kids`), embedded keys, then license scope, in this order."""
    if not init_data.kids:
        return Skip(SkipReason.EMPTY)
    entries = [keys.find(table, kid) for kid in init_data.kids]
    open_ones = [entry for entry in entries if entry is not None and entry.status not in MAY_BE_ASKED]
    if len(open_ones) == len(entries):
        return Skip(_why_known(open_ones, status))
    if init_data.root is not None:
        return _judge_embedded(init_data.root, table, init_data.kids)
    return _judge_scope(init_data, table, layout, scope)


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
    return Skip(SkipReason.SCOPE, missing, license_held.slot) if missing else Ask(covers)


def _answers(entry: keys.Entry, covers: tuple[KeyId, ...], scope: LicenseScope) -> bool:
    """A session of this content that is taken to have covered these keys."""
    return entry.slot >= 0 and entry.status not in MAY_BE_ASKED and (scope is LicenseScope.MEDIA or entry.kid in covers)
