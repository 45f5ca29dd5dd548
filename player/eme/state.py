"""The sessions of one client: one slotted object that points at a table which many clients share.

Every change leads to another table, which the pool interns, by a step that the pool remembers: a thousand clients that
do the same compute it once. Nothing here decides whether a change is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from player.eme.cdm import Statuses
from player.eme.errors import InvalidStateError
from player.eme.key_system import KeySystem
from player.eme.session import REQUESTING, Session, SessionState, Table
from player.eme.status import SessionType
from player.ids import Pool

ANY_KEY_SYSTEM: Final = KeySystem(init_data_types=("cenc", "keyids", "webm"))


@dataclass(slots=True)
class State:
    """`ends` stands beside the table: ms since the epoch, 0 for a session that never expires; None where none does.

    `cdm_due`: when the CDM wants to be woken, µs on the run clock. `supports`: what was granted to this client.
    `lost`: the CDM is gone for good.
    """

    table: Table = ()
    sessions_made: int = 0
    ends: tuple[int, ...] | None = None
    cdm_due: int | None = None
    supports: KeySystem = ANY_KEY_SYSTEM
    lost: bool = False


def find(state: State, slot: int) -> Session | None:
    """The session in this slot, None where it is closed."""
    for row in state.table:
        if row.slot == slot:
            return row
    return None


def row(state: State, slot: int) -> Session:
    """The session in this slot. Raises: InvalidStateError where there is none."""
    found = find(state, slot)
    if found is None:
        raise InvalidStateError(f"session {slot} is closed")
    return found


def session_number(state: State, row: Session) -> int:
    """How many sessions the client had made before this one; slots are used again, numbers never."""
    return state.sessions_made - row.back


def expiration_ms(state: State, slot: int) -> int:
    """ms since the epoch; 0: never (NaN at the surface)."""
    if state.ends is None:
        return 0
    return next((end for row, end in zip(state.table, state.ends, strict=True) if row.slot == slot), 0)


def enter(state: State, pool: Pool, session_type: SessionType) -> Session:
    """Add a session at the end of the table."""
    state.table = pool.lead(_entered, state.table, session_type)
    state.sessions_made += 1
    state.ends = None if state.ends is None else (*state.ends, 0)
    return state.table[-1]


def ask(state: State, pool: Pool, slot: int, init_data_type: str, init_data: bytes) -> None:
    """A request is under way."""
    state.table = pool.lead(_asked, state.table, slot, init_data_type, init_data)


def become(
    state: State, pool: Pool, slot: int, to: SessionState, statuses: Statuses | None = None, parent: int | None = None
) -> Session:
    """Another state, key statuses or parent, None: the same as before; gives the row as it is now."""
    table: Table = pool.lead(_became, state.table, slot, to, statuses, parent)
    state.table = table
    return table[_place(table, slot)]


def leave(state: State, pool: Pool, slot: int) -> None:
    """Take a session off the table; its slot is free again."""
    place = _place(state.table, slot)
    state.table = pool.lead(_left, state.table, slot)
    if state.ends is not None:
        _put_ends(state, (*state.ends[:place], *state.ends[place + 1 :]))


def set_expiration(state: State, slot: int, end_ms: int) -> bool:
    """True if it is another one than before."""
    if end_ms == expiration_ms(state, slot):
        return False
    place = _place(state.table, slot)
    ends = state.ends or (0,) * len(state.table)
    _put_ends(state, (*ends[:place], end_ms, *ends[place + 1 :]))
    return True


def _put_ends(state: State, ends: tuple[int, ...]) -> None:
    state.ends = ends if any(ends) else None


def _entered(table: Table, session_type: SessionType) -> Table:
    taken = {row.slot for row in table}
    slot = next(number for number in count() if number not in taken)
    older = (replace(row, back=row.back + 1) for row in table)
    return (*older, Session(slot=slot, session_type=session_type))


def _asked(table: Table, slot: int, init_data_type: str, init_data: bytes) -> Table:
    row = table[_place(table, slot)]
    return _with(table, replace(row, state=REQUESTING, init_data_type=init_data_type, init_data=init_data))


def _became(table: Table, slot: int, to: SessionState, statuses: Statuses | None, parent: int | None) -> Table:
    row = table[_place(table, slot)]
    statuses = row.statuses if statuses is None else statuses
    parent = row.parent if parent is None else parent
    return _with(table, replace(row, state=to, statuses=statuses, parent=parent))


def _left(table: Table, slot: int) -> Table:
    return tuple(row for row in table if row.slot != slot)


def _with(table: Table, after: Session) -> Table:
    return tuple(after if row.slot == after.slot else row for row in table)


def _place(table: Table, slot: int) -> int:
    for place, row in enumerate(table):
        if row.slot == slot:
            return place
    raise InvalidStateError(f"session {slot} is closed")
