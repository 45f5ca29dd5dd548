"""The key table: which moves there are, and what a status means for playback."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.drm import keys
from player.drm.keys import MAY_BE_ASKED, MAY_FOLLOW, ExtendedStatus, Verdict
from player.eme.status import KeyStatus
from player.engine.profile import Profile, parse
from player.ids import KeyId, Pool

A, B, C = (KeyId(bytes([n]) * 16) for n in (1, 2, 3))


@cache
def ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


def found(table: keys.Table, kid: KeyId) -> keys.Entry:
    """The entry of a KID that must be there."""
    entry = keys.find(table, kid)
    assert entry is not None
    return entry


def test_every_status_of_eme_is_an_extended_status() -> None:
    assert {status.value for status in KeyStatus} <= {status.value for status in ExtendedStatus}


@given(st.sampled_from(ExtendedStatus), st.sampled_from(ExtendedStatus))
def test_a_move_happens_only_where_the_table_allows_it(old: ExtendedStatus, new: ExtendedStatus) -> None:
    before = (keys.Entry(A, old, 0, "given"),)
    after = keys.put(before, A, new, 1, "test")
    assert (found(after, A).status is new) is (old in MAY_FOLLOW[new] or old is new)


def test_disallowed_stays_until_the_cdm_says_otherwise() -> None:
    table = keys.settle(keys.request((), (A,), 0, "request"), 0, ExtendedStatus.DISALLOWED, "absent")
    assert keys.request(table, (A,), 1, "request") == table
    assert keys.close(table, 0, keep=False) == table
    later = keys.report(table, 2, ((A, KeyStatus.USABLE),))
    assert found(later, A).status is ExtendedStatus.USABLE


def test_usable_in_one_session_wins_over_what_another_says() -> None:
    table = keys.report((), 0, ((A, KeyStatus.USABLE),))
    assert found(keys.report(table, 1, ((A, KeyStatus.EXPIRED),)), A).slot == 0
    assert found(keys.report(table, 0, ((A, KeyStatus.EXPIRED),)), A).status is ExtendedStatus.EXPIRED


def test_closing_a_session_loses_its_keys_and_no_others() -> None:
    table = keys.report(keys.report((), 0, ((A, KeyStatus.USABLE),)), 1, ((B, KeyStatus.USABLE),))
    closed = keys.close(table, 0, keep=False)
    assert [(e.kid, e.status.value) for e in closed] == [(A, "lost"), (B, "usable")]
    assert keys.close(table, 0, keep=True) == table


@given(st.permutations([A, B, C]))
def test_a_table_does_not_depend_on_the_order_in_which_keys_came(order: list[KeyId]) -> None:
    table: keys.Table = ()
    for kid in order:
        table = keys.put(table, kid, ExtendedStatus.REQUESTED, 0, "request")
    assert [entry.kid for entry in table] == [A, B, C]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("usable", "allow"),
        ("usable-in-future", "undecided"),
        ("output-downscaled", "allow"),
        ("status-pending", "undecided"),
        ("released", "block"),
        ("expired", "undecided"),  # it is renewed
        ("output-restricted", "block"),
        ("internal-error", "block"),
        ("disallowed", "block"),
        ("failed", "block"),
        ("unknown", "undecided"),
        ("expected", "undecided"),
        ("requested", "undecided"),
        ("lost", "undecided"),
    ],
)
def test_verdicts_of_the_ideal_profile(status: str, expected: str) -> None:
    assert keys.verdict(ExtendedStatus(status), ideal().status) is Verdict(expected)


@pytest.mark.rule("decisions:D69")
def test_clients_in_the_same_situation_share_one_table() -> None:
    pool = Pool()
    first = pool.intern(pool.remember(keys.request, (), (A, B), 0, "request"))
    second = pool.intern(pool.remember(keys.request, (), (A, B), 0, "request"))
    assert first is second


def test_only_keys_that_nobody_holds_or_refused_may_be_asked_for() -> None:
    assert {status.value for status in MAY_BE_ASKED} == {"unknown", "expected", "lost", "expired", "failed"}
