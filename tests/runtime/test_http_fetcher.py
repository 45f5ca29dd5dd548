"""The aiohttp fetcher against real sockets, and against servers that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import brotli
import pytest

from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind, Progress
from player.mpd.model import ByteRange
from player.runtime.clock import SystemClock
from player.runtime.fetch import BODY_LIMIT_BYTES
from player.runtime.http import HttpFetcher

Request = tuple[str, str, dict[str, str], bytes]
"""Method, target, headers in lower case, body."""

Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncIterator[str]:
    """Reads a request, lets `answer` write whatever it likes, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(await _read(reader), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    return method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))


def _bytes(status: int, body: bytes, **headers: str) -> bytes:
    fields = {"content-length": str(len(body)), "connection": "close"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _writes(data: bytes) -> Answer:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def _fetch(
    url: str,
    kind: FetchKind = FetchKind.MEDIA,
    *,
    byte_range: ByteRange | None = None,
    timeout_us: int = 5_000_000,
    method: str = "GET",
    body: bytes | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    **limits: Any,
) -> Fetch:
    return Fetch(
        kind=kind,
        url=url,
        byte_range=byte_range,
        timeout_us=timeout_us,
        method=method,
        body=body,
        headers=headers,
        **limits,
    )


async def _with_fetcher(action: Fetch) -> Fetched | FetchFailed:
    clock = SystemClock()
    fetcher = HttpFetcher(clock)
    began = clock.now()
    try:
        result = await fetcher.fetch(action)
    finally:
        await fetcher.close()
    assert began <= result.sent_at <= result.done_at <= clock.now()
    return result


def _run(main: Coroutine[Any, Any, Fetched | FetchFailed]) -> Fetched | FetchFailed:
    return asyncio.run(main)


def _against(answer: Answer, path: str = "/x", **options: Any) -> Fetched | FetchFailed:
    async def main() -> Fetched | FetchFailed:
        async with raw_server(answer) as url:
            return await _with_fetcher(_fetch(url + path, **options))

    return _run(main())


def _fetched(result: Fetched | FetchFailed) -> Fetched:
    assert isinstance(result, Fetched), result
    return result


def _code(result: Fetched | FetchFailed) -> str:
    assert isinstance(result, FetchFailed), result
    assert "\n" not in result.reason
    return result.code


@pytest.mark.parametrize("status", [200, 204, 404, 429, 500])
def test_an_answer_of_any_status_is_an_answer(status: int) -> None:
    body = b"" if status == 204 else b"body"
    result = _fetched(_against(_writes(_bytes(status, body, ETag='"a"', Retry_After="3"))))
    assert (result.status, result.body, dict(result.headers)["etag"]) == (status, body, '"a"')
    assert dict(result.headers)["retry-after"] == "3"


def test_a_license_request_is_posted_with_its_headers_and_body() -> None:
    seen: list[Request] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(_bytes(200, b"license"))

    headers = (("Content-Type", "application/json"), ("X-Token", "t"))
    result = _fetched(_against(answer, kind=FetchKind.LICENSE, method="POST", body=b"{}", headers=headers))
    assert result.body == b"license"
    method, target, got, body = seen[0]
    assert (method, target, body) == ("POST", "/x", b"{}")
    assert (got["content-type"], got["x-token"]) == ("application/json", "t")
    assert "cookie" not in got


def test_a_part_of_a_resource_is_asked_for_and_a_server_that_sends_all_of_it_is_understood() -> None:
    seen: list[str] = []

    async def partial(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request[2]["range"])
        writer.write(_bytes(206, b"2345", Content_Range="bytes 2-5/10"))

    assert _fetched(_against(partial, byte_range=(2, 5))).body == b"2345"
    assert seen == ["bytes=2-5"]
    assert _fetched(_against(_writes(_bytes(200, b"0123456789")), byte_range=(2, 5))).body == b"2345"


def test_a_slow_server_times_out_over_the_whole_exchange() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(50):
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    result = _against(answer, timeout_us=200_000)
    assert _code(result) == "timeout"
    assert 190_000 < result.done_at - result.sent_at < 900_000


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no-answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345", id="cut"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n", id="cut-in-chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", id="no-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", id="length-is-no-number"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", id="negative-length"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="no-http"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", id="endless-header"),
        pytest.param(_bytes(200, b"no gzip", content_encoding="gzip"), id="no-gzip"),
    ],
)
def test_a_broken_answer_is_told_as_broken(data: bytes) -> None:
    assert _code(_against(_writes(data))) == "broken"


def test_bytes_after_the_promised_length_are_not_part_of_the_answer() -> None:
    result = _against(_writes(_bytes(200, b"12345") + b"more"))
    assert result.body == b"12345" if isinstance(result, Fetched) else result.code == "broken"


def test_a_length_beyond_the_limit_is_refused_before_the_body_is_read() -> None:
    limit = BODY_LIMIT_BYTES[FetchKind.LICENSE]
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {limit + 1}\r\n\r\n".encode()
    result = _against(_writes(head), kind=FetchKind.LICENSE)
    assert _code(result) == "broken"
    assert isinstance(result, FetchFailed)
    assert str(limit) in result.reason


def test_a_body_that_grows_beyond_the_limit_is_cut_off() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(b"." * 8192)
            await writer.drain()

    assert _code(_against(answer, kind=FetchKind.LICENSE)) == "broken"


def test_a_compressed_bomb_counts_by_what_it_unpacks_to() -> None:
    bomb = gzip.compress(bytes(4 << 20))
    assert len(bomb) < BODY_LIMIT_BYTES[FetchKind.LICENSE]
    assert _code(_against(_writes(_bytes(200, bomb, content_encoding="gzip")), kind=FetchKind.LICENSE)) == "broken"


def test_the_largest_body_allowed_passes() -> None:
    body = bytes(BODY_LIMIT_BYTES[FetchKind.LICENSE])
    assert _fetched(_against(_writes(_bytes(200, body)), kind=FetchKind.LICENSE)).body == body


def test_redirects_are_followed_and_the_last_url_is_told() -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        there = request[1].startswith("/b")
        writer.write(_bytes(200, request[0].encode()) if there else _bytes(302, b"", Location="../b?c=d"))

    result = _fetched(_against(answer, "/a/x"))
    assert result.url.endswith("/b?c=d")
    assert result.body == b"GET"


@pytest.mark.parametrize(
    ("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"ask"), (308, "POST", b"ask")]
)
def test_a_post_keeps_method_and_body_only_where_the_status_says_so(status: int, method: str, body: bytes) -> None:
    seen: list[Request] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request)
        writer.write(_bytes(status, b"", Location="/there") if len(seen) == 1 else _bytes(200, b"ok"))

    assert _fetched(_against(answer, kind=FetchKind.LICENSE, method="POST", body=b"ask")).status == 200
    assert (seen[1][0], seen[1][3]) == (method, body)


def test_a_loop_of_redirects_ends() -> None:
    assert _code(_against(_writes(_bytes(302, b"", Location="/x")))) == "refused-url"


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://", "http://[::1", "javascript:1"]
)
def test_a_redirect_to_anything_but_http_is_refused(location: str) -> None:
    assert _code(_against(_writes(_bytes(302, b"", Location=location)))) == "refused-url"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/", "x.mpd", "", "http:///x", "http://[x", "http://h:99999/", "http://h:x/"]
)
def test_only_http_urls_are_fetched(url: str) -> None:
    assert _code(_run(_with_fetcher(_fetch(url)))) == "refused-url"


def test_a_token_does_not_follow_a_redirect_to_another_origin() -> None:
    seen: list[dict[str, str]] = []

    async def target(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request[2])
        writer.write(_bytes(200, b""))

    async def main() -> Fetched | FetchFailed:
        async with raw_server(target) as there, raw_server(_writes(_bytes(307, b"", Location=there + "/y"))) as here:
            headers = (("x-token", "secret"), ("content-type", "application/json"))
            return await _with_fetcher(_fetch(here + "/x", method="POST", body=b"{}", headers=headers))

    assert _fetched(_run(main())).status == 200
    assert "x-token" not in seen[0]
    assert seen[0]["content-type"] == "application/json"


def test_a_port_that_nobody_serves_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        assert _code(_run(_with_fetcher(_fetch(url)))) == "unreachable"


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    assert _code(_run(_with_fetcher(_fetch("http://nowhere.invalid/x", timeout_us=9_000_000)))) in (
        "unreachable",
        "timeout",
    )


@pytest.mark.rule("decisions:D80")
def test_many_waiting_licenses_hold_no_segment_up() -> None:
    """aiohttp's own limit of 100 connections would let the segment wait for a license."""
    release = asyncio.Event()
    waiting = 0

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        if request[1] == "/license":
            waiting += 1
            await release.wait()
        writer.write(_bytes(200, b"ok"))

    async def main() -> tuple[int, Fetched | FetchFailed]:
        fetcher = HttpFetcher(SystemClock())
        async with raw_server(answer) as url:
            ask = _fetch(url + "/license", FetchKind.LICENSE, method="POST", body=b"{}", timeout_us=20_000_000)
            licenses = [asyncio.create_task(fetcher.fetch(ask)) for _ in range(150)]
            while waiting < 150:
                await asyncio.sleep(0.01)
            segment = await fetcher.fetch(_fetch(url + "/segment"))
            release.set()
            done = await asyncio.gather(*licenses)
            await fetcher.close()
        return sum(isinstance(result, Fetched) for result in done), segment

    answered, segment = asyncio.run(main())
    assert answered == 150
    assert isinstance(segment, Fetched)


def test_cancelling_a_fetch_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            closed.set()

    async def main() -> None:
        fetcher = HttpFetcher(SystemClock())
        async with raw_server(answer) as url:
            task = asyncio.create_task(fetcher.fetch(_fetch(url)))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(5):
                await closed.wait()
        await fetcher.close()

    asyncio.run(main())


# ── limits of one's own ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_that_stalls_is_given_up_before_the_whole_time_is_over() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
        await writer.drain()
        await asyncio.sleep(1)

    result = _against(answer, stall_timeout_us=100_000)
    assert _code(result) == "timeout"
    assert isinstance(result, FetchFailed)
    assert result.reason == "nothing more came for 0.1 s"
    assert result.done_at - result.sent_at < 900_000


def test_a_server_that_thinks_for_long_does_not_stall() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.25)
        for byte in (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", b"1", b"2", b"3"):
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.05)

    assert _fetched(_against(answer, stall_timeout_us=200_000)).body == b"123"


def test_a_head_that_trickles_in_is_bounded_by_the_whole_time() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        for _ in range(100):
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert _code(_against(answer, timeout_us=200_000, stall_timeout_us=100_000)) in ("timeout", "broken")


def test_a_host_that_never_accepts_is_given_up_in_the_time_for_connecting() -> None:
    async def main() -> Fetched | FetchFailed:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(3)]
            try:
                for each in waiting:
                    each.setblocking(False)
                    each.connect_ex(full.getsockname())
                await asyncio.sleep(0.05)
                url = f"http://127.0.0.1:{full.getsockname()[1]}/"
                return await _with_fetcher(_fetch(url, timeout_us=3_000_000, connect_timeout_us=200_000))
            finally:
                for each in waiting:
                    each.close()

    result = _run(main())
    assert _code(result) == "timeout"
    assert isinstance(result, FetchFailed)
    assert result.reason == "no connection in time"


@pytest.mark.rule("dash:N3")
def test_an_endless_answer_to_a_request_for_a_part_is_read_up_to_its_end() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n0123456789")
        while True:
            writer.write(b"." * 8192)
            await writer.drain()

    assert _fetched(_against(answer, kind=FetchKind.INDEX, byte_range=(2, 9))).body == b"23456789"


@pytest.mark.rule("dash:N3")
def test_another_part_than_the_one_asked_for_is_broken() -> None:
    wrong = _bytes(206, b"0123", Content_Range="bytes 0-3/10")
    assert _code(_against(_writes(wrong), byte_range=(2, 5))) == "broken"
    assert _code(_against(_writes(wrong))) == "broken"
    assert _fetched(_against(_writes(_bytes(416, b"", Content_Range="bytes */10")), byte_range=(20, 25))).status == 416


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)]
)
def test_codings_are_offered_and_taken_off(coding: str, pack: Callable[[bytes], bytes]) -> None:
    offered: list[str] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        offered.append(request[2]["accept-encoding"])
        writer.write(_bytes(200, pack(b"<MPD/>" * 999), Content_Encoding=coding))

    assert _fetched(_against(answer, kind=FetchKind.MPD)).body == b"<MPD/>" * 999
    assert coding in offered[0]


@pytest.mark.rule("dash:N2")
@pytest.mark.parametrize("pack", [gzip.compress, brotli.compress])
def test_a_bomb_is_cut_off_whatever_it_was_packed_with(pack: Callable[[bytes], bytes]) -> None:
    coding = "br" if pack is brotli.compress else "gzip"
    bomb = _bytes(200, pack(bytes(20 << 20)), content_encoding=coding)
    assert _code(_against(_writes(bomb), kind=FetchKind.MPD)) == "broken"


def test_a_url_goes_out_as_it_was_written() -> None:
    seen: list[str] = []

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append(request[1])
        writer.write(_bytes(200, b"ok"))

    path = "/a%2Fb%2C,c~%7E/x.m4s?sig=%2B%3D+%2c&e=1,2"
    result = _fetched(_against(answer, path, query="CMCD=bl%3D1%2Cot%3Dv"))
    assert seen == [f"{path}&CMCD=bl%3D1%2Cot%3Dv"]
    assert result.url.endswith(path)
    assert _fetched(_against(answer, "/ü b")).body == b"ok"
    assert seen[1] == "/%C3%BC%20b"


# ── bodies that are still arriving ───────────────────────────────────────────────────────────────────────────────────


def test_progress_is_told_while_a_body_comes_where_it_was_asked_for() -> None:
    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n")
        for _ in range(4):
            writer.write(b"." * 100)
            await writer.drain()
            await asyncio.sleep(0.06)

    async def main(progress: bool) -> list[Progress]:
        told: list[Progress] = []
        async with raw_server(answer) as url:
            fetcher = HttpFetcher(SystemClock())
            try:
                await fetcher.fetch(_fetch(url, progress=progress), told.append)
            finally:
                await fetcher.close()
        return told

    told = asyncio.run(main(True))
    assert 2 <= len(told) <= 4
    assert [p.received for p in told] == sorted(p.received for p in told)
    assert {p.total for p in told} == {400}
    assert asyncio.run(main(False)) == []
