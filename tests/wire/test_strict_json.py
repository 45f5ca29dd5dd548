"""Strict JSON and base64url: every trap of the standard readers, named."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.errors import LicenseError
from player.wire.members import MAX_WHOLE, flag, nullable, whole
from player.wire.strict import (
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    b64url_decode,
    b64url_encode,
    read_object,
    write_object,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refusal(data: bytes) -> LicenseError:
    with pytest.raises(LicenseError) as caught:
        read_object(data, "license")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "the errors of json and decode hold the document"
    return caught.value


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_what_is_written_is_read_again(document: dict[str, object]) -> None:
    assert read_object(write_object(document), "document") == document


def test_documents_are_written_in_one_form_only() -> None:
    assert write_object({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'.encode()


@pytest.mark.rule("PT07")
@pytest.mark.parametrize(
    "data",
    [
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\x80"}',
    ],
)
def test_only_utf_8_without_a_byte_order_mark_is_read(data: bytes) -> None:
    assert refusal(data).code == "bad-json"


@pytest.mark.rule("PT08")
@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused(name: str) -> None:
    assert name in str(refusal(f'{{"a":{name}}}'.encode()))


@pytest.mark.rule("PT09")
@pytest.mark.parametrize("number", ["1e400", "-1e400", "[0.5,1E+999]"])
def test_a_number_that_would_become_infinite_is_refused(number: str) -> None:
    assert "too large" in str(refusal(f'{{"a":{number}}}'.encode()))


@pytest.mark.rule("PT10")
@pytest.mark.parametrize("data", [b'{"a":1,"a":1}', b'{"k":[{"a":1,"b":2,"a":3}]}', rb'{"a":1,"\u0061":2}'])
def test_a_member_that_stands_twice_is_refused(data: bytes) -> None:
    assert "twice" in str(refusal(data))


@pytest.mark.rule("PT11")
@pytest.mark.parametrize("data", [rb'{"a":"\ud800"}', rb'{"\udfff":1}', rb'{"a":[["\udc00\ud800"]]}'])
def test_a_lone_surrogate_is_refused_where_it_is_parsed(data: bytes) -> None:
    assert "surrogate" in str(refusal(data))


@pytest.mark.rule("PT11")
def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_object(rb'{"a":"\ud83d\ude00"}', "document") == {"a": "😀"}


@pytest.mark.rule("PT12")
@pytest.mark.parametrize("depth", [MAX_DEPTH, 900, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused_at_the_same_depth_whoever_calls(depth: int, opening: str, closing: str) -> None:
    document = '{"a":' + opening * depth + "1" + closing * depth + "}"
    if len(document) <= MAX_DOCUMENT_BYTES:
        assert "nested" in str(refusal(document.encode()))


@pytest.mark.rule("PT12")
def test_nesting_up_to_the_bound_is_read() -> None:
    depth = MAX_DEPTH - 1
    assert read_object(b'{"a":' + b"[" * depth + b"]" * depth + b"}", "document")


@pytest.mark.rule("PT13")
@pytest.mark.parametrize("digits", ["9" * 20, "-" + "9" * 20, "1" * 5000])
def test_a_huge_integer_is_refused(digits: str) -> None:
    assert "integer" in str(refusal(f'{{"a":{digits}}}'.encode()))


@pytest.mark.rule("PT13")
@pytest.mark.parametrize("value", [True, False, -1, MAX_WHOLE + 1, 1.0, "1", None, [1]])
def test_only_a_whole_number_is_a_number(value: object) -> None:
    with pytest.raises(LicenseError):
        whole(value, "license policy.exp")


@pytest.mark.rule("PT13")
def test_a_number_is_no_flag() -> None:
    assert nullable(None, "x", flag) is None
    with pytest.raises(LicenseError):
        flag(1, "license policy.persist")


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'"{}"', b"{", b'{"a":1}x', b"{'a':1}", b'{"a":1}\x00'])
def test_anything_but_one_object_is_refused(data: bytes) -> None:
    assert refusal(data).code == "bad-json"


def test_a_document_over_the_limit_is_not_parsed() -> None:
    assert refusal(b"[" * (MAX_DOCUMENT_BYTES + 1)).code == "too-large"


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0123abdn -.eE', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    code = ""
    try:
        read_object(data, "document")
    except LicenseError as error:
        code = error.code
    assert code in {"", "bad-json"}


@pytest.mark.rule("CK12")
@given(st.binary(max_size=64))
def test_base64url_is_written_without_padding_and_read_again(raw: bytes) -> None:
    text = b64url_encode(raw)
    assert "=" not in text
    assert b64url_decode(text, "kid") == raw


@pytest.mark.rule("PT06")
@pytest.mark.parametrize(
    ("text", "trap"),
    [
        ("QUJD\n", "a final newline"),
        ("QU JD", "a foreign character"),
        ("QUJD*", "a foreign character"),
        ("--__++//", "the alphabet of plain base64"),
        ("QUI=", "padding"),
        ("QUJDR", "a length that cannot be"),
        ("QUJ", "unused trailing bits that are not zero"),
        ("ＱUJD", "a letter outside ASCII"),
    ],
)
def test_what_lax_readers_let_through_is_refused(text: str, trap: str) -> None:
    with pytest.raises(LicenseError) as caught:
        b64url_decode(text, "license keys[0].kid")
    assert caught.value.code == "bad-base64url", trap
    assert text.strip() not in str(caught.value)


@given(st.text(max_size=40))
def test_text_is_base64url_only_if_it_is_what_would_be_written(text: str) -> None:
    try:
        raw = b64url_decode(text, "kid")
    except LicenseError:
        return
    assert b64url_encode(raw) == text


@given(st.binary(max_size=40))
def test_a_tolerant_reader_takes_every_usual_form(raw: bytes) -> None:
    for text in (
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="),
        b64url_encode(raw),
    ):
        assert b64url_decode(text, "kid", tolerant=True) == raw


def test_the_standard_reader_would_have_taken_it() -> None:
    """The reason for the module: `json` and `base64` as they are."""
    assert json.loads('{"a":1,"a":NaN}'.encode("utf-16"))
    assert base64.urlsafe_b64decode("Q U*JD\n") == b"ABC"
