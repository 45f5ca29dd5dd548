"""Wrong licenses: taken with the same keys or refused with TypeError, and refused means that nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cdm.ring import HeldKey
from player.clock import MILLISECOND
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.status import KeyStatus
from player.ids import CLEARKEY, HIERARCHY
from player.wire.hierarchy import Policy
from player.wire.strict import MAX_DOCUMENT_BYTES, b64url_encode
from tests.cdm.client import EPOCH_MS, Client, jwk_set, key, kid, leaf_box, license_, usable, with_root

Document = dict[str, object]


class System(NamedTuple):
    name: str
    license_of: Callable[..., bytes]


SYSTEMS = [System(CLEARKEY, jwk_set), System(HIERARCHY, license_)]
systems = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


def opened(system: System) -> Client:
    client = Client(system.name)
    client.ask(1, 2)
    return client


def situation(client: Client) -> object:
    """All that a client has; rings and tables are interned, so the same one is the same object."""
    state, cdm = client.state, client.inner
    return (state.table, state.ends, state.cdm_due, state.sessions_made, cdm.ring, cdm.terms)


def feed(client: Client, response: bytes) -> bool:
    """Whether it was taken; refused: with TypeError, without an event, and with everything as it was."""
    before = situation(client)
    try:
        client.update(0, response)
    except EmeTypeError:
        assert situation(client) == before
        return False
    return True


def keys_of(client: Client) -> object:
    return [(held.kid, held.key) for session in client.inner.ring for held in session.keys]


def changed(response: bytes, change: Callable[[Document], object]) -> bytes:
    document = json.loads(response)
    change(document)
    return json.dumps(document).encode()


def entry(document: Document, place: int = 0) -> Document:
    keys = document["keys"]
    assert isinstance(keys, list)
    found: Document = keys[place]
    return found


@systems
@pytest.mark.rule("ML06")
@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_has_16_bytes(system: System, size: int) -> None:
    client = opened(system)
    wrong = changed(system.license_of(1, 2), lambda document: entry(document, 1).update(k=b64url_encode(bytes(size))))
    assert not feed(client, wrong)
    assert feed(client, system.license_of(1, 2))


@systems
@pytest.mark.rule("ML06")
def test_a_key_id_stands_once(system: System) -> None:
    wrong = changed(system.license_of(1, 2), lambda document: entry(document, 1).update(kid=entry(document)["kid"]))
    assert not feed(opened(system), wrong)


@systems
@pytest.mark.rule("ML06")
def test_a_key_that_was_not_asked_for_is_taken_too(system: System) -> None:
    client = opened(system)
    assert feed(client, system.license_of(1, 7))
    assert client.row(0).statuses == usable(1, 7)


@systems
@pytest.mark.rule("ML07")
def test_a_license_of_another_session_brings_its_keys_and_no_more(system: System) -> None:
    client = opened(system)
    client.ask(3)
    assert feed(client, system.license_of(3))
    assert client.row(0).statuses == usable(3)
    assert client.row(1).statuses == ()


@pytest.mark.rule("ML08")
@pytest.mark.parametrize("member", ["exp", "nbf", "renew_at"])
@pytest.mark.parametrize("value", [-1, 2**53, 2**63, 1.5, True, "0", float("nan"), float("inf"), [], {}])
def test_a_policy_has_whole_times(member: str, value: object) -> None:
    def spoil(document: Document) -> None:
        policy = document["policy"]
        assert isinstance(policy, dict)
        policy[member] = value

    client = opened(SYSTEMS[1])
    assert not feed(client, changed(license_(1, 2), spoil))
    assert feed(client, license_(1, 2))


@pytest.mark.rule("ML08")
@pytest.mark.rule("K002")
def test_an_end_in_the_past_is_taken_and_the_keys_are_expired() -> None:
    def end(document: Document) -> None:
        policy = document["policy"]
        assert isinstance(policy, dict)
        policy["exp"] = 1

    client = opened(SYSTEMS[1])
    assert feed(client, changed(license_(1, 2), end))
    assert set(client.statuses(0).values()) == {KeyStatus.EXPIRED}
    assert client.decrypt(1).stopped_by == kid(1)


@systems
@pytest.mark.rule("ML04")
@pytest.mark.rule("ML09")
@pytest.mark.rule("MO04")
def test_other_encodings_depth_and_size_are_refused(system: System) -> None:
    client, good = opened(system), system.license_of(1, 2)
    deep = b'{"keys":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    for wrong in (good.decode().encode("utf-16"), b"\xef\xbb\xbf" + good, good + b"\xff", deep):
        assert not feed(client, wrong)
    assert not feed(client, good + b" " * MAX_DOCUMENT_BYTES)


@systems
@pytest.mark.rule("ML02")
@pytest.mark.rule("MO01")
@given(
    member=st.sampled_from(["keys", "kid", "k", "kty", "use", "type", "policy", "v", "denied", "next"]),
    value=st.sampled_from([None, True, 0, 1e308, "", "=", "\0", "A===", [], [[]], {}, {"keys": []}]),
)
@settings(max_examples=60)
def test_members_of_the_wrong_kind_are_refused_or_mean_nothing(system: System, member: str, value: object) -> None:
    def spoil(document: Document) -> None:
        (entry(document, 1) if member in ("kid", "k", "kty", "use") else document)[member] = value

    client = opened(system)
    if feed(client, changed(system.license_of(1, 2), spoil)):
        assert set(client.row(0).statuses) <= set(usable(1, 2))
    assert feed(client, system.license_of(1, 2))


@st.composite
def mutants(draw: st.DrawFn, good: bytes) -> bytes:
    """Bit flips, truncation, insertion, deletion, duplication."""
    place = draw(st.integers(0, len(good) - 1))
    end = draw(st.integers(place, min(len(good), place + 20)))
    kind = draw(st.sampled_from(["flip", "cut", "insert", "delete", "double"]))
    flipped = bytes([good[place] ^ 1 << draw(st.integers(0, 7))])
    return {
        "flip": good[:place] + flipped + good[place + 1 :],
        "cut": good[:place],
        "insert": good[:place] + draw(st.binary(min_size=1, max_size=4)) + good[place:],
        "delete": good[:place] + good[end:],
        "double": good[:end] + good[place:],
    }[kind]


@systems
@pytest.mark.rule("ML01")
@pytest.mark.rule("MO01")
@pytest.mark.rule("MO02")
@pytest.mark.rule("MO03")
@pytest.mark.rule("MO05")
@pytest.mark.rule("MO06")
@given(data=st.data())
@settings(max_examples=200)
def test_a_damaged_license_is_refused_or_brings_well_formed_keys(system: System, data: st.DataObject) -> None:
    good = system.license_of(1, 2)
    damaged = data.draw(mutants(good))
    client = opened(system)
    if feed(client, damaged) and _same_values(good, damaged):
        assert keys_of(client) == keys_of(_with(system, good))
    assert feed(client, good)
    held = {session.slot: session for session in client.inner.ring}[0].keys
    assert {it.kid: it.key for it in held}.items() >= {it.kid: it.key for it in _held(system, good)}.items()


@pytest.mark.rule("MO01")
@pytest.mark.rule("MO02")
@pytest.mark.rule("MO03")
@pytest.mark.rule("MO06")
@pytest.mark.rule("EQ12")
@given(damaged=mutants(leaf_box(1, 2, policy=Policy(exp_ms=EPOCH_MS + 1000))))
@settings(max_examples=200)
def test_damaged_init_data_with_embedded_keys_brings_the_good_keys_or_none(damaged: bytes) -> None:
    client, root = with_root()
    before = client.inner.ring
    try:
        client.request(damaged)
    except (EmeTypeError, NotSupportedError):
        assert client.inner.ring is before
    good = {kid(1): key(1), kid(2): key(2)}
    held = {it.kid: it.key for session in client.inner.ring if session.slot != root for it in session.keys}
    assert held in ({}, good)
    client.request(leaf_box(1, 2))
    assert client.decrypt(1, 2).clear == 2


def _with(system: System, response: bytes) -> Client:
    client = opened(system)
    client.update(0, response)
    return client


def _held(system: System, response: bytes) -> tuple[HeldKey, ...]:
    return _with(system, response).inner.ring[0].keys


def _same_values(good: bytes, damaged: bytes) -> bool:
    """A bit flipped inside a key value gives another key; only a signature would tell."""
    return bool(json.loads(damaged)["keys"] == json.loads(good)["keys"])


@systems
@pytest.mark.rule("MO05")
@pytest.mark.rule("G007")
def test_a_set_with_one_bad_entry_brings_no_key_at_all(system: System) -> None:
    client = opened(system)
    assert feed(client, system.license_of(1))
    wrong = changed(system.license_of(3, 4, 5), lambda document: entry(document, 2).update(k="="))
    assert not feed(client, wrong)
    assert client.row(0).statuses == usable(1)
    client.wait(MILLISECOND)
    assert feed(client, system.license_of(2))
