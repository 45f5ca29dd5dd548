"""The element waits for a key once a stall."""

from __future__ import annotations

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from player.eme.element import (
    HAVE_CURRENT_DATA,
    HAVE_FUTURE_DATA,
    HAVE_METADATA,
    HAVE_NOTHING,
    Element,
    is_waiting,
    may_decrypt,
    moved,
    resumes,
    shows,
    stops,
    tries_again,
    waits,
)
from player.eme.element_quirks import ELEMENT_QUIRKS, NO_QUIRKS, WaitingForKeyEvent, element_quirks
from player.eme.events import WaitingForKey
from player.ids import KeyId

KID = KeyId(b"0123456789abcdef")
OTHER = KeyId(b"fedcba9876543210")


@pytest.mark.rule("R009")
def test_a_stall_is_told_once() -> None:
    element = Element()
    assert waits(element, KID) == WaitingForKey(kid=KID)
    assert waits(element, KID) is None
    assert waits(element, OTHER) is None


@pytest.mark.rule("R010")
def test_the_ready_state_is_lowered_with_the_event() -> None:
    element = Element()
    waits(element, KID)
    assert element.ready_state == HAVE_METADATA
    shows(element, metadata=True, ahead=True, current_frame=True)
    assert element.ready_state == HAVE_METADATA  # a lead that is decoded elsewhere does not raise it
    resumes(element)
    assert element.ready_state == HAVE_FUTURE_DATA
    waits(element, KID, current_frame=True)
    assert element.ready_state == HAVE_CURRENT_DATA


@pytest.mark.rule("R011")
def test_an_element_that_does_not_wait_has_nothing_to_resume() -> None:
    element = Element()
    assert not resumes(element)
    waits(element, KID)
    assert resumes(element)
    assert not resumes(element)


@pytest.mark.rule("R011")
def test_a_resume_clears_both_flags() -> None:
    element = Element()
    stops(element)
    waits(element, KID)
    assert not may_decrypt(element)
    resumes(element)
    assert may_decrypt(element)
    assert not is_waiting(element)


@pytest.mark.rule("R012")
def test_after_a_resume_the_next_missing_key_is_told_again() -> None:
    element = Element()
    waits(element, KID)
    resumes(element)
    assert waits(element, OTHER) == WaitingForKey(kid=OTHER)


@pytest.mark.rule("O010")
def test_a_seek_forgets_what_was_waited_for() -> None:
    element = Element()
    stops(element)
    waits(element, KID)
    moved(element)
    assert element == Element()
    assert waits(element, KID) is not None


@pytest.mark.parametrize(
    ("metadata", "ahead", "current_frame", "shown"),
    [
        (False, False, False, HAVE_NOTHING),
        (True, False, False, HAVE_METADATA),
        (True, False, True, HAVE_CURRENT_DATA),
        (True, True, True, HAVE_FUTURE_DATA),
    ],
)
def test_the_ready_state_tells_what_is_decoded(metadata: bool, ahead: bool, current_frame: bool, shown: int) -> None:
    element = Element()
    shows(element, metadata=metadata, ahead=ahead, current_frame=current_frame)
    assert element.ready_state == shown


class Flags(RuleBasedStateMachine):
    """One event a stall: never two without a resume or a move between them."""

    def __init__(self) -> None:
        super().__init__()
        self.element = Element()
        self.told = 0

    @rule()
    def a_key_is_missing(self) -> None:
        stops(self.element)
        assert not may_decrypt(self.element)

    @rule()
    def playback_reaches_the_head(self) -> None:
        tries_again(self.element)
        assert may_decrypt(self.element)

    @rule()
    def playback_stands(self) -> None:
        self.told += waits(self.element, KID) is not None

    @rule()
    def playback_can_advance(self) -> None:
        assert resumes(self.element) == bool(self.told)
        self.told = 0

    @rule()
    def the_position_changes(self) -> None:
        moved(self.element)
        self.told = 0
        assert self.element == Element()

    @invariant()
    def it_waits_where_it_has_told_so(self) -> None:
        assert is_waiting(self.element) == (self.told == 1)
        assert self.told <= 1


TestFlags = pytest.mark.rule("R009")(Flags.TestCase)


def test_an_element_costs_a_client_two_numbers() -> None:
    assert Element.__slots__ == ("blocked", "ready_state")


def test_every_deviation_of_the_element_sets_a_flag_and_they_add_up() -> None:
    assert all(element_quirks([name]) != NO_QUIRKS for name in ELEMENT_QUIRKS)
    both = element_quirks(["unreliable_waitingforkey:early", "status_pending_first", "buffered_data_sticks"])
    assert both.waiting_for_key is WaitingForKeyEvent.EARLY
    assert both.buffered_data_sticks
    assert not both.needs_keys_before_clear
    assert element_quirks(["status_pending_first"]) == NO_QUIRKS
