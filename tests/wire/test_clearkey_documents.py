"""Clear Key requests and JWK sets, and init data of type keyids."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire import clearkey, keyids
from player.wire.members import SESSION_TYPES

KID = KeyId(b"0123456789012345")
KEY = ContentKey(b"ABCDEFGHIJKLMNOP")
LICENSE: dict[str, Any] = {
    "keys": [{"kty": "oct", "kid": "MDEyMzQ1Njc4OTAxMjM0NQ", "k": "QUJDREVGR0hJSktMTU5PUA"}],
    "type": "temporary",
}

kids = st.binary(min_size=1, max_size=64).map(KeyId)
many_kids = st.lists(kids, min_size=1, max_size=8).map(tuple)
keys = st.binary(min_size=16, max_size=16).map(ContentKey)
types = st.sampled_from(SESSION_TYPES)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(json.dumps(LICENSE))
    change(document)
    return json.dumps(document).encode()


@pytest.mark.rule("CK01")
def test_a_request_names_the_key_ids_in_init_data_order_and_the_session_type() -> None:
    other = KeyId(b"\x00" * 16)
    assert clearkey.write_request([KID, other], "temporary") == (
        b'{"kids":["MDEyMzQ1Njc4OTAxMjM0NQ","AAAAAAAAAAAAAAAAAAAAAA"],"type":"temporary"}'
    )


@given(many_kids, types)
def test_a_request_is_read_as_it_was_written(asked: tuple[KeyId, ...], session_type: str) -> None:
    request = clearkey.ClearKeyRequest(kids=asked, type=session_type)
    for tolerant in (False, True):
        assert clearkey.read_request(clearkey.write_request(asked, session_type), tolerant=tolerant) == request


@given(st.dictionaries(kids, keys, min_size=1, max_size=6), types)
def test_a_license_is_read_as_it_was_written(held: dict[KeyId, ContentKey], session_type: str) -> None:
    license_read = clearkey.read_license(clearkey.write_license(held.items(), session_type))
    assert license_read == clearkey.ClearKeyLicense(keys=tuple(held.items()), type=session_type)


@pytest.mark.rule("CK04")
def test_a_license_without_a_type_is_temporary() -> None:
    assert clearkey.read_license(changed(lambda it: it.pop("type"))).type == "temporary"


@pytest.mark.rule("CK04")
@pytest.mark.parametrize("session_type", ["Temporary", "", "persistent", None, 1, ["temporary"], True])
def test_an_unknown_session_type_is_refused(session_type: object) -> None:
    with pytest.raises(LicenseError, match="session type"):
        clearkey.read_license(changed(lambda it: it.update(type=session_type)))


@pytest.mark.rule("CK05")
@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "RSA"},
        {"kty": "OCT"},
        {"kty": None},
        {"kid": ""},
        {"kid": None},
        {"kid": "MDEyMzQ1Njc4OTAxMjM0NQ=="},
        {"kid": "MDEyMzQ1Njc4OTAxMjM0N+"},
        {"k": ""},
        {"k": "QUJDREVGR0hJSktMTU5PUA=="},
        {"k": "QUJDREVGR0hJSktMTU5P"},
        {"k": "QUJDREVGR0hJSktMTU5PUFE"},
        {"k": 16},
    ],
)
def test_one_bad_entry_spoils_the_whole_set(entry: dict[str, object]) -> None:
    good = {"kty": "oct", "kid": "AAAAAAAAAAAAAAAAAAAAAA", "k": "QUJDREVGR0hJSktMTU5PUA"}

    def spoil(document: dict[str, Any]) -> None:
        document["keys"][0].update(entry)
        document["keys"].insert(0, good)

    with pytest.raises(LicenseError, match=r"license keys\[1\]"):
        clearkey.read_license(changed(spoil))


@pytest.mark.rule("CK05")
@pytest.mark.parametrize("member", ["kty", "kid", "k"])
def test_an_entry_without_one_of_its_members_is_refused(member: str) -> None:
    with pytest.raises(LicenseError, match="missing"):
        clearkey.read_license(changed(lambda it: it["keys"][0].pop(member)))


@pytest.mark.rule("decisions:D29")
@pytest.mark.parametrize("value", [None, [], {}, "", 0])
def test_a_license_whose_keys_are_null_or_empty_is_refused(value: object) -> None:
    with pytest.raises(LicenseError):
        clearkey.read_license(changed(lambda it: it.update(keys=value)))


@pytest.mark.rule("decisions:D29")
def test_no_empty_clear_key_license_is_ever_written() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        clearkey.write_license([], "temporary")


@pytest.mark.rule("CK06")
def test_extra_members_are_ignored_and_may_be_any_utf_8() -> None:
    document = json.loads(json.dumps(LICENSE))
    document["note"] = ["ü", {"深": 1.5}]
    document["keys"][0]["alg"] = "Ä"
    assert clearkey.read_license(json.dumps(document, ensure_ascii=False).encode()).keys == ((KID, KEY),)


@pytest.mark.rule("CK06")
@pytest.mark.parametrize("member", ["kid", "k"])
def test_key_id_and_key_are_ascii(member: str) -> None:
    with pytest.raises(LicenseError, match="base64url"):
        clearkey.read_license(changed(lambda it: it["keys"][0].update({member: "ÄDEyMzQ1Njc4OTAxMjM0NQ"})))


@pytest.mark.rule("ML06")
def test_a_key_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(LicenseError, match="twice"):
        clearkey.read_license(changed(lambda it: it["keys"].append(it["keys"][0])))


@pytest.mark.rule("CK07")
def test_a_request_holds_at_most_128_key_ids_of_at_most_512_bytes() -> None:
    distinct = [KeyId(number.to_bytes(2)) for number in range(129)]
    assert len(clearkey.read_request(clearkey.write_request(distinct[:128], "temporary")).kids) == 128
    with pytest.raises(LicenseError, match="at most 128"):
        clearkey.read_request(clearkey.write_request(distinct, "temporary"))
    longest = KeyId(bytes(512))
    assert keyids.read(keyids.write([longest])) == (longest,)
    with pytest.raises(LicenseError, match="1 to 512"):
        keyids.read(json.dumps({"kids": ["A" * 684]}).encode())


@pytest.mark.rule("CK07")
def test_a_license_over_64_kib_is_refused() -> None:
    with pytest.raises(LicenseError) as caught:
        clearkey.read_license(changed(lambda it: it.update(note="x" * 65_536)))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("text", ["MDEyMzQ1Njc4OTAxMjM0NQ==", "MDEyMzQ1Njc4OTAxMjM0NQ"])
def test_a_server_takes_padding(text: str) -> None:
    body = json.dumps({"kids": [text]}).encode()
    assert clearkey.read_request(body, tolerant=True) == clearkey.ClearKeyRequest(kids=(KID,))


def test_a_player_does_not_take_padding() -> None:
    with pytest.raises(LicenseError):
        clearkey.read_request(b'{"kids":["MDEyMzQ1Njc4OTAxMjM0NQ=="]}')


@pytest.mark.parametrize(
    "body", [b"{}", b'{"kids":[]}', b'{"kids":"AA"}', b'{"kids":[1]}', b'{"kids":["AA"],"type":1}']
)
def test_a_request_that_asks_for_nothing_is_refused(body: bytes) -> None:
    with pytest.raises(LicenseError):
        clearkey.read_request(body, tolerant=True)


@pytest.mark.rule("ID01")
@given(st.lists(kids, max_size=6).map(tuple))
def test_keyids_are_read_as_they_were_written(given_kids: tuple[KeyId, ...]) -> None:
    assert keyids.read(keyids.write(given_kids)) == given_kids


@pytest.mark.rule("ID01")
def test_keyids_may_have_other_members_and_an_empty_list() -> None:
    assert keyids.read(b'{"kids":["AQ"],"more":{"x":[]}}') == (KeyId(b"\x01"),)
    assert keyids.read(b'{"kids":[]}') == ()


@pytest.mark.rule("ID01")
@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"kids":{}}', b'{"kids":null}', b'{"kids":[1]}', b'{"kids":["*"]}', b'{"kids":[""]}']
)
def test_keyids_of_another_shape_are_refused(data: bytes) -> None:
    with pytest.raises(LicenseError):
        keyids.read(data)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_license_is_read_or_refused_in_one_line_without_secrets(data: st.DataObject) -> None:
    damaged = bytearray(clearkey.write_license([(KID, KEY)], "temporary"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    message = ""
    try:
        clearkey.read_license(bytes(damaged))
    except LicenseError as error:
        message = str(error)
    assert "QUJDREVG" not in message
    assert "\n" not in message


@given(keys)
def test_no_repr_shows_a_key(key: ContentKey) -> None:
    shown = repr(clearkey.ClearKeyLicense(keys=((KID, key),)))
    assert "hidden" in shown
    assert key.reveal().hex() not in shown
