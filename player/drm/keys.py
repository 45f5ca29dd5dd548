"""The key table: for one content, what is known of each key id, and who said so. The only place verdicts come from.

A table is an interned tuple, so that clients in the same situation share one. Its moves are remembered in the pool.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from player.drm.profile import OnExpired, OnStatus, Status
from player.eme.cdm import Statuses
from player.ids import KeyId


class ExtendedStatus(StrEnum):
    """MediaKeyStatus, and what an application knows beyond it (`disallowed`: RxPlayer issue 863)."""

    UNKNOWN = "unknown"
    EXPECTED = "expected"
    REQUESTED = "requested"
    USABLE = "usable"
    USABLE_IN_FUTURE = "usable-in-future"
    EXPIRED = "expired"
    RELEASED = "released"
    OUTPUT_RESTRICTED = "output-restricted"
    OUTPUT_DOWNSCALED = "output-downscaled"
    STATUS_PENDING = "status-pending"
    INTERNAL_ERROR = "internal-error"
    DISALLOWED = "disallowed"
    FAILED = "failed"
    LOST = "lost"


class Verdict(StrEnum):
    """What playback may do with samples of a key."""

    ALLOW = "allow"
    BLOCK = "block"
    UNDECIDED = "undecided"


_S = ExtendedStatus
_FROM_CDM: Final = frozenset(
    {
        _S.USABLE,
        _S.USABLE_IN_FUTURE,
        _S.EXPIRED,
        _S.RELEASED,
        _S.OUTPUT_RESTRICTED,
        _S.OUTPUT_DOWNSCALED,
        _S.STATUS_PENDING,
        _S.INTERNAL_ERROR,
    }
)

MAY_FOLLOW: Final = {
    # new status: the statuses it may replace; a status of the CDM replaces any
    _S.UNKNOWN: frozenset({_S.REQUESTED}),
    _S.EXPECTED: frozenset({_S.UNKNOWN}),
    _S.REQUESTED: frozenset({_S.UNKNOWN, _S.EXPECTED, _S.LOST, _S.EXPIRED, _S.FAILED}),
    _S.DISALLOWED: frozenset({_S.UNKNOWN, _S.EXPECTED, _S.REQUESTED, _S.STATUS_PENDING}),
    _S.FAILED: frozenset({_S.REQUESTED, _S.EXPIRED}),
    _S.LOST: _FROM_CDM | {_S.REQUESTED},
    **dict.fromkeys(_FROM_CDM, frozenset(_S)),
}

MAY_BE_ASKED: Final = MAY_FOLLOW[_S.REQUESTED]
"""A key with another status is not asked for: it is held, on its way, or refused."""


ABSENT: Final = "absent-from-license"


class Entry(NamedTuple):
    kid: KeyId
    status: ExtendedStatus
    slot: int  # session that answers for it; -1: none
    why: str  # the rule that gave the status


Table = tuple[Entry, ...]
"""Sorted by key id, each once."""


def find(table: Table, kid: KeyId) -> Entry | None:
    """The entry of a key; tables are short (the periods of a time-shift window), so a scan is the fastest look-up."""
    for entry in table:
        if entry.kid == kid:
            return entry
    return None


def put(table: Table, kid: KeyId, status: ExtendedStatus, slot: int, why: str) -> Table:
    """The table after one move; unchanged where the move is not allowed."""
    old = find(table, kid)
    if old is not None and old.status not in MAY_FOLLOW[status]:
        return table
    rest = [entry for entry in table if entry.kid != kid]
    return tuple(sorted([*rest, Entry(kid, status, slot, why)]))


def request(table: Table, kids: tuple[KeyId, ...], slot: int, why: str) -> Table:
    """Keys that a request now in flight covers."""
    for kid in kids:
        table = put(table, kid, _S.REQUESTED, slot, why)
    return table


def understood(table: Table, slot: int, statuses: Statuses, zero_is_all: bool) -> Statuses:
    """What a map says of the keys that are known, on devices that name them in their own way.

    A GUID stands for the key id in reading order; where the profile knows of it (`zero_is_all`), one id of nothing but
    zeros for all keys of the session.
    """
    if zero_is_all and len(statuses) == 1 and not any(statuses[0][0]):
        return tuple((entry.kid, statuses[0][1]) for entry in table if entry.slot == slot)
    known = {entry.kid for entry in table}
    return tuple((kid.as_guid if kid not in known and kid.as_guid in known else kid, it) for kid, it in statuses)


def report(table: Table, slot: int, statuses: Statuses) -> Table:
    """The CDM's map of one session. `usable` in another session wins over any other status."""
    for kid, status in statuses:
        old = find(table, kid)
        if old is not None and old.slot != slot and old.status is _S.USABLE:
            continue
        table = put(table, kid, ExtendedStatus(status.value), slot, "status")
    return table


def settle(table: Table, slot: int, status: ExtendedStatus, why: str) -> Table:
    """What is still `requested` from this session was not delivered."""
    for entry in table:
        if entry.slot == slot and entry.status is _S.REQUESTED:
            table = put(table, entry.kid, status, slot, why)
    return table


def disallow(table: Table, kids: tuple[KeyId, ...], slot: int, why: str) -> Table:
    """Keys in the extent of a license that did not bring them."""
    for kid in kids:
        if find(table, kid) is None or find(table, kid).status in MAY_FOLLOW[_S.DISALLOWED]:  # type: ignore[union-attr]
            table = put(table, kid, _S.DISALLOWED, slot, why)
    return table


def expire(table: Table, slot: int) -> Table:
    """A renewal brought nothing that has not expired: asking once more would bring the same."""
    for entry in table:
        if entry.slot == slot and entry.status is _S.EXPIRED:
            table = put(table, entry.kid, _S.FAILED, slot, "expired-again")
    return table


def expect(table: Table, kids: Iterable[KeyId]) -> Table:
    """Keys that the first license should bring."""
    for kid in kids:
        if find(table, kid) is None:
            table = put(table, kid, _S.EXPECTED, -1, "expected-by-manifest")
    return table


def refuse_expected(table: Table, slot: int) -> Table:
    """The first license is in: what was expected of it and did not come is refused."""
    for entry in table:
        if entry.status is _S.EXPECTED:
            table = put(table, entry.kid, _S.DISALLOWED, slot, "expected-and-absent")
    return table


def refuse(table: Table, kid: KeyId, slot: int, why: str) -> Table:
    """A key that its session has taken back."""
    rest = [entry for entry in table if entry.kid != kid]
    return tuple(sorted([*rest, Entry(kid, _S.DISALLOWED, slot, why)]))


def end_pending(table: Table, slot: int) -> Table:
    """A status that stays pending for too long is taken for a refusal; a later status of the CDM replaces it."""
    for entry in table:
        if entry.slot == slot and entry.status is _S.STATUS_PENDING:
            table = put(table, entry.kid, _S.DISALLOWED, slot, "pending-too-long")
    return table


def close(table: Table, slot: int, keep: bool) -> Table:
    """The session is closed: what it held is `lost`, unless the profile lets the last status count (`keep`).

    A key that its license lacked would be lacking in the next one too.
    """
    for entry in table:
        if entry.slot == slot and not keep and entry.why != ABSENT:
            table = put(table, entry.kid, _S.LOST, -1, "session-closed")
    return table


def drop(table: Table, kids: frozenset[KeyId]) -> Table:
    """Forget keys of Periods that are gone."""
    return tuple(entry for entry in table if entry.kid not in kids)


def verdict(status: ExtendedStatus, rules: Status) -> Verdict:
    """What a profile makes of a status."""
    fixed = _VERDICTS.get(status)
    if fixed is not None:
        return fixed
    if status is _S.EXPIRED:
        return _EXPIRED[rules.on_expired]
    return _BY_RULE[rule_of(status, rules)]


def rule_of(status: ExtendedStatus, rules: Status) -> OnStatus:
    """The profile's field for a status that has one."""
    rule: OnStatus = getattr(rules, _RULE_FIELDS[status])
    return rule


_VERDICTS: Final = {
    _S.UNKNOWN: Verdict.UNDECIDED,
    _S.EXPECTED: Verdict.UNDECIDED,
    _S.REQUESTED: Verdict.UNDECIDED,
    _S.LOST: Verdict.UNDECIDED,
    _S.USABLE: Verdict.ALLOW,
    _S.USABLE_IN_FUTURE: Verdict.UNDECIDED,
    _S.DISALLOWED: Verdict.BLOCK,
    _S.FAILED: Verdict.BLOCK,
}
_EXPIRED: Final = {
    OnExpired.FATAL: Verdict.BLOCK,
    OnExpired.FATAL_IF_ALL: Verdict.ALLOW,  # until all have
    OnExpired.EVENT: Verdict.ALLOW,
    OnExpired.RENEW: Verdict.UNDECIDED,
}
_RULE_FIELDS: Final = {
    _S.RELEASED: "on_released",
    _S.OUTPUT_RESTRICTED: "on_output_restricted",
    _S.OUTPUT_DOWNSCALED: "on_output_downscaled",
    _S.STATUS_PENDING: "on_status_pending",
    _S.INTERNAL_ERROR: "on_internal_error",
}
_BY_RULE: Final = {
    OnStatus.ALLOW: Verdict.ALLOW,
    OnStatus.WAIT: Verdict.UNDECIDED,
    OnStatus.RESTRICT: Verdict.BLOCK,
    OnStatus.REJECT: Verdict.BLOCK,
    OnStatus.REJECT_CAP_HDCP: Verdict.BLOCK,
    OnStatus.FALLBACK: Verdict.BLOCK,
    OnStatus.FATAL: Verdict.BLOCK,
}


def changes(old: Table, new: Table) -> Iterable[tuple[Entry | None, Entry]]:
    """What a move changed, for those who listen."""
    before = {entry.kid: entry for entry in old}
    for entry in new:
        was = before.get(entry.kid)
        if was is None or was.status is not entry.status:
            yield was, entry
