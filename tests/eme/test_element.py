"""The element waits for a key once a stall."""

from __future__ import annotations

import pytest

from player.eme.element import HAVE_CURRENT_DATA, HAVE_FUTURE_DATA, HAVE_METADATA, Element, moved, resumes, waits
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


@pytest.mark.rule("R012")
def test_after_a_resume_the_next_missing_key_is_told_again() -> None:
    element = Element()
    waits(element, KID)
    resumes(element)
    assert waits(element, OTHER) == WaitingForKey(kid=OTHER)


@pytest.mark.rule("O010")
def test_a_seek_forgets_what_was_waited_for() -> None:
    element = Element()
    waits(element, KID)
    moved(element)
    assert element == Element()
    assert waits(element, KID) is not None
