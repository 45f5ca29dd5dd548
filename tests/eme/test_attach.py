"""setMediaKeys: what is decided in the call, and the task in which the attribute changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.eme.attach import DEFAULT_RULES, Attachment, AttachRules, begin, finish
from player.eme.errors import InvalidStateError, NotSupportedError, QuotaExceededError
from player.errors import EmeError

A, B = "some keys", "other keys"


def attach(
    attachment: Attachment[str],
    keys: str | None,
    rules: AttachRules = DEFAULT_RULES,
    *,
    in_use: bool = False,
    has_source: bool = False,
    failure: EmeError | None = None,
) -> EmeError | None:
    assert begin(attachment, keys) is True
    return finish(attachment, keys, rules, in_use=in_use, has_source=has_source, failure=failure)


@pytest.mark.rule("O001")
def test_of_overlapping_calls_only_the_first_goes_on() -> None:
    attachment: Attachment[str] = Attachment()
    assert begin(attachment, A) is True
    for other in (A, B, None):
        assert isinstance(begin(attachment, other), InvalidStateError)


@pytest.mark.rule("O002")
@pytest.mark.parametrize("keys", [None, A])
def test_the_same_object_resolves_at_once(keys: str | None) -> None:
    attachment = Attachment(keys=keys)
    assert begin(attachment, keys) is False
    assert attachment == Attachment(keys=keys)


@pytest.mark.rule("O004")
def test_keys_of_another_element_are_shared_only_where_that_is_allowed() -> None:
    attachment: Attachment[str] = Attachment()
    assert isinstance(attach(attachment, A, in_use=True), QuotaExceededError)
    assert attachment.keys is None
    assert attach(attachment, A, AttachRules(shared=True), in_use=True) is None
    assert attachment.keys == A


@pytest.mark.rule("O005")
@pytest.mark.parametrize("keys", [B, None])
def test_keys_that_cannot_be_taken_off_stay(keys: str | None) -> None:
    attachment = Attachment(keys=A)
    assert isinstance(attach(attachment, keys, AttachRules(replaceable=False)), NotSupportedError)
    assert isinstance(attach(attachment, keys, has_source=True), InvalidStateError)
    assert attachment == Attachment(keys=A)
    assert attach(attachment, keys, AttachRules(replaceable_with_source=True), has_source=True) is None
    assert attachment.keys == keys


@pytest.mark.rule("O006")
def test_an_association_that_fails_leaves_no_keys() -> None:
    attachment = Attachment(keys=A)
    failure = InvalidStateError("gone")
    assert attach(attachment, B, failure=failure) is failure
    assert attachment == Attachment()


@pytest.mark.rule("O008")
@given(
    held=st.sampled_from([None, A]),
    rules=st.builds(
        AttachRules, shared=st.booleans(), replaceable=st.booleans(), replaceable_with_source=st.booleans()
    ),
    in_use=st.booleans(),
    has_source=st.booleans(),
    fails=st.booleans(),
)
def test_whatever_becomes_of_a_call_another_one_can_follow(
    held: str | None, rules: AttachRules, in_use: bool, has_source: bool, fails: bool
) -> None:
    attachment = Attachment(keys=held)
    failure = InvalidStateError("gone") if fails else None
    error = attach(attachment, B, rules, in_use=in_use, has_source=has_source, failure=failure)
    assert attachment.attaching is False
    expected = B if error is None else None if error is failure else held
    assert attachment.keys == expected
