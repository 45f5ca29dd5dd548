"""What a page sees of the CDM's answers, in order."""

from __future__ import annotations

import pytest

from player.eme import table
from player.eme.cdm import Close, GenerateRequest, Handled, SessionChange, Update, Wake
from player.eme.errors import EmeTypeError, InvalidStateError
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import SessionState
from player.eme.status import ClosedReason, KeyStatus, MessageType
from player.ids import KeyId, Pool

KID = KeyId(b"0123456789abcdef")
USABLE = ((KID, KeyStatus.USABLE),)
EXPIRED = ((KID, KeyStatus.EXPIRED),)
REQUEST = (MessageType.LICENSE_REQUEST, b"{}")
BY_APPLICATION, PARENT_CLOSED = ClosedReason.CLOSED_BY_APPLICATION, ClosedReason.PARENT_CLOSED


class Page:
    """Sessions of one client; the answers of the CDM are written down in the tests."""

    def __init__(self) -> None:
        self.state = table.State()
        self.pool = Pool()

    def request(self) -> GenerateRequest:
        slot = table.create_session(self.state, self.pool)
        call = table.generate_request(self.state, self.pool, slot, "webm", bytes(KID))
        assert isinstance(call, GenerateRequest)
        return call

    def session(self) -> int:
        """A callable session."""
        call = self.request()
        self.settle(call, Handled(message=REQUEST))
        return call.slot

    def update(self, slot: int) -> Update:
        call = table.update(self.state, self.pool, slot, b"{}")
        assert isinstance(call, Update)
        return call

    def close(self, slot: int) -> Close:
        call = table.close(self.state, self.pool, slot)
        assert isinstance(call, Close)
        return call

    def settle(self, call: GenerateRequest | Update | Close | Wake, handled: Handled) -> tuple[Output, ...]:
        return table.settle(self.state, self.pool, call, handled)


@pytest.fixture
def page() -> Page:
    return Page()


def seen(outputs: tuple[Output, ...]) -> list[tuple[type, int]]:
    """Kind and slot of each output."""
    return [(type(output), output.session.slot) for output in outputs]


@pytest.mark.rule("GO01")
@pytest.mark.rule("E013")
@pytest.mark.rule("M007")
def test_a_request_resolves_and_then_comes_its_message(page: Page) -> None:
    outputs = page.settle(page.request(), Handled(message=REQUEST))
    assert seen(outputs) == [(Settled, 0), (Message, 0)]
    assert all(output.session.state is SessionState.CALLABLE for output in outputs)


@pytest.mark.rule("GO02")
@pytest.mark.rule("G008")
def test_an_update_resolves_then_statuses_change_then_comes_a_message(page: Page) -> None:
    call = page.update(page.session())
    outputs = page.settle(call, Handled(changes=(SessionChange(slot=0, statuses=USABLE),), message=REQUEST))
    assert seen(outputs) == [(Settled, 0), (KeyStatusesChanged, 0), (Message, 0)]
    assert all(output.session.statuses == USABLE for output in outputs)


@pytest.mark.rule("GO03")
@pytest.mark.rule("G009")
@pytest.mark.rule("G010")
@pytest.mark.rule("J002")
def test_the_same_keys_with_another_end_change_the_expiration_alone(page: Page) -> None:
    slot = page.session()
    change = SessionChange(slot=slot, statuses=USABLE, expiration_ms=1000)
    first = page.settle(page.update(slot), Handled(changes=(change,)))
    assert seen(first) == [(ExpirationChanged, 0), (Settled, 0), (KeyStatusesChanged, 0)]
    again = page.settle(page.update(slot), Handled(changes=(change,)))
    assert seen(again) == [(Settled, 0)]
    renewed = page.settle(page.update(slot), Handled(changes=(SessionChange(slot=slot, expiration_ms=2000),)))
    assert seen(renewed) == [(ExpirationChanged, 0), (Settled, 0)]
    assert table.expiration_ms(page.state, slot) == 2000


@pytest.mark.rule("GO05")
@pytest.mark.rule("H004")
@pytest.mark.rule("H005")
@pytest.mark.rule("H007")
@pytest.mark.rule("L002")
@pytest.mark.rule("L008")
def test_close_resolves_then_closed_then_the_map_is_empty(page: Page) -> None:
    slot = page.session()
    change = SessionChange(slot=slot, statuses=(), closed=BY_APPLICATION)
    outputs = page.settle(page.close(slot), Handled(changes=(change,)))
    assert seen(outputs) == [(Settled, 0), (SessionClosed, 0), (KeyStatusesChanged, 0)]
    assert all(it.session.statuses == () and it.session.state is SessionState.CLOSED for it in outputs)
    assert page.state.table == ()
    assert page.state.ends is None


@pytest.mark.rule("G013")
@pytest.mark.rule("GO04")
def test_an_acknowledged_release_closes_before_the_update_resolves(page: Page) -> None:
    slot = page.session()
    change = SessionChange(slot=slot, statuses=(), closed=ClosedReason.RELEASE_ACKNOWLEDGED)
    outputs = page.settle(page.update(slot), Handled(changes=(change,)))
    assert seen(outputs) == [(SessionClosed, 0), (Settled, 0), (KeyStatusesChanged, 0)]


@pytest.mark.rule("GO12")
@pytest.mark.rule("EQ02")
@pytest.mark.rule("EK01")
def test_embedded_keys_are_there_when_the_request_resolves(page: Page) -> None:
    page.session()
    call = page.request()
    outputs = page.settle(call, Handled(changes=(SessionChange(slot=1, statuses=USABLE, parent=0),)))
    assert seen(outputs) == [(Settled, 1), (KeyStatusesChanged, 1)]
    assert (outputs[0].session.statuses, outputs[0].session.parent) == (USABLE, 0)


@pytest.mark.rule("GO13")
@pytest.mark.rule("EQ13")
def test_a_merged_session_resolves_and_closes_before_the_root_has_its_key(page: Page) -> None:
    page.session()
    merged = SessionChange(slot=1, statuses=(), closed=ClosedReason.PARENT_MERGED)
    outputs = page.settle(page.request(), Handled(changes=(merged, SessionChange(slot=0, statuses=USABLE))))
    assert seen(outputs) == [(Settled, 1), (SessionClosed, 1), (KeyStatusesChanged, 1), (KeyStatusesChanged, 0)]
    settled = outputs[0]
    assert isinstance(settled, Settled)
    assert settled.error is None


@pytest.mark.rule("GO14")
@pytest.mark.rule("EQ03")
def test_a_parent_closes_with_all_its_children_in_one_task(page: Page) -> None:
    slots = [page.session() for _ in range(3)]
    below = tuple(SessionChange(slot=slot, statuses=(), parent=0, closed=PARENT_CLOSED) for slot in slots[1:])
    own = SessionChange(slot=0, statuses=(), closed=BY_APPLICATION)
    outputs = page.settle(page.close(0), Handled(changes=(own, *below)))
    closed, changed = SessionClosed, KeyStatusesChanged
    assert seen(outputs) == [
        (Settled, 0),
        (closed, 0),
        (closed, 1),
        (closed, 2),
        (changed, 0),
        (changed, 1),
        (changed, 2),
    ]
    assert [it.session.parent for it in outputs] == [None, None, 0, 0, None, 0, 0]
    assert page.state.table == ()


@pytest.mark.rule("EQ07")
@pytest.mark.rule("N001")
def test_what_follows_for_other_sessions_comes_after_the_message(page: Page) -> None:
    page.session(), page.session()
    changes = (SessionChange(slot=0, statuses=USABLE), SessionChange(slot=1, statuses=USABLE, expiration_ms=5))
    outputs = page.settle(page.update(0), Handled(changes=changes, message=REQUEST))
    assert seen(outputs) == [
        (Settled, 0),
        (KeyStatusesChanged, 0),
        (Message, 0),
        (ExpirationChanged, 1),
        (KeyStatusesChanged, 1),
    ]


@pytest.mark.rule("GO10")
@pytest.mark.rule("J005")
def test_time_alone_changes_a_whole_session_at_once(page: Page) -> None:
    slot = page.session()
    page.settle(page.update(slot), Handled(changes=(SessionChange(slot=slot, statuses=USABLE),), wake_at=9))
    assert page.state.cdm_due == 9
    outputs = page.settle(Wake(), Handled(changes=(SessionChange(slot=slot, statuses=EXPIRED),)))
    assert seen(outputs) == [(KeyStatusesChanged, 0)]
    assert page.state.cdm_due is None


@pytest.mark.rule("GO09")
@pytest.mark.rule("L010")
def test_a_lost_cdm_closes_every_session_before_any_map_is_empty(page: Page) -> None:
    page.session(), page.request()
    reset = ClosedReason.HARDWARE_CONTEXT_RESET
    changes = tuple(SessionChange(slot=slot, statuses=(), closed=reset) for slot in (0, 1))
    outputs = page.settle(Wake(), Handled(changes=changes))
    assert seen(outputs) == [(SessionClosed, 0), (SessionClosed, 1), (KeyStatusesChanged, 0), (KeyStatusesChanged, 1)]


@pytest.mark.rule("M006")
def test_a_renewal_comes_without_a_call(page: Page) -> None:
    page.session()
    renewal = (MessageType.LICENSE_RENEWAL, b"{}")
    outputs = page.settle(Wake(), Handled(changes=(SessionChange(slot=0, message=renewal),)))
    assert seen(outputs) == [(Message, 0)]


@pytest.mark.rule("L007")
@pytest.mark.rule("L009")
def test_nothing_is_told_of_a_closed_session(page: Page) -> None:
    page.session(), page.session()
    change = SessionChange(slot=0, statuses=(), closed=BY_APPLICATION)
    page.settle(page.close(0), Handled(changes=(change,)))
    late = SessionChange(slot=0, statuses=USABLE, message=REQUEST)
    assert page.settle(Wake(), Handled(changes=(late, change))) == ()


@pytest.mark.rule("G018")
def test_an_update_under_way_when_its_session_closes_is_rejected(page: Page) -> None:
    slot = page.session()
    call, close = page.update(slot), page.close(slot)
    license_ = Handled(changes=(SessionChange(slot=slot, statuses=USABLE),))
    (settled,) = page.settle(call, license_)
    assert isinstance(settled, Settled)
    assert isinstance(settled.error, InvalidStateError)
    assert table.row(page.state, slot).statuses == ()
    page.settle(close, Handled(changes=(SessionChange(slot=slot, statuses=(), closed=BY_APPLICATION),)))
    assert page.session() == slot
    (late,) = page.settle(call, license_)
    assert isinstance(late, Settled)
    assert late.session.state is SessionState.CLOSED
    assert table.row(page.state, slot).statuses == ()


@pytest.mark.rule("G007")
@pytest.mark.rule("MO02")
@pytest.mark.rule("MO03")
def test_a_refused_license_changes_nothing(page: Page) -> None:
    slot = page.session()
    page.settle(page.update(slot), Handled(changes=(SessionChange(slot=slot, statuses=USABLE),), wake_at=7))
    before = (page.state.table, page.state.ends, page.state.cdm_due)
    (settled,) = page.settle(page.update(slot), Handled(error="TypeError", reason="no license"))
    assert isinstance(settled, Settled)
    assert isinstance(settled.error, EmeTypeError)
    assert (page.state.table, page.state.ends, page.state.cdm_due) == before


@pytest.mark.rule("E012")
def test_a_request_fails_with_the_name_the_cdm_gives(page: Page) -> None:
    for name in ("TypeError", "NotSupportedError", "QuotaExceededError", "UnknownError"):
        (settled,) = page.settle(page.request(), Handled(error=name))
        assert isinstance(settled, Settled)
        assert settled.error is not None
        assert settled.error.name == name


def test_answers_out_of_order_never_put_a_wake_up_off(page: Page) -> None:
    first, second = page.session(), page.session()
    early, late = page.update(first), page.update(second)
    page.settle(late, Handled(wake_at=50))
    page.settle(early, Handled(wake_at=100))
    assert page.state.cdm_due == 50


def test_ends_follow_their_sessions(page: Page) -> None:
    slots = [page.session() for _ in range(3)]
    for slot in slots[1:]:
        page.settle(page.update(slot), Handled(changes=(SessionChange(slot=slot, expiration_ms=slot),)))
    page.settle(page.close(1), Handled(changes=(SessionChange(slot=1, statuses=(), closed=BY_APPLICATION),)))
    assert [table.expiration_ms(page.state, slot) for slot in slots] == [0, 0, 2]
    assert page.session() == 1
    assert page.state.ends == (0, 2, 0)
