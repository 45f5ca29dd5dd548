"""The sessions of one client: one slotted object that points at a table which many clients share.

Every change makes another table and interns it in the run's pool; nothing here decides whether a change is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from player.eme.access import KeySystem
from player.eme.errors import InvalidStateError
from player.eme.session import Session, Table
from player.eme.status import SessionType
from player.ids import Pool

ANY_KEY_SYSTEM: Final = KeySystem(init_data_types=("cenc", "keyids", "webm"))


@dataclass(slots=True)
class State:
    """`ends` stands beside the table: ms since the epoch, 0 for a session that never expires; None where none does.

    `cdm_due`: when the CDM wants to be woken, µs on the run clock. `supports`: what was granted to this client.
    """

    table: Table = ()
    sessions_made: int = 0
    ends: tuple[int, ...] | None = None
    cdm_due: int | None = None
    supports: KeySystem = ANY_KEY_SYSTEM


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
    taken = {row.slot for row in state.table}
    slot = next(number for number in count() if number not in taken)
    older = (replace(row, back=row.back + 1) for row in state.table)
    state.table = pool.intern((*older, Session(slot=slot, session_type=session_type)))
    state.sessions_made += 1
    state.ends = None if state.ends is None else (*state.ends, 0)
    return state.table[-1]


def change(state: State, pool: Pool, after: Session) -> Session:
    """Put another row in the place of the one with its slot; gives the row as the table now holds it."""
    place = _place(state, after.slot)
    state.table = pool.intern((*state.table[:place], after, *state.table[place + 1 :]))
    return state.table[place]


def leave(state: State, pool: Pool, slot: int) -> None:
    """Take a session off the table; its slot is free again."""
    place = _place(state, slot)
    state.table = pool.intern((*state.table[:place], *state.table[place + 1 :]))
    if state.ends is not None:
        _put_ends(state, (*state.ends[:place], *state.ends[place + 1 :]))


def set_expiration(state: State, slot: int, end_ms: int) -> bool:
    """True if it is another one than before."""
    if end_ms == expiration_ms(state, slot):
        return False
    place = _place(state, slot)
    ends = state.ends or (0,) * len(state.table)
    _put_ends(state, (*ends[:place], end_ms, *ends[place + 1 :]))
    return True


def _put_ends(state: State, ends: tuple[int, ...]) -> None:
    state.ends = ends if any(ends) else None


def _place(state: State, slot: int) -> int:
    return next(place for place, row in enumerate(state.table) if row.slot == slot)
