"""Every state of a session against every input, whatever a CDM answers: the table holds, and the order it promises."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.eme import table
from player.eme.cdm import (
    Close,
    Destroyed,
    DeviceCall,
    DisplayChanged,
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
from player.eme.errors import InvalidStateError
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.key_system import KeySystem
from player.eme.session import MONITOR, TELLS, TRANSITIONS, Part, Session, SessionState, Step
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import KeyId, Pool

KEEPS = KeySystem(init_data_types=("webm",), session_types=tuple(SessionType), enumerated=tuple(SessionType))
CLOSED, SPENT, CLOSING = SessionState.CLOSED, SessionState.SPENT, SessionState.CLOSING
SLOT, CHILD, OTHER = 1, 2, 0

Call = SessionCall | DeviceCall
CALLS: dict[Step, Callable[[int, int], Call]] = {
    Step.GENERATE_REQUEST: lambda slot, number: GenerateRequest(slot, number, SessionType.TEMPORARY, "webm", b"a"),
    Step.LOAD: lambda slot, number: Load(slot, number, SessionType.PERSISTENT_LICENSE, b"{}"),
    Step.UPDATE: lambda slot, number: Update(slot, number, b"{}"),
    Step.REMOVE: Remove,
    Step.CLOSE: Close,
}
DEVICE: list[Call] = [
    Wake(),
    DisplayChanged("2.2"),
    Lost(ClosedReason.HARDWARE_CONTEXT_RESET),
    Lost(ClosedReason.INTERNAL_ERROR),
    Destroyed(),
]
WAITS_FOR = {SessionState.REQUESTING: Step.GENERATE_REQUEST, SessionState.LOADING: Step.LOAD}
ANSWERED: dict[SessionState, tuple[Step, ...]] = {
    SessionState.REQUESTING: (Step.GENERATE_REQUEST,),
    SessionState.LOADING: (Step.LOAD,),
    SessionState.CALLABLE: (Step.UPDATE, Step.REMOVE),
    SessionState.CLOSING: (Step.UPDATE, Step.REMOVE, Step.CLOSE),
    SessionState.CLOSED: tuple(CALLS),
}
"""Calls that can be under way in a state."""

statuses = st.lists(
    st.tuples(st.sampled_from([KeyId(b"a"), KeyId(b"b")]), st.sampled_from(KeyStatus)),
    unique_by=lambda it: it[0],
    max_size=2,
).map(lambda found: tuple(sorted(found)))
messages = st.tuples(st.sampled_from(MessageType), st.sampled_from([b"", b"{}"]))
changes = st.builds(
    SessionChange,
    slot=st.sampled_from([OTHER, SLOT, CHILD, 7]),
    statuses=st.none() | statuses,
    expiration_ms=st.none() | st.integers(0, 3),
    closed=st.none() | st.sampled_from(ClosedReason),
    announce=st.booleans(),
    message=st.none() | messages,
)
answers = st.builds(
    Handled,
    error=st.none() | st.sampled_from(["TypeError", "QuotaExceededError", "Strange"]),
    message=st.none() | messages,
    changes=st.lists(changes, max_size=4).map(tuple),
    wake_at=st.none() | st.integers(0, 9),
    value=st.none() | st.booleans(),
    settles=st.sampled_from(Settles),
    lost=st.none() | st.sampled_from([ClosedReason.HARDWARE_CONTEXT_RESET, ClosedReason.INTERNAL_ERROR]),
)


def page(of: SessionState) -> tuple[table.State, Pool, Session]:
    """Three sessions, of which the middle one is in this state and the last its child."""
    state, pool = table.State(supports=KEEPS), Pool()
    for slot in (OTHER, SLOT, CHILD):
        table.create_session(state, pool, SessionType.PERSISTENT_LICENSE)
        if slot != SLOT or of not in (SessionState.UNINITIALIZED, SessionState.LOADING):
            asked = table.generate_request(state, pool, slot, "webm", b"a")
            assert isinstance(asked, GenerateRequest)
            if slot != SLOT or of is not SessionState.REQUESTING:
                error = "TypeError" if slot == SLOT and of is SPENT else None
                parent = SessionChange(slot=slot, parent=SLOT if slot == CHILD else None)
                table.settle(state, pool, asked, Handled(error=error, changes=() if error else (parent,)))
    if of is SessionState.LOADING:
        table.load(state, pool, SLOT, "7")
    row = table.row(state, SLOT)
    if of in (CLOSING, CLOSED):
        call = table.close(state, pool, SLOT)
        assert isinstance(call, Close)
        if of is CLOSED:
            table.settle(state, pool, call, Handled())
    return state, pool, row


@pytest.mark.rule("L003")
@pytest.mark.rule("L005")
@pytest.mark.rule("N001")
@pytest.mark.rule("N003")
@pytest.mark.parametrize(("of", "step"), [(of, step) for of, steps in ANSWERED.items() for step in steps])
@given(answer=answers)
@settings(max_examples=60, deadline=None)
def test_an_answer_in_any_state_moves_the_session_by_the_table(of: SessionState, step: Step, answer: Handled) -> None:
    state, pool, row = page(of)
    call = CALLS[step](SLOT, table.session_number(state, row) if of is not CLOSED else 1)
    before = {it.slot: it for it in state.table}
    outputs = table.settle(state, pool, call, answer)
    _check(state, before, outputs)
    now = _state(state)
    assert now in {of, *(to for to in TRANSITIONS[of].values() if isinstance(to, SessionState))}
    settled = [it for it in outputs if isinstance(it, Settled)]
    assert len(settled) <= 1
    assert all(it.call is call for it in settled)
    if of is CLOSED or (of is CLOSING and step is not Step.CLOSE):
        assert isinstance(settled[0].error, InvalidStateError)
    elif answer.error is not None and answer.lost is None:
        assert now is (SPENT if step in WAITS_FOR.values() and answer.settles is not Settles.NEVER else now)
        assert len(outputs) <= 1
    elif answer.settles is Settles.NEVER:
        assert settled == []
    _check_order(outputs, step, answer.settles)


@pytest.mark.rule("N001")
@pytest.mark.rule("EQ19")
@pytest.mark.parametrize(("of", "call"), list(product(SessionState, DEVICE)), ids=str)
@given(answer=answers)
@settings(max_examples=30, deadline=None)
def test_what_the_device_does_moves_every_session_by_the_table(of: SessionState, call: Call, answer: Handled) -> None:
    state, pool, _ = page(of)
    before = {it.slot: it for it in state.table}
    outputs = table.settle(state, pool, call, answer)
    _check(state, before, outputs)
    if isinstance(call, Lost) or (answer.lost and not isinstance(call, Destroyed)):
        assert state.table == ()
        for_one_reason = [it for it in outputs if isinstance(it, SessionClosed)]
        if isinstance(call, Lost):
            assert [it.session.slot for it in for_one_reason] == list(before)
            assert {it.reason for it in for_one_reason} <= {call.reason}
    if isinstance(call, Destroyed):
        assert (outputs, state.table) == ((), ())


def _state(state: table.State) -> SessionState:
    row = table.find(state, SLOT)
    return CLOSED if row is None else row.state


def _check(state: table.State, before: dict[int, Session], outputs: tuple[Output, ...]) -> None:
    """What holds after anything: the closed are silent, children do not outlive parents, told is what changed."""
    open_now = {it.slot for it in state.table}
    ended: set[int] = set()
    emptied: set[int] = set()
    for output in outputs:
        slot = output.session.slot
        if isinstance(output, SessionClosed):
            assert slot not in ended
            ended.add(slot)
        elif slot in ended:
            assert isinstance(output, (KeyStatusesChanged, Settled))
            if isinstance(output, KeyStatusesChanged):
                assert slot not in emptied
                emptied.add(slot)
                assert output.session.statuses == ()
    assert ended == emptied
    assert not ended & open_now
    if not any(isinstance(it, Settled) for it in outputs):
        assert {it.session.slot for it in outputs} <= set(before)
    for row in state.table:
        assert row.parent is None or row.parent in open_now
    assert state.ends is None or len(state.ends) == len(state.table)


def _check_order(outputs: tuple[Output, ...], step: Step, settles: Settles) -> None:
    """Within the task of the call, parts come in the order of the table."""
    parts = [_part(it) for it in outputs if not isinstance(it, ExpirationChanged)]
    if Part.SETTLED not in parts:
        return
    order = TELLS[step]
    if settles is Settles.LAST:
        assert all(part in MONITOR for part in parts[: parts.index(Part.SETTLED)])
        return
    place = order.index(Part.SETTLED)
    assert all(part in order[:place] for part in parts[: parts.index(Part.SETTLED)])


def _part(output: Output) -> Part:
    kinds = {Settled: Part.SETTLED, SessionClosed: Part.CLOSED, KeyStatusesChanged: Part.STATUSES}
    return Part.MESSAGE if isinstance(output, Message) else kinds[type(output)]
