"""What follows when the CDM has answered: the tasks that EME queues, and what a page sees of each, in order.

One task is settled promise, closed sessions, changed key statuses and message, in that order (EME 6.6). Sessions that
close together close in one task, so that nobody sees an open child of a closed parent; a change of another session is a
task of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from player.eme.cdm import (
    Close,
    Decrypted,
    DeviceCall,
    GenerateRequest,
    Handled,
    SessionCall,
    SessionChange,
    Update,
    Wake,
)
from player.eme.errors import InvalidStateError, named
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import (
    CLOSED,
    CLOSING,
    ENDED,
    REJECTED,
    RESOLVED,
    Session,
    SessionState,
    Step,
    after,
)
from player.eme.state import State, become, find, leave, session_number, set_expiration
from player.eme.status import ClosedReason, MessageType
from player.errors import EmeError
from player.ids import Pool


class _Outcome(NamedTuple):
    """What a change did to its session."""

    row: Session  # afterwards
    told: bool  # key statuses changed, or must be told anyway
    expiration_ms: int | None  # set where it changed
    closed: ClosedReason | None


def settle(state: State, pool: Pool, call: SessionCall | DeviceCall, handled: Handled) -> tuple[Output, ...]:
    """The outputs that follow from the CDM's answer to `call`.

    Calls of one session are settled in the order in which they were made. An answer
    that comes when its session is closing or closed is dropped and its promise rejected.
    """
    _arm(state, call, handled)
    if isinstance(call, DeviceCall):
        return _queued(state, pool, handled.changes)
    row = find(state, call.slot)
    if row is None or session_number(state, row) != call.number:
        return (Settled(call=call, error=InvalidStateError("the session was closed"), session=_gone(state, call)),)
    if row.state is CLOSING and not isinstance(call, Close):
        return (Settled(call=call, error=InvalidStateError("the session is being closed"), session=row),)
    if handled.error is not None:
        return (_rejected(state, pool, call, row, named(handled.error, handled.reason)),)
    return _resolved(state, pool, call, row, handled)


def used(state: State, pool: Pool, decrypted: Decrypted) -> tuple[Output, ...]:
    """What a decryption has changed: with the first use of a key its window may start (EME 7.5.4, 3.4.3)."""
    due = decrypted.wake_at
    if due is not None:
        state.cdm_due = due if state.cdm_due is None else min(state.cdm_due, due)
    return _queued(state, pool, decrypted.changes)


def _arm(state: State, call: SessionCall | DeviceCall, handled: Handled) -> None:
    """Answers may be settled in another order than the CDM gave them: only a wake-up may put the next one off."""
    if handled.error is not None:
        return
    if isinstance(call, Wake) or state.cdm_due is None:
        state.cdm_due = handled.wake_at
    elif handled.wake_at is not None:
        state.cdm_due = min(state.cdm_due, handled.wake_at)


def _rejected(state: State, pool: Pool, call: SessionCall, row: Session, error: EmeError) -> Settled:
    """A refused license changes nothing; a refused request leaves its session spent."""
    if isinstance(call, GenerateRequest):
        row = become(state, pool, row.slot, _moved(row, REJECTED))
    return Settled(call=call, error=error, session=row)


def _resolved(state: State, pool: Pool, call: SessionCall, row: Session, handled: Handled) -> tuple[Output, ...]:
    own = next((it for it in handled.changes if it.slot == call.slot), SessionChange(slot=call.slot))
    first = _apply(state, pool, row, own, RESOLVED if isinstance(call, GenerateRequest) else None)
    along = [it for it in handled.changes if it is not own and it.closed is not None]
    others = [it for it in handled.changes if it is not own and it.closed is None]
    outputs = _task([first, *_applied(state, pool, along)], Settled(call=call, error=None, session=first.row))
    outputs += _messages(first, handled.message or own.message)
    return (*outputs, *_queued(state, pool, others))


def _queued(state: State, pool: Pool, changes: Sequence[SessionChange]) -> tuple[Output, ...]:
    """Changes that no call asked for: sessions that close do so together, every other change by itself."""
    if not changes:
        return ()
    outputs = _task([*_applied(state, pool, [it for it in changes if it.closed is not None])])
    for it in changes:
        for outcome in _applied(state, pool, [it] if it.closed is None else []):
            outputs += _task([outcome])
            outputs += _messages(outcome, it.message)
    return tuple(outputs)


def _task(outcomes: list[_Outcome], settled: Settled | None = None) -> list[Output]:
    """One task. A license acknowledgement closes first and resolves then; everything else resolves first (EME 6.6)."""
    outputs: list[Output] = [
        ExpirationChanged(session=it.row, expiration_ms=it.expiration_ms)
        for it in outcomes
        if it.expiration_ms is not None
    ]
    closed = [SessionClosed(session=it.row, reason=it.closed) for it in outcomes if it.closed is not None]
    resolved = [] if settled is None else [settled]
    acknowledged = settled is not None and isinstance(settled.call, Update)
    outputs += [*closed, *resolved] if acknowledged else [*resolved, *closed]
    outputs += [KeyStatusesChanged(session=it.row) for it in outcomes if it.told]
    return outputs


def _messages(outcome: _Outcome, message: tuple[MessageType, bytes] | None) -> list[Message]:
    """After a session has closed nothing more is told of it (EME 6.6, Session Closed)."""
    if message is None or outcome.closed is not None:
        return []
    kind, body = message
    return [Message(session=outcome.row, message_type=kind, message=body)]


def _applied(state: State, pool: Pool, changes: Sequence[SessionChange]) -> Iterator[_Outcome]:
    """What becomes of sessions beside the call's own; those that are closed already stay so."""
    for it in changes:
        row = find(state, it.slot)
        if row is not None:
            yield _apply(state, pool, row, it)


def _apply(state: State, pool: Pool, row: Session, it: SessionChange, step: Step | None = None) -> _Outcome:
    """Update Key Statuses, Update Expiration and Session Closed of one session."""
    if it.closed is not None:
        leave(state, pool, row.slot)
        parent = row.parent if it.parent is None else it.parent
        ended = replace(row, state=_moved(row, ENDED), statuses=(), parent=parent)
        return _Outcome(ended, True, None, it.closed)
    to = row.state if step is None else _moved(row, step)
    now = become(state, pool, row.slot, to, it.statuses, it.parent)
    expires = it.expiration_ms is not None and set_expiration(state, row.slot, it.expiration_ms)
    told = it.announce or now.statuses != row.statuses
    return _Outcome(now, told, it.expiration_ms if expires else None, None)


def _moved(row: Session, step: Step) -> SessionState:
    to = after(row.state, step)
    if to is None:
        raise InvalidStateError(f"session {row.slot} is {row.state}")
    return to


def _gone(state: State, call: SessionCall) -> Session:
    """The row of a session that is no longer in the table."""
    return Session(slot=call.slot, back=state.sessions_made - call.number, state=CLOSED)
