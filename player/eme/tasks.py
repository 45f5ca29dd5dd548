"""What follows when the CDM has answered: the tasks that EME queues, and what a page sees of each, in order.

What a task tells and in which order is the table `session.TELLS`. Sessions that close together close in one task, so
that nobody sees an open child of a closed parent; a change of another session is a task of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from player.eme.cdm import (
    Close,
    Decrypted,
    Destroyed,
    DeviceCall,
    GenerateRequest,
    Handled,
    Load,
    Lost,
    Remove,
    SessionCall,
    SessionChange,
    Settles,
    Update,
    Wake,
)
from player.eme.changes import applied, apply, moved, task, with_children
from player.eme.errors import InvalidStateError, named
from player.eme.events import Output, Settled
from player.eme.session import (
    CLOSE,
    CLOSED,
    CLOSING,
    FAILED,
    GENERATE,
    LOAD,
    MONITOR,
    REMOVE,
    RESOLVED,
    TELLS,
    UPDATE,
    Order,
    Part,
    Session,
    Step,
)
from player.eme.state import State, become, find, session_number
from player.eme.status import ClosedReason
from player.ids import Pool

_STEPS: Final[Mapping[type, Step]] = MappingProxyType(
    {GenerateRequest: GENERATE, Load: LOAD, Update: UPDATE, Remove: REMOVE, Close: CLOSE}
)
_FIRST: Final = (GENERATE, LOAD)  # the calls that make a session callable


def settle(state: State, pool: Pool, call: SessionCall | DeviceCall, handled: Handled) -> tuple[Output, ...]:
    """The outputs that follow from the CDM's answer to `call`.

    Calls of one session are settled in the order in which they were made. An answer that comes when its session is
    closing or closed is dropped and its promise rejected.
    """
    _arm(state, call, handled)
    outputs = (
        _call(state, pool, call, handled) if isinstance(call, SessionCall) else _device(state, pool, call, handled)
    )
    return outputs if handled.lost is None else (*outputs, *lose(state, pool, handled.lost))


def _call(state: State, pool: Pool, call: SessionCall, handled: Handled) -> tuple[Output, ...]:
    row = find(state, call.slot)
    late = _overtaken(state, call, row)
    if row is None or late is not None:
        return () if late is None else (late,)
    if handled.settles is Settles.NEVER and (_STEPS[type(call)] in _FIRST or not handled.changes):
        return ()  # its task never runs
    if handled.error is not None:
        return _rejected(state, pool, call, row, handled)
    return _resolved(state, pool, call, row, handled)


def overtaken(state: State, call: SessionCall) -> Settled | None:
    """The rejection of a call whose session has begun to close meanwhile; None: the CDM may be asked."""
    return _overtaken(state, call, find(state, call.slot))


def _overtaken(state: State, call: SessionCall, row: Session | None) -> Settled | None:
    if row is None or session_number(state, row) != call.number:
        gone = Session(slot=call.slot, back=state.sessions_made - call.number, state=CLOSED)
        return Settled(call=call, error=InvalidStateError("the session was closed"), session=gone)
    if row.state is CLOSING and not isinstance(call, Close):
        return Settled(call=call, error=InvalidStateError("the session is being closed"), session=row)
    return None


def lose(state: State, pool: Pool, reason: ClosedReason) -> tuple[Output, ...]:
    """EME 6 "CDM Unavailable": one task for each session that is not closed, in creation order, callable or not.

    All close for the one reason: the cascade from parent to child is for parents that close by themselves. After a
    hardware-context-reset new sessions can be made, after anything else nothing can.
    """
    if reason is not ClosedReason.HARDWARE_CONTEXT_RESET:
        state.lost, state.cdm_due = True, None
    ends = [SessionChange(slot=row.slot, closed=reason) for row in state.table]
    return tuple(task(MONITOR, list(applied(state, pool, ends))))


def used(state: State, pool: Pool, decrypted: Decrypted) -> tuple[Output, ...]:
    """What a decryption has changed: with the first use of a key its window may start (EME 7.5.4, 3.4.3)."""
    due = decrypted.wake_at
    if due is not None:
        state.cdm_due = due if state.cdm_due is None else min(state.cdm_due, due)
    outputs = _monitored(state, pool, decrypted.changes)
    return outputs if decrypted.lost is None else (*outputs, *lose(state, pool, decrypted.lost))


def _device(state: State, pool: Pool, call: DeviceCall, handled: Handled) -> tuple[Output, ...]:
    if isinstance(call, Lost):
        return lose(state, pool, call.reason)
    if isinstance(call, Destroyed):
        destroy(state)
        return ()
    return _monitored(state, pool, handled.changes)


def destroy(state: State) -> None:
    """The page has gone: nothing is told of its sessions."""
    state.table, state.ends, state.cdm_due = (), None, None


def _arm(state: State, call: SessionCall | DeviceCall, handled: Handled) -> None:
    """Answers may be settled in another order than the CDM gave them: only a wake-up may put the next one off."""
    if handled.error is not None:
        return
    if isinstance(call, (Wake, Lost)) or state.cdm_due is None:
        state.cdm_due = handled.wake_at
    elif handled.wake_at is not None:
        state.cdm_due = min(state.cdm_due, handled.wake_at)


def _rejected(state: State, pool: Pool, call: SessionCall, row: Session, handled: Handled) -> tuple[Output, ...]:
    """A refused license changes nothing; a refused request leaves its session spent."""
    if _STEPS[type(call)] in _FIRST:
        row = become(state, pool, row.slot, moved(row, FAILED))
    if handled.settles is Settles.NEVER:
        return ()
    return (Settled(call=call, error=named(handled.error or "", handled.reason), session=row),)


def _resolved(state: State, pool: Pool, call: SessionCall, row: Session, handled: Handled) -> tuple[Output, ...]:
    step = _STEPS[type(call)]
    given = next((it for it in handled.changes if it.slot == call.slot), None)
    own = _own(step, call, handled, given)
    others = [it for it in handled.changes if it is not given]
    ends = with_children(state, [it for it in (own, *others) if it.closed is not None]) if others or own.closed else {}
    found = handled.value is not False
    first = apply(state, pool, row, ends.pop(call.slot, own), _moves(step, found=found), always=step is REMOVE)
    value = found if step is LOAD else None
    settled = Settled(call=call, error=None, session=first.row, value=value)
    outcomes = [first, *applied(state, pool, ends.values())] if ends else [first]
    outputs = task(_order(step, handled.settles), outcomes, settled)
    if others:
        outputs += _monitored(state, pool, [it for it in others if it.slot not in ends])
    return tuple(outputs)


def _own(step: Step, call: SessionCall, handled: Handled, own: SessionChange | None) -> SessionChange:
    """What became of the call's own session, with what EME does to it whatever the CDM says."""
    if own is None:
        own = SessionChange(slot=call.slot, closed=ClosedReason.CLOSED_BY_APPLICATION if step is CLOSE else None)
    message = handled.message or own.message
    expiration_ms = 0 if step is REMOVE else own.expiration_ms  # EME 6.6 remove: NaN
    if message is own.message and expiration_ms == own.expiration_ms:
        return own
    return SessionChange(
        slot=own.slot,
        statuses=own.statuses,
        expiration_ms=expiration_ms,
        parent=own.parent,
        closed=own.closed,
        announce=own.announce,
        message=message,
    )


def _moves(step: Step, *, found: bool) -> Step | None:
    if step not in _FIRST:
        return None
    return RESOLVED if found else FAILED


def _order(step: Step, settles: Settles) -> Order:
    """Devices may settle a promise after its events, or never."""
    order = TELLS[step]
    if settles is Settles.IN_ORDER:
        return order
    rest = tuple(part for part in order if part is not Part.SETTLED)
    return rest if settles is Settles.NEVER else (*rest, Part.SETTLED)


def _monitored(state: State, pool: Pool, changes: Sequence[SessionChange]) -> tuple[Output, ...]:
    """Changes that no call asked for: sessions that close do so together, every other one by itself, oldest first."""
    if not changes:
        return ()
    ends = with_children(state, [it for it in changes if it.closed is not None])
    outputs = task(MONITOR, list(applied(state, pool, ends.values())))
    age = {row.slot: place for place, row in enumerate(state.table)}
    for it in sorted((it for it in changes if it.slot in age), key=lambda it: age[it.slot]):
        for outcome in applied(state, pool, [it]):
            outputs += task(MONITOR, [outcome])
    return tuple(outputs)
