"""What is no usable XML costs the document, in one clear line and in bounded time and memory."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.errors import ManifestError
from player.mpd.document import UNREADABLE
from player.mpd.parse import parse

URL = "http://origin.example/a.mpd"
NS = "urn:mpeg:dash:schema:mpd:2011"
SMALL = (
    f'<MPD xmlns="{NS}" mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="v"><SegmentTemplate duration="2" media="$Number$"/></Representation></AdaptationSet>'
    "</Period></MPD>"
)
BOMB = '<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE MPD SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "not-mpd", "is empty"),
        (b" \n\t", "not-mpd", "is empty"),
        (b"<!DOCTYPE html><html><body>404<br></body></html>", "not-mpd", "an HTML page"),
        (b"\xef\xbb\xbf\n<HTML><p>Not here", "not-mpd", "an HTML page"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "not-mpd", "an HTML page"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "not-mpd", "an HLS playlist"),
        (b'{"error": 404}', "not-mpd", "a JSON document"),
        (b"<SmoothStreamingMedia/>", "not-mpd", "root 'SmoothStreamingMedia'"),
        (f'<Patch xmlns="{NS}"/>'.encode(), "not-mpd", "an MPD Patch"),
        (b'<MPD xmlns="urn:other"/>', "not-mpd", "not an MPD"),
        (b"<MPD", "not-xml", "line 1, column 0"),
        (b"<MPD>\n<Period>\n</MPD>", "not-xml", "line 3, column 2"),
        (b"\x00\x00\x00\x18ftypdash", "not-xml", "no well-formed XML"),
        (b"\x89PNG\r\n\x1a\n", "not-xml", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="klingon"?><MPD/>', "not-xml", "is not an MPD"),
        (b'<?xml version="1.0" encoding="utf-7"?><MPD/>', "not-xml", "is not an MPD"),
        (b"<MPD a='\x80'/>", "not-xml", "no well-formed XML"),
        (b"<p:MPD/>", "not-xml", "no well-formed XML"),
        ((BOMB + SMALL).encode(), "doctype", "DOCTYPE"),
        ((EXTERNAL + SMALL).encode(), "doctype", "DOCTYPE"),
        ((BOMB + SMALL).encode("utf-16"), "doctype", "DOCTYPE"),
        (('<?xml version="1.0" encoding="utf-16"?>' + BOMB + SMALL).encode("utf-16"), "doctype", "DOCTYPE"),
        (b"<MPD/>" + b" " * (16 << 20), "too-large", "bytes"),
        (b"<MPD>" + b"<a/>" * 500_001 + b"</MPD>", "too-large", "elements"),
        (b"<MPD>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</MPD>", "too-large", "levels deep"),
        (b'<MPD x="' + b"a" * 70_000 + b'"/>', "too-large", "@x has 70000 characters"),
        (f'<MPD xmlns="{NS}"/>'.encode(), "nothing-to-play", "no AdaptationSet"),
    ],
)
def test_what_is_no_mpd_is_told_in_one_line(data: bytes, code: str, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(data, URL)
    assert caught.value.code == code
    assert code in UNREADABLE
    assert words in str(caught.value)
    assert URL in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_an_mpd_may_come_in_any_usual_encoding(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")[:7].rstrip("-")}"?>'
    assert parse((declared + SMALL).encode(encoding), URL).warnings == ()


def test_a_prefixed_root_is_an_mpd_like_any_other() -> None:
    prefixed = SMALL.replace("</", "</d:").replace("<", "<d:").replace("<d:/d:", "</d:").replace("xmlns=", "xmlns:d=")
    assert parse(prefixed.encode(), URL) == parse(SMALL.encode(), URL)


@pytest.mark.parametrize("namespace", ["", "urn:mpeg:DASH:schema:MPD:2011"])
def test_a_sloppy_namespace_is_a_warning(namespace: str) -> None:
    presentation = parse(SMALL.replace(NS, namespace).encode(), URL)
    assert "namespace" in presentation.warnings[0]
    assert presentation.periods == parse(SMALL.encode(), URL).periods


def test_warnings_stop_at_a_hundred() -> None:
    broken = '<AdaptationSet mimeType="video/mp4"/>' * 500
    presentation = parse(SMALL.replace("<Period>", f"<Period>{broken}").encode(), URL)
    assert len(presentation.warnings) == 101
    assert presentation.warnings[-1] == "400 further warnings"


@given(st.binary(max_size=200))
def test_garbage_is_a_manifest_error(data: bytes) -> None:
    with pytest.raises(ManifestError):
        parse(data, URL)


@settings(max_examples=200)
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_mpd_is_read_or_refused(at: int, put: bytes, cut: int) -> None:
    data = SMALL.encode()
    with suppress(ManifestError):
        parse(data[:at] + put + data[at + cut :], URL)
