"""The calls of a session: what is decided at once, in every state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from player.chance import Draw
from player.eme import table
from player.eme.cdm import Close, GenerateRequest, Handled, Remove, SessionChange, Update
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError
from player.eme.key_system import KeySystem
from player.eme.session import TRANSITIONS, SessionState, Step
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.errors import EmeError
from player.ids import CLEARKEY, HIERARCHY, KeyId, Pool

DATA = b"0123456789abcdef"
REQUEST = Handled(message=(MessageType.LICENSE_REQUEST, b"{}"))
KEY = ((KeyId(DATA), KeyStatus.USABLE),)
LICENSE, RECORD = SessionType.PERSISTENT_LICENSE, SessionType.PERSISTENT_USAGE_RECORD
KEEPS = KeySystem(init_data_types=("webm", "cenc"), session_types=tuple(SessionType), enumerated=tuple(SessionType))


def asked(state: table.State, pool: Pool, slot: int) -> GenerateRequest:
    call = table.generate_request(state, pool, slot, "webm", DATA)
    assert isinstance(call, GenerateRequest)
    return call


def uninitialized(state: table.State, pool: Pool) -> int:
    return table.create_session(state, pool, LICENSE if LICENSE in state.supports.session_types else "temporary")


def requesting(state: table.State, pool: Pool) -> int:
    slot = uninitialized(state, pool)
    asked(state, pool, slot)
    return slot


def loading(state: table.State, pool: Pool) -> int:
    slot = uninitialized(state, pool)
    assert isinstance(table.load(state, pool, slot, "1"), table.Load)
    return slot


def spent(state: table.State, pool: Pool) -> int:
    slot = uninitialized(state, pool)
    table.settle(state, pool, asked(state, pool, slot), Handled(error="NotSupportedError"))
    return slot


def callable_(state: table.State, pool: Pool) -> int:
    slot = uninitialized(state, pool)
    table.settle(state, pool, asked(state, pool, slot), REQUEST)
    return slot


def closing(state: table.State, pool: Pool) -> int:
    slot = callable_(state, pool)
    assert isinstance(table.close(state, pool, slot), Close)
    return slot


def closed(state: table.State, pool: Pool) -> int:
    slot = callable_(state, pool)
    call = table.close(state, pool, slot)
    assert isinstance(call, Close)
    change = SessionChange(slot=slot, statuses=(), closed=ClosedReason.CLOSED_BY_APPLICATION)
    table.settle(state, pool, call, Handled(changes=(change,)))
    return slot


INTO: dict[SessionState, Callable[[table.State, Pool], int]] = {
    SessionState.UNINITIALIZED: uninitialized,
    SessionState.REQUESTING: requesting,
    SessionState.LOADING: loading,
    SessionState.SPENT: spent,
    SessionState.CALLABLE: callable_,
    SessionState.CLOSING: closing,
    SessionState.CLOSED: closed,
}
CALLS: dict[Step, Callable[[table.State, Pool, int], object]] = {
    Step.GENERATE_REQUEST: lambda state, pool, slot: table.generate_request(state, pool, slot, "webm", DATA),
    Step.LOAD: lambda state, pool, slot: table.load(state, pool, slot, "1"),
    Step.UPDATE: lambda state, pool, slot: table.update(state, pool, slot, b"{}"),
    Step.REMOVE: table.remove,
    Step.CLOSE: table.close,
}


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def state() -> table.State:
    return table.State()


@pytest.mark.rule("E001")
@pytest.mark.rule("E002")
@pytest.mark.rule("E017")
@pytest.mark.rule("F001")
@pytest.mark.rule("F002")
@pytest.mark.rule("I001")
@pytest.mark.rule("G001")
@pytest.mark.rule("G002")
@pytest.mark.rule("H001")
@pytest.mark.rule("H002")
@pytest.mark.rule("H003")
@pytest.mark.parametrize(("into", "step"), list(product(INTO, CALLS)))
def test_every_call_in_every_state_does_what_the_table_says(
    state: table.State, pool: Pool, into: SessionState, step: Step
) -> None:
    state.supports = KEEPS
    slot = INTO[into](state, pool)
    target = TRANSITIONS[into][step]
    given = CALLS[step](state, pool, slot)
    if target is InvalidStateError:
        assert isinstance(given, InvalidStateError)
        target = into
    elif target is into and step is Step.CLOSE:
        assert given is None
    else:
        assert isinstance(given, (GenerateRequest, table.Load, Update, Remove, Close))
    row = table.find(state, slot)
    assert (SessionState.CLOSED if row is None else row.state) is target


def test_every_state_answers_every_call() -> None:
    assert set(TRANSITIONS) == set(SessionState)
    for steps in TRANSITIONS.values():
        assert set(CALLS) <= set(steps)


@pytest.mark.rule("C003")
def test_a_new_session_has_nothing(state: table.State, pool: Pool) -> None:
    row = table.row(state, table.create_session(state, pool))
    assert (row.state, row.statuses, row.parent) == (SessionState.UNINITIALIZED, (), None)
    assert table.expiration_ms(state, row.slot) == 0


@pytest.mark.rule("C001")
def test_only_session_types_that_were_granted_can_be_created(state: table.State, pool: Pool) -> None:
    with pytest.raises(NotSupportedError):
        table.create_session(state, pool, SessionType.PERSISTENT_LICENSE)
    with pytest.raises(EmeTypeError):
        table.create_session(state, pool, "eternal")
    with pytest.raises(EmeTypeError):
        table.create_session(state, pool, SessionType.PERSISTENT_USAGE_RECORD)  # a feature that is off
    state.supports = KeySystem(init_data_types=("cenc",), session_types=())
    with pytest.raises(NotSupportedError):
        table.create_session(state, pool)
    assert state.table == ()


@pytest.mark.rule("C005")
def test_sessions_of_one_client_are_independent(state: table.State, pool: Pool) -> None:
    first, second = callable_(state, pool), uninitialized(state, pool)
    call = table.update(state, pool, first, b"{}")
    assert isinstance(call, Update)
    table.settle(state, pool, call, Handled(changes=(SessionChange(slot=first, statuses=KEY),)))
    assert table.row(state, second).statuses == ()
    assert table.row(state, second).state is SessionState.UNINITIALIZED


@pytest.mark.rule("E004")
@pytest.mark.rule("E005")
@pytest.mark.rule("E006")
@pytest.mark.rule("E007")
@pytest.mark.parametrize(
    ("init_data_type", "init_data", "error"),
    [
        ("", b"", EmeTypeError),
        ("", DATA, EmeTypeError),
        ("fairplay", b"", EmeTypeError),
        ("cenc", b"", EmeTypeError),
        ("fairplay", DATA, NotSupportedError),
        ("CENC", DATA, NotSupportedError),
    ],
)
def test_arguments_are_judged_at_once_and_in_order(
    state: table.State, pool: Pool, init_data_type: str, init_data: bytes, error: type[EmeError]
) -> None:
    slot = table.create_session(state, pool)
    assert isinstance(table.generate_request(state, pool, slot, init_data_type, init_data), error)


@pytest.mark.rule("E003")
def test_a_wrong_argument_spends_the_session(state: table.State, pool: Pool) -> None:
    slot = table.create_session(state, pool)
    assert isinstance(table.generate_request(state, pool, slot, "", DATA), EmeTypeError)
    assert isinstance(table.generate_request(state, pool, slot, "cenc", DATA), InvalidStateError)


@pytest.mark.rule("E016")
def test_a_session_whose_request_failed_is_of_no_use(state: table.State, pool: Pool) -> None:
    slot = spent(state, pool)
    for call in (table.update(state, pool, slot, b"{}"), table.close(state, pool, slot)):
        assert isinstance(call, InvalidStateError)
    assert table.row(state, slot).state is SessionState.SPENT


def test_a_session_that_never_became_callable_can_be_let_go(state: table.State, pool: Pool) -> None:
    table.drop(state, pool, spent(state, pool))
    table.drop(state, pool, uninitialized(state, pool))
    assert state.table == ()
    table.drop(state, pool, 0)
    with pytest.raises(InvalidStateError):
        table.drop(state, pool, requesting(state, pool))


@pytest.mark.rule("F003")
@pytest.mark.rule("F004")
@pytest.mark.rule("F005")
@pytest.mark.parametrize(("session_type", "stored_id"), [("temporary", ""), ("temporary", "1"), (LICENSE, "")])
def test_a_wrong_argument_of_load_spends_the_session_at_once(
    state: table.State, pool: Pool, session_type: str, stored_id: str
) -> None:
    state.supports = KEEPS
    slot = table.create_session(state, pool, session_type)
    assert isinstance(table.load(state, pool, slot, stored_id), EmeTypeError)
    assert table.row(state, slot).state is SessionState.SPENT
    assert isinstance(table.load(state, pool, slot, "1"), InvalidStateError)


@pytest.mark.rule("F006")
@pytest.mark.parametrize(
    ("stored_id", "sane"),
    [("7", True), ("a+b/c==", True), ("x" * 512, True), ("x" * 513, False), ("é", False), ("a\nb", False)],
)
def test_an_id_to_load_is_printable_ascii_of_bounded_length(stored_id: str, sane: bool) -> None:
    assert table.is_sane(stored_id) is sane


@pytest.mark.rule("L001")
@pytest.mark.parametrize("later", [False, True])
def test_a_cdm_that_is_gone_for_good_takes_no_new_session(state: table.State, pool: Pool, later: bool) -> None:
    state.supports = replace(KEEPS, create_after_loss=later)
    table.lose(state, pool, ClosedReason.INTERNAL_ERROR)
    if not later:
        with pytest.raises(InvalidStateError):
            table.create_session(state, pool)
        return
    for call in (CALLS[Step.GENERATE_REQUEST], CALLS[Step.LOAD]):
        slot = table.create_session(state, pool, LICENSE)
        assert isinstance(call(state, pool, slot), InvalidStateError)
        assert table.row(state, slot).state is SessionState.SPENT


@pytest.mark.rule("EQ21")
def test_sessions_are_let_go_of_leaves_first(state: table.State, pool: Pool) -> None:
    for parent in (None, 0, 1, 0):
        call = asked(state, pool, table.create_session(state, pool))
        table.settle(state, pool, call, Handled(changes=(SessionChange(slot=call.slot, parent=parent),)))
    asked(state, pool, table.create_session(state, pool))  # never callable
    assert table.leaves_first(state) == [2, 3, 1, 0]


@pytest.mark.rule("G003")
def test_an_empty_response_is_refused_at_once(state: table.State, pool: Pool) -> None:
    assert isinstance(table.update(state, pool, callable_(state, pool), b""), EmeTypeError)


@pytest.mark.rule("decisions:D73")
def test_slots_are_used_again_and_numbers_never(state: table.State, pool: Pool) -> None:
    slots = [callable_(state, pool) for _ in range(3)]
    assert slots == [0, 1, 2]
    call = table.close(state, pool, 1)
    assert isinstance(call, Close)
    change = SessionChange(slot=1, statuses=(), closed=ClosedReason.CLOSED_BY_APPLICATION)
    table.settle(state, pool, call, Handled(changes=(change,)))
    assert uninitialized(state, pool) == 1
    assert [table.session_number(state, row) for row in state.table] == [0, 2, 3]


@pytest.mark.rule("CK02")
@pytest.mark.rule("E018")
def test_session_ids_are_draws_and_fit_32_bits_for_clear_key() -> None:
    ids = [table.session_id(CLEARKEY, Draw(1, client), number) for client in range(20) for number in range(20)]
    assert all(0 <= int(text) < 2**32 for text in ids)
    assert len(set(ids)) == len(ids)
    assert ids[0] == table.session_id(CLEARKEY, Draw(1, 0), 0)
    assert len(table.session_id(HIERARCHY, Draw(1, 0), 0)) == 32


@pytest.mark.rule("decisions:D73")
def test_clients_in_the_same_situation_share_one_table(pool: Pool) -> None:
    states = [table.State() for _ in range(2)]
    for state in states:
        callable_(state, pool)
        callable_(state, pool)
        change = SessionChange(slot=1, statuses=KEY, expiration_ms=id(state))
        call = table.update(state, pool, 1, b"{}")
        assert isinstance(call, Update)
        table.settle(state, pool, call, Handled(changes=(change,)))
    one, other = states
    assert one.table is other.table
    assert one.ends != other.ends
