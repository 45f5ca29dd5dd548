"""Identical bytes are parsed once for all clients."""

from __future__ import annotations

from typing import Any

import pytest

from player.clock import SECOND
from player.engine.actions import Fetch, Fetched, FetchKind, Parsed
from player.engine.manifest import Manifest
from player.errors import KeystormError, MediaError
from player.isobmff.model import InitSegment, MediaSegment
from player.mpd.model import Presentation
from player.runtime.cache import ParseCache

URL = "http://origin.test/1.m4s"


class Parser:
    """Counts its calls; every result is a new object."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, fetch: Fetch, body: bytes, url: str) -> Parsed | None:
        self.calls += 1
        if body == b"broken":
            raise MediaError("bad-box", "moof", 0, "broken")
        if fetch.kind is FetchKind.MPD:
            return Manifest(Presentation(url=url, dynamic=True, periods=(), time_shift_us=600 * SECOND))
        return MediaSegment(fragments=())


def _answer(body: bytes = b"bytes", *, etag: str | None = None, status: int = 200, **options: Any) -> Fetched:
    action = Fetch(**({"kind": FetchKind.MEDIA, "url": URL} | options))
    headers = () if etag is None else (("etag", etag),)
    return Fetched(action=action, status=status, url=action.url, headers=headers, body=body)


@pytest.mark.rule("decisions:D16")
def test_two_clients_that_were_served_the_same_bytes_share_one_result() -> None:
    parser = Parser()
    cache = ParseCache(parser)
    first = cache.with_parsed(_answer(), 0).parsed
    second = cache.with_parsed(_answer(), 1).parsed
    assert first is second
    assert (parser.calls, cache.hits, cache.misses) == (1, 1, 1)


@pytest.mark.rule("decisions:D16")
@pytest.mark.parametrize(
    "other",
    [
        _answer(b"bytez"),
        _answer(b"bytes+"),
        _answer(etag='"2"'),
        _answer(url="http://origin.test/2.m4s"),
        _answer(byte_range=(0, 4)),
        _answer(kind=FetchKind.INIT),
        _answer(context=InitSegment(tracks=())),
    ],
)
def test_other_bytes_or_another_context_give_another_result(other: Fetched) -> None:
    cache = ParseCache(Parser())
    assert (
        cache.with_parsed(_answer(etag='"1"' if other.headers else None), 0).parsed
        is not cache.with_parsed(other, 0).parsed
    )


def test_a_validator_spares_the_digest_but_never_the_length() -> None:
    cache = ParseCache(Parser())
    first = cache.with_parsed(_answer(b"a" * 9, etag='"1"'), 0).parsed
    assert cache.with_parsed(_answer(b"a" * 9, etag='"1"'), 0).parsed is first
    assert cache.with_parsed(_answer(b"a" * 8, etag='"1"'), 0).parsed is not first


@pytest.mark.parametrize("answer", [_answer(status=404), _answer(kind=FetchKind.LICENSE), _answer(kind=FetchKind.TIME)])
def test_refusals_licenses_and_clocks_are_not_parsed(answer: Fetched) -> None:
    parser = Parser()
    assert ParseCache(parser).with_parsed(answer, 0) is answer
    assert parser.calls == 0


def test_what_cannot_be_read_is_a_value_and_is_not_kept() -> None:
    cache = ParseCache(Parser())
    parsed = cache.with_parsed(_answer(b"broken"), 0).parsed
    assert isinstance(parsed, KeystormError)
    assert parsed.__traceback__ is None
    assert len(cache) == 0


def test_an_error_that_is_no_reader_s_comes_out() -> None:
    def faulty(_fetch: Fetch, _body: bytes, _url: str) -> Parsed | None:
        raise LookupError("a fault of ours")

    with pytest.raises(LookupError):
        ParseCache(faulty).with_parsed(_answer(), 0)


@pytest.mark.rule("decisions:D16")
def test_what_nobody_used_for_a_time_shift_window_is_dropped() -> None:
    parser = Parser()
    cache = ParseCache(parser)
    for second in range(300):
        cache.with_parsed(_answer(url=f"http://origin.test/{second}"), second * SECOND)
    assert len(cache) == 61
    cache.with_parsed(_answer(kind=FetchKind.MPD), 300 * SECOND)
    for second in range(300, 1_500):
        cache.with_parsed(_answer(url=f"http://origin.test/{second}"), second * SECOND)
    assert len(cache) == 601


def test_what_is_used_again_stays() -> None:
    parser = Parser()
    cache = ParseCache(parser)
    for second in range(0, 600, 30):
        cache.with_parsed(_answer(), second * SECOND)
    assert parser.calls == 1
