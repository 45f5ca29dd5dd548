"""What one task does to the sessions it is about, and what it tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from player.eme.cdm import SessionChange
from player.eme.errors import InvalidStateError
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import ENDED, Order, Part, Session, SessionState, Step, after
from player.eme.state import State, become, find, leave, set_expiration
from player.eme.status import ClosedReason, MessageType
from player.ids import Pool

_SETTLED, _CLOSED, _STATUSES = Part.SETTLED, Part.CLOSED, Part.STATUSES  # hot: not looked up in the enumeration


class Outcome(NamedTuple):
    """What a change did to its session."""

    row: Session  # afterwards
    told: bool  # key statuses changed, or must be told anyway
    expiration_ms: int | None  # set where it changed
    closed: ClosedReason | None
    message: tuple[MessageType, bytes] | None
    again: bool = False  # told of once more after it has closed


def with_children(state: State, ends: Iterable[SessionChange]) -> dict[int, SessionChange]:
    """By slot, sessions that close, each followed by those that hang on it (EME embedded-keys explainer)."""
    waiting = list(ends)
    if not waiting:
        return {}
    given = {it.slot: it for it in waiting}
    found: dict[int, SessionChange] = {}
    waiting.reverse()
    while waiting:
        it = waiting.pop()
        if it.slot not in found:
            found[it.slot] = it
            below = [row.slot for row in state.table if row.parent == it.slot]
            waiting += [given.get(slot) or _orphaned(slot) for slot in reversed(below)]
    return found


def _orphaned(slot: int) -> SessionChange:
    return SessionChange(slot=slot, closed=ClosedReason.PARENT_CLOSED)


def task(order: Order, outcomes: Sequence[Outcome], settled: Settled | None = None) -> list[Output]:
    """One task. Expirations come first: they are attributes, which have their new values before anything is told."""
    outputs: list[Output] = [
        ExpirationChanged(session=it.row, expiration_ms=it.expiration_ms)
        for it in outcomes
        if it.expiration_ms is not None
    ]
    for part in order:
        if part is _SETTLED:
            if settled is not None:
                outputs.append(settled)
            continue
        for it in outcomes:
            told = _told(part, it)
            if told is not None:
                outputs.append(told)
    outputs += [KeyStatusesChanged(session=it.row) for it in outcomes if it.again]
    return outputs


def _told(part: Part, it: Outcome) -> Output | None:
    """After a session has closed nothing more is told of it but its empty map (EME 6.6, Session Closed)."""
    if part is _STATUSES:
        return KeyStatusesChanged(session=it.row) if it.told else None
    if part is _CLOSED:
        return None if it.closed is None else SessionClosed(session=it.row, reason=it.closed)
    if it.message is None or it.closed is not None:
        return None
    kind, body = it.message
    return Message(session=it.row, message_type=kind, message=body)


def applied(state: State, pool: Pool, changes: Iterable[SessionChange]) -> Iterator[Outcome]:
    """What becomes of sessions beside the call's own; those that are closed already stay so."""
    for it in changes:
        row = find(state, it.slot)
        if row is not None:
            yield apply(state, pool, row, it)


def apply(
    state: State, pool: Pool, row: Session, it: SessionChange, step: Step | None = None, *, always: bool = False
) -> Outcome:
    """Update Key Statuses, Update Expiration and Session Closed of one session."""
    if it.closed is not None:
        leave(state, pool, row.slot)
        parent = row.parent if it.parent is None else it.parent
        ended = replace(row, state=moved(row, ENDED), statuses=(), parent=parent)
        return Outcome(ended, True, None, it.closed, None, it.again)
    to = row.state if step is None else moved(row, step)
    now = become(state, pool, row.slot, to, it.statuses, it.parent)
    expires = it.expiration_ms is not None and set_expiration(state, row.slot, it.expiration_ms)
    told = always or it.announce or now.statuses != row.statuses
    return Outcome(now, told, it.expiration_ms if expires else None, None, it.message)


def moved(row: Session, step: Step) -> SessionState:
    to = after(row.state, step)
    if to is None:
        raise InvalidStateError(f"session {row.slot} is {row.state}")
    return to
