"""CMCD as text: the examples and rules of CTA-5004."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.wire import cmcd
from player.wire.cmcd import Value

SID = "6e2fb550-c457-11e9-bb97-0800200c9a66"
EVERY_KEY: dict[str, Value | None] = {
    "sid": SID,
    "v": 1,
    "cid": "faec5fc2-ac30-11ea-bb37-0242ac130002",
    "br": 3200,
    "bl": 21300,
    "bs": True,
    "d": 4004,
    "dl": 18500,
    "mtp": 48100,
    "nor": "../300kbps/track.m4v",
    "nrr": "12323-48763",
    "ot": "v",
    "pr": 1.08,
    "rtp": 12000,
    "sf": "d",
    "st": "v",
    "su": True,
    "tb": 6000,
}


@pytest.mark.rule("dash:N5")
def test_every_key_is_written_as_in_the_standards_example_of_a_query_argument() -> None:
    assert cmcd.query(EVERY_KEY) == (
        "CMCD=bl%3D21300%2Cbr%3D3200%2Cbs%2Ccid%3D%22faec5fc2-ac30-11ea-bb37-0242ac130002%22%2Cd%3D4004%2Cdl%3D18500"
        "%2Cmtp%3D48100%2Cnor%3D%22..%252F300kbps%252Ftrack.m4v%22%2Cnrr%3D%2212323-48763%22%2Cot%3Dv%2Cpr%3D1.08"
        "%2Crtp%3D12000%2Csf%3Dd%2Csid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22%2Cst%3Dv%2Csu%2Ctb%3D6000"
    )


@pytest.mark.rule("dash:N5")
def test_headers_are_those_of_the_standards_examples() -> None:
    values: dict[str, Value | None] = {
        "mtp": 25400,
        "br": 3200,
        "d": 4004,
        "ot": "v",
        "tb": 6000,
        "rtp": 15000,
        "bs": True,
    }
    assert dict(cmcd.headers(values | {"sid": SID})) == {
        "cmcd-object": "br=3200,d=4004,ot=v,tb=6000",
        "cmcd-request": "mtp=25400",
        "cmcd-session": f'sid="{SID}"',
        "cmcd-status": "bs,rtp=15000",
    }


def test_the_four_headers_together_say_what_the_argument_says() -> None:
    said = ",".join(text for _, text in cmcd.headers(EVERY_KEY))
    assert sorted(said.split(",")) == sorted(cmcd.encode(EVERY_KEY).split(","))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"bs": False, "su": None, "pr": 1.0, "v": 1}, ""),
        ({"bl": 21_349.9, "dl": 21_350, "mtp": 49, "rtp": 50}, "bl=21300,dl=21400,mtp=0,rtp=100"),
        ({"br": 3199.6, "d": 1_999.9}, "br=3200,d=2000"),
        ({"cid": 'a "quoted" \\ word'}, r'cid="a \"quoted\" \\ word"'),
        ({"nor": "a b/ü.m4s"}, 'nor="a%20b%2F%C3%BC.m4s"'),
        ({"pr": 0, "v": 2}, "pr=0,v=2"),
    ],
)
def test_values_are_rounded_quoted_and_left_out_as_the_standard_says(values: cmcd.Values, text: str) -> None:
    assert cmcd.encode(values) == text


@pytest.mark.parametrize("values", [{"cid": "x" * 65}, {"sid": "a\r\nx: y"}, {"cid": "ü"}])
def test_what_no_header_can_carry_is_refused(values: cmcd.Values) -> None:
    with pytest.raises(ValueError, match="CMCD"):
        cmcd.headers(values)


@pytest.mark.parametrize(
    ("url", "on_the_wire"),
    [
        ("http://h/a", "http://h/a?CMCD=x"),
        ("http://h/a?t=%2F&e=1#f", "http://h/a?t=%2F&e=1&CMCD=x"),
        ("http://h/a?CMCD=old&t=1", "http://h/a?t=1&CMCD=x"),
        ("http://h?XCMCD=1", "http://h?XCMCD=1&CMCD=x"),
    ],
)
def test_the_argument_stands_behind_those_of_the_url_and_only_once(url: str, on_the_wire: str) -> None:
    assert cmcd.added(url, "CMCD=x") == on_the_wire
    assert "CMCD=x" not in cmcd.without(on_the_wire)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=64))
def test_any_printable_text_comes_out_of_the_argument_as_it_went_in(text: str) -> None:
    url = cmcd.added("http://h/a?b=1", cmcd.query({"cid": text, "su": True}))
    [said] = parse_qs(urlsplit(url).query)["CMCD"]
    quoted = said.removeprefix('cid="').removesuffix('",su')
    assert re.sub(r"\\(.)", r"\1", quoted) == text
    assert cmcd.without(url) == "http://h/a?b=1"
