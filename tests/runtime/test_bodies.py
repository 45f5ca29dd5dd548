"""Codings, ranges and redirects: what a body is, on every network."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.engine.actions import Fetch, FetchKind
from player.mpd.model import ByteRange
from player.runtime.coding import PIECE_BYTES, decoder_of
from player.runtime.fetch import ExchangeError
from player.runtime.ranges import bytes_needed, part_of
from player.runtime.redirects import REDIRECTS_MAX, first_hop, next_hop

CODED = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
    "GZIP": lambda data: gzip.compress(data) + b"\0\0padding",
    "deflate": zlib.compress,
    "Deflate": lambda data: zlib.compress(data, wbits=-15),
    "br": brotli.compress,
}


def _decoded(coding: str, pieces: Sequence[bytes]) -> bytes:
    decoder = decoder_of((("content-encoding", coding),))
    decoded = [out for piece in pieces for out in decoder.feed(piece)]
    decoder.finish()
    assert all(len(out) <= 2 * PIECE_BYTES for out in decoded) or coding in ("", "identity")
    return b"".join(decoded)


def _cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in at), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


@given(st.sampled_from(sorted(CODED)), st.binary(min_size=1, max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_wherever_a_coded_body_is_cut_it_unpacks_to_the_same(coding: str, body: bytes, at: list[int]) -> None:
    assert _decoded(coding, _cut(CODED[coding](body), at)) == body


@pytest.mark.rule("dash:N2")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_bomb_comes_in_small_pieces(coding: str) -> None:
    body = bytes(10 << 20)
    bomb = CODED[coding](body)
    assert len(bomb) < 20_000
    decoder = decoder_of((("content-encoding", coding),))
    first = next(iter(decoder.feed(bomb)))
    assert 0 < len(first) <= 2 * PIECE_BYTES
    assert _decoded(coding, [bomb]) == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@given(noise=st.binary(min_size=1, max_size=300))
def test_noise_is_unpacked_or_refused(coding: str, noise: bytes) -> None:
    with suppress(ExchangeError):
        _decoded(coding, [noise])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_coded_body_that_was_cut_is_refused_and_an_empty_one_is_empty(coding: str) -> None:
    with pytest.raises(ExchangeError, match="cut short"):
        _decoded(coding, [CODED[coding](b"x" * 1000)[:-3]])
    assert _decoded(coding, []) == b""


def test_many_small_members_are_refused() -> None:
    with pytest.raises(ExchangeError, match="gzip members"):
        _decoded("gzip", [gzip.compress(b"") * 1000])


@pytest.mark.parametrize("coding", ["zstd", "gzip, br", "compress", "x" * 1000])
def test_a_coding_that_was_not_offered_is_refused_without_repeating_it(coding: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        decoder_of((("content-encoding", coding),))
    assert str(caught.value) == "a content coding other than gzip, deflate, br"


# ── ranges ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:N3")
@pytest.mark.parametrize(
    ("status", "content_range", "body", "asked", "part"),
    [
        (206, "bytes 2-5/10", b"2345", (2, 5), b"2345"),
        (206, "bytes 2-5/*", b"2345", (2, 5), b"2345"),
        (206, "bytes 8-9/10", b"89", (8, 20), b"89"),
        (200, "", b"0123456789", (2, 5), b"2345"),
        (200, "", b"0123456789", (8, 20), b"89"),
        (200, "", b"0123456789", None, b"0123456789"),
        (416, "bytes */10", b"no", (20, 30), b"no"),
    ],
)
def test_the_part_asked_for(status: int, content_range: str, body: bytes, asked: ByteRange | None, part: bytes) -> None:
    assert part_of(body, status, (("content-range", content_range),), asked) == part


@pytest.mark.rule("dash:N3")
@pytest.mark.parametrize(
    ("status", "content_range", "body", "asked"),
    [
        pytest.param(206, "bytes 0-3/10", b"0123", (2, 5), id="another-part"),
        pytest.param(206, "bytes 2-6/10", b"23456", (2, 5), id="more"),
        pytest.param(206, "bytes 2-4/10", b"234", (2, 5), id="less"),
        pytest.param(206, "bytes 2-4/*", b"234", (2, 5), id="less-of-nobody-knows-how-much"),
        pytest.param(206, "bytes 2-5/10", b"23", (2, 5), id="cut"),
        pytest.param(206, "", b"2345", (2, 5), id="no-word-which"),
        pytest.param(206, "items 2-5/10", b"2345", (2, 5), id="no-bytes"),
        pytest.param(206, f"bytes {'9' * 40}-5/10", b"2345", (2, 5), id="absurd"),
        pytest.param(206, "bytes 0-3/10", b"0123", None, id="not-asked-for"),
        pytest.param(200, "", b"01", (2, 5), id="ends-before-it"),
    ],
)
def test_another_part_is_refused(status: int, content_range: str, body: bytes, asked: ByteRange | None) -> None:
    with pytest.raises(ExchangeError):
        part_of(body, status, (("content-range", content_range),), asked)


def test_of_a_whole_resource_no_more_is_read_than_the_part_needs() -> None:
    assert bytes_needed(200, (2, 5)) == 6
    assert bytes_needed(206, (2, 5)) is None
    assert bytes_needed(200, None) is None


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_added_on_the_wire_is_no_part_of_a_resources_name() -> None:
    fetch = Fetch(kind=FetchKind.MPD, url="http://a.test/live.mpd?token=1", query="CMCD=ot%3Dm")
    hop = first_hop(fetch)
    assert hop.url == "http://a.test/live.mpd?token=1&CMCD=ot%3Dm"
    assert hop.named == fetch.url
    there = next_hop(hop, 302, "/there.mpd?CMCD=ot%3Dm&x=1")
    assert there is not None
    assert there.named == "http://a.test/there.mpd?x=1"


def test_a_foreign_origin_sees_no_header_that_may_hold_a_secret_and_none_of_cmcd() -> None:
    headers = (("Authorization", "t"), ("CMCD-Session", "sid"), ("Content-Type", "x"))
    hop = first_hop(Fetch(kind=FetchKind.LICENSE, url="http://a.test/x", headers=headers))
    for location, kept in (("http://a.test/y", 4), ("https://a.test/y", 2), ("http://a.test:81/y", 2)):
        there = next_hop(hop, 307, location)
        assert there is not None
        assert len(there.headers) == kept


def test_redirects_have_an_end() -> None:
    hop = first_hop(Fetch(kind=FetchKind.MEDIA, url="http://a.test/x"))
    for _ in range(REDIRECTS_MAX):
        there = next_hop(hop, 301, "/x")
        assert there is not None
        hop = there
    with pytest.raises(ExchangeError, match="redirects"):
        next_hop(hop, 301, "/x")
