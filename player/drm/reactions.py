"""What a profile does beyond a verdict when a key gets a status: end, tell an error, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from player.drm import keys
from player.drm.keys import Entry, ExtendedStatus, Table
from player.drm.profile import OnExpired, OnStatus, Quirk, Status
from player.ids import KeyId


class Code(StrEnum):
    """Error codes of keys, of playback and of what a profile was asked for."""

    KEY_EXPIRED = "key-expired"
    KEY_OUTPUT_RESTRICTED = "key-output-restricted"
    KEY_INTERNAL = "key-internal"
    KEY_RELEASED = "key-released"
    KEY_DISALLOWED = "key-disallowed"


class Reaction(NamedTuple):
    """`ends`: playback is over. `fatal`: told as fatal, whether or not it goes on."""

    code: Code
    kid: KeyId
    status: ExtendedStatus
    fatal: bool
    ends: bool


_CODES: Final = {
    ExtendedStatus.EXPIRED: Code.KEY_EXPIRED,
    ExtendedStatus.OUTPUT_RESTRICTED: Code.KEY_OUTPUT_RESTRICTED,
    ExtendedStatus.OUTPUT_DOWNSCALED: Code.KEY_OUTPUT_RESTRICTED,
    ExtendedStatus.INTERNAL_ERROR: Code.KEY_INTERNAL,
    ExtendedStatus.RELEASED: Code.KEY_RELEASED,
    ExtendedStatus.STATUS_PENDING: Code.KEY_INTERNAL,
}
_TOLD: Final = frozenset({OnStatus.REJECT, OnStatus.REJECT_CAP_HDCP})


def to_changes(
    old: Table, new: Table, rules: Status, quirks: Iterable[Quirk], active: frozenset[KeyId]
) -> list[Reaction]:
    """`active`: the keys of what is played now."""
    found = (_to_one(entry, new, rules, tuple(quirks), active) for _, entry in keys.changes(old, new))
    return [reaction for reaction in found if reaction is not None]


def _to_one(
    entry: Entry, table: Table, rules: Status, quirks: tuple[Quirk, ...], active: frozenset[KeyId]
) -> Reaction | None:
    if entry.status not in _CODES:
        return None
    code = _CODES[entry.status]
    if entry.status is ExtendedStatus.EXPIRED:
        return _expired(entry, table, rules.on_expired, quirks, active)
    rule = keys.rule_of(entry.status, rules)
    if rule is OnStatus.FATAL:
        return Reaction(code, entry.kid, entry.status, fatal=True, ends=True)
    return Reaction(code, entry.kid, entry.status, fatal=False, ends=False) if rule in _TOLD else None


def _expired(
    entry: Entry, table: Table, rule: OnExpired, quirks: tuple[Quirk, ...], active: frozenset[KeyId]
) -> Reaction | None:
    told = Reaction(Code.KEY_EXPIRED, entry.kid, entry.status, fatal=True, ends=True)
    if rule is OnExpired.FATAL:
        return told
    if rule is OnExpired.EVENT and entry.kid in active and _all_expired(table, active):
        return told._replace(fatal=False, ends=False)
    if rule is OnExpired.RENEW and Quirk.EXPIRED_RENEWS_AND_FAILS in quirks:
        return told._replace(ends=False)
    return None


def all_expired(announced: Table, rules: Status) -> bool:
    """Shaka Player ends once every key that was announced has expired."""
    statuses = [entry.status for entry in announced if entry.why == "status"]
    every = bool(statuses) and all(status is ExtendedStatus.EXPIRED for status in statuses)
    return every and rules.on_expired is OnExpired.FATAL_IF_ALL


def _all_expired(table: Table, kids: frozenset[KeyId]) -> bool:
    held = [entry for entry in table if entry.kid in kids]
    return all(entry.status is ExtendedStatus.EXPIRED for entry in held)
