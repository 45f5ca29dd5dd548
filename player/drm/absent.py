"""Keys that were asked for and did not come with the license: what each player makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from player.drm import keys
from player.drm.keys import ExtendedStatus, Table
from player.drm.profile import Extent, LicenseScope, MissingKeyVerdict, Scope
from player.eme.cdm import Statuses

VANISHED: Final = "no-longer-listed"


class License(NamedTuple):
    """`statuses`: the map of its session. `manifest_has_init_data`: for any key of the key system."""

    slot: int
    statuses: Statuses
    manifest_has_init_data: bool


def settle(table: Table, scope: Scope, license_: License) -> Table:
    """The table once the statuses of a license are in; a stated or learnt extent always refuses what is absent."""
    widened = scope.license_scope is not LicenseScope.INIT_DATA or scope.extent is Extent.ONE_AT_A_TIME
    status = ExtendedStatus.DISALLOWED if widened else _BECOMES[scope.missing_key_verdict](license_)
    table = keys.settle(table, license_.slot, status, keys.ABSENT)
    return keys.refuse_expected(table, license_.slot) if scope.expect_all_manifest_kids else table


def waits(scope: Scope, *, pending: bool) -> bool:
    """Is there to be a wait between the first statuses and the judgement on what is absent?"""
    narrow = scope.license_scope is LicenseScope.INIT_DATA
    patient = pending or (narrow and scope.missing_key_verdict is MissingKeyVerdict.INTERNAL_ERROR)
    return patient and scope.missing_key_timeout_ms > 0


def _restricted(license_: License) -> ExtendedStatus:
    """An entirely empty map restricts nothing (Shaka Player)."""
    restricts = license_.manifest_has_init_data and bool(license_.statuses)
    return ExtendedStatus.DISALLOWED if restricts else ExtendedStatus.UNKNOWN


_BECOMES: Final[dict[MissingKeyVerdict, Callable[[License], ExtendedStatus]]] = {
    MissingKeyVerdict.NONE: lambda _: ExtendedStatus.UNKNOWN,
    MissingKeyVerdict.RESTRICTED_IF_MANIFEST_PSSH: _restricted,
    MissingKeyVerdict.UNUSABLE_AFTER_STATUS: (
        lambda license_: ExtendedStatus.DISALLOWED if license_.statuses else ExtendedStatus.UNKNOWN
    ),
    MissingKeyVerdict.INTERNAL_ERROR: lambda _: ExtendedStatus.INTERNAL_ERROR,
    MissingKeyVerdict.DISALLOWED: lambda _: ExtendedStatus.DISALLOWED,
}


def vanished(table: Table, slot: int, statuses: Statuses, verdict: MissingKeyVerdict) -> Table:
    """Keys that the session listed before and lists no longer: the only ones RxPlayer blocks by itself."""
    if verdict is not MissingKeyVerdict.NONE:
        return table
    listed = {kid for kid, _ in statuses}
    gone = [e for e in table if e.slot == slot and e.why == "status" and e.kid not in listed]
    for entry in gone:
        table = keys.refuse(table, entry.kid, slot, VANISHED)
    return table
