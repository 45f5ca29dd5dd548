"""Requests and licenses of the hierarchy system, announcements, attribution and problem records."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire import announce, attribution, hierarchy, problem
from player.wire.announce import Announcement
from player.wire.attribution import Attribution
from player.wire.hierarchy import (
    DenialReason,
    Denied,
    License,
    LicenseKey,
    LicenseRequest,
    NextKey,
    Output,
    Policy,
    Use,
)
from player.wire.members import MAX_WHOLE, SESSION_TYPES
from player.wire.problem import Problem

KID = KeyId.cenc(b"0123456789012345")
KEY = ContentKey(b"ABCDEFGHIJKLMNOP")

kids = st.binary(min_size=16, max_size=16).map(KeyId.cenc)
instants = st.integers(0, MAX_WHOLE)
outputs = st.none() | st.sampled_from(Output)
policies = st.builds(
    Policy,
    exp_ms=st.none() | instants,
    nbf_ms=st.none() | instants,
    renew_at_ms=st.none() | instants,
    output=outputs,
    persist=st.booleans(),
)
license_keys = st.builds(
    LicenseKey,
    kid=kids,
    key=st.binary(min_size=16, max_size=16).map(ContentKey),
    use=st.sampled_from(Use),
    nbf_ms=st.none() | instants,
    output=outputs,
)
licenses = st.builds(
    License,
    keys=st.lists(license_keys, max_size=4, unique_by=lambda key: key.kid).map(tuple),
    denied=st.lists(st.builds(Denied, kid=kids, reason=st.sampled_from(DenialReason)), max_size=2).map(tuple),
    next=st.lists(st.builds(NextKey, kid=kids, from_ms=instants), max_size=2).map(tuple),
    policy=policies,
)
requests = st.builds(
    LicenseRequest,
    kids=st.lists(kids, min_size=1, max_size=4).map(tuple),
    type=st.sampled_from(SESSION_TYPES),
    robustness=st.integers(0, 5),
    time_ms=st.none() | instants,
)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(hierarchy.write_license(License(keys=(LicenseKey(kid=KID, key=KEY),))))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.rule("decisions:D23")
def test_a_request_has_one_form() -> None:
    assert hierarchy.write_request(LicenseRequest(kids=(KID,), time_ms=None)) == (
        b'{"kids":["MDEyMzQ1Njc4OTAxMjM0NQ"],"rb":1,"time":null,"type":"temporary","v":1}'
    )


@pytest.mark.rule("decisions:D23")
@given(requests)
def test_a_request_is_read_as_it_was_written(request: LicenseRequest) -> None:
    assert hierarchy.read_request(hierarchy.write_request(request)) == request


@pytest.mark.rule("decisions:D24")
def test_a_license_has_one_form() -> None:
    given_license = License(
        keys=(LicenseKey(kid=KID, key=KEY, use=Use.WRAP, nbf_ms=7, output=Output.HDCP_1_4),),
        denied=(Denied(kid=KID, reason=DenialReason.WINDOW),),
        next=(NextKey(kid=KID, from_ms=9),),
        policy=Policy(exp_ms=8),
    )
    kid = '"kid":"MDEyMzQ1Njc4OTAxMjM0NQ"'
    assert hierarchy.write_license(given_license).decode() == (
        f'{{"denied":[{{{kid},"reason":"window"}}],'
        f'"keys":[{{"k":"QUJDREVGR0hJSktMTU5PUA",{kid},"nbf":7,"output":"1.4","use":"wrap"}}],'
        f'"next":[{{"from":9,{kid}}}],'
        '"policy":{"exp":8,"nbf":null,"output":null,"persist":false,"renew_at":null},"v":1}'
    )


@pytest.mark.rule("decisions:D24")
@given(licenses)
def test_a_license_is_read_as_it_was_written(given_license: License) -> None:
    assert hierarchy.read_license(hierarchy.write_license(given_license)) == given_license


@pytest.mark.rule("decisions:D24")
def test_a_license_may_hold_no_key() -> None:
    assert hierarchy.read_license(hierarchy.write_license(License(keys=()))).keys == ()


@pytest.mark.rule("decisions:D24")
def test_a_key_says_its_output_only_where_it_differs_from_the_policy() -> None:
    same = LicenseKey(kid=KID, key=KEY, output=Output.HDCP_2_2)
    written = hierarchy.write_license(License(keys=(same,), policy=Policy(output=Output.HDCP_2_2)))
    assert "output" not in json.loads(written)["keys"][0]
    assert hierarchy.read_license(written).keys[0].output is Output.HDCP_2_2


@pytest.mark.rule("ML02")
@pytest.mark.rule("ML08")
@pytest.mark.parametrize("value", [-1, 2**53, 1.5, "1", True, [], "=", {}])
@pytest.mark.parametrize("name", ["exp", "nbf", "renew_at"])
def test_a_policy_instant_is_null_or_a_whole_number_below_2_to_the_53(name: str, value: object) -> None:
    with pytest.raises(LicenseError, match=name):
        hierarchy.read_license(changed(lambda it: it["policy"].update({name: value})))


@pytest.mark.rule("ML02")
@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(keys=None),
        lambda it: it.update(keys={}),
        lambda it: it.update(denied=[1]),
        lambda it: it.update(next=[{"kid": "AA"}]),
        lambda it: it.update(policy=[]),
        lambda it: it["policy"].pop("persist"),
        lambda it: it["policy"].update(persist=1),
        lambda it: it["policy"].update(output="9.9"),
        lambda it: it["keys"][0].update(use="sign"),
        lambda it: it["keys"][0].update(k="QUJD"),
        lambda it: it["keys"][0].pop("nbf"),
        lambda it: it["keys"].append(it["keys"][0]),
        lambda it: it.update(v=2),
        lambda it: it.update(v=True),
        lambda it: it.pop("v"),
    ],
)
def test_a_license_with_a_member_that_means_nothing_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(LicenseError) as caught:
        hierarchy.read_license(changed(change))
    assert "QUJDREVG" not in str(caught.value)


def test_extra_members_of_a_license_are_ignored() -> None:
    assert hierarchy.read_license(changed(lambda it: it["keys"][0].update(label="HD"))).keys[0].key == KEY


@given(licenses)
def test_no_repr_of_a_license_shows_a_key(given_license: License) -> None:
    assert all(key.key.reveal().hex() not in repr(given_license) for key in given_license.keys)


announcements = st.builds(
    lambda idx, named, window, start, end: Announcement(
        idx=idx,
        kids=tuple(named),
        prefetch_open_ms=min(window),
        prefetch_close_ms=max(window),
        valid_from_ms=start,
        valid_until_ms=None if end is None else min(start + end, MAX_WHOLE),
    ),
    st.integers(0, 10_000),
    st.lists(kids, min_size=1, max_size=3),
    st.tuples(instants, instants),
    instants,
    st.none() | st.integers(0, 10_000),
)


@pytest.mark.rule("decisions:D82")
def test_an_announcement_has_one_form() -> None:
    coming = Announcement(idx=2, kids=(KID,), prefetch_open_ms=1, prefetch_close_ms=3, valid_from_ms=4)
    assert announce.write(coming) == (
        '{"idx":2,"kids":["MDEyMzQ1Njc4OTAxMjM0NQ"],"prefetch":{"close":3,"open":1},"valid":[4,null]}'
    )


@pytest.mark.rule("decisions:D82")
@given(announcements)
def test_an_announcement_is_read_as_it_was_written(coming: Announcement) -> None:
    assert announce.read(f"\n  {announce.write(coming)}\n") == coming


@pytest.mark.rule("decisions:D82")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "\ud800",
        '{"idx":2,"kids":[],"prefetch":{"close":3,"open":1},"valid":[4,null]}',
        '{"idx":2,"kids":["AA"],"prefetch":{"close":1,"open":3},"valid":[4,null]}',
        '{"idx":2,"kids":["AA"],"prefetch":{"close":3,"open":1},"valid":[4,3]}',
        '{"idx":2,"kids":["AA"],"prefetch":{"close":3,"open":1},"valid":[4]}',
        '{"idx":-1,"kids":["AA"],"prefetch":{"close":3,"open":1},"valid":[4,null]}',
    ],
)
def test_an_announcement_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(LicenseError):
        announce.read(text)


@pytest.mark.rule("decisions:D30")
@given(st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from(["start", "retry-refused"]), st.integers(1, 99))
def test_an_attribution_is_read_as_it_was_written(client: int, sequence: int, cause: str, attempt: int) -> None:
    sent = Attribution(client=client, sequence=sequence, cause=cause, attempt=attempt)
    assert attribution.read(attribution.write(sent)) == sent


@pytest.mark.rule("decisions:D30")
@pytest.mark.parametrize(
    "value", ["", "1/2/start", "1/2/start/1/", "1/2/Start/1", "-1/2/start/1", "1/2/start/1\n", "١/2/start/1"]
)
def test_an_attribution_of_another_form_is_refused(value: str) -> None:
    with pytest.raises(LicenseError):
        attribution.read(value)


def test_a_problem_is_read_as_it_was_written() -> None:
    told = Problem(type="urn:x", title="Later", status=429, kids=(KID,), retry_after_ms=1500, ticket="1.ab")
    assert problem.read(problem.write(told)) == told
    assert problem.write(Problem(type="a", title="b", status=500)) == b'{"status":500,"title":"b","type":"a"}'
