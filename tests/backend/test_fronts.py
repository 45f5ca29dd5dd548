"""Two fronts before the same services: no answer may depend on which one carried the request."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import aiohttp
import pytest
from yarl import URL

from player.backend.front import Front, listening
from player.backend.in_process import InProcess
from player.backend.serve import Services, authority, bound, build
from player.backend.spec import Admission, BackendSpec, ContentSpec, LicenseSpec, Overload, Rotation
from player.clock import SECOND
from player.wire.clearkey import write_request
from player.wire.http import Reply, Request
from player.wire.strict import MAX_DOCUMENT_BYTES

NOW = 12 * SECOND
SPEC = BackendSpec(
    content=ContentSpec(rotation=Rotation.IN_BAND, crypto_period_s=8), license=LicenseSpec(grant="group"), seed=3
)


def requests(services: Services) -> Iterator[tuple[str, str, str, bytes, dict[str, str]]]:
    """(service, method, target, body, headers): good, bad and hostile."""
    kid = services.presentations[next(iter(services.presentations))].ring.content("all", 0).kid
    asked = write_request((kid,))
    json_type = {"content-type": "application/json"}
    for target in ("/live/manifest.mpd", "/vod/manifest.mpd?x=1", "/live/audio/init.mp4", "/live/audio/12.m4s"):
        yield "origin", "GET", target, b"", {}
        yield "origin", "HEAD", target, b"", {}
    yield "origin", "GET", "/live/audio/400.m4s", b"", {}
    yield "origin", "GET", "/live/%2e%2e/audio", b"", {}
    yield "origin", "GET", "/time", b"", {}
    yield "origin", "OPTIONS", "/live/manifest.mpd", b"", {"origin": "https://page.example"}
    yield "origin", "POST", "/live/manifest.mpd", b"x" * 100_000, {}
    yield "license", "POST", "/license/clearkey", asked, json_type
    yield "license", "POST", "/license/clearkey", asked, json_type | {"Keystorm-Request": "7/1/start/1"}
    yield "license", "POST", "/license/clearkey", b"{", json_type
    yield "license", "POST", "/license/clearkey", b"[" * (MAX_DOCUMENT_BYTES + 5), json_type
    yield "license", "GET", "/license/clearkey", b"", {}
    yield "license", "OPTIONS", "/license/hierarchy", b"", {}


async def test_both_fronts_give_the_same_status_and_body() -> None:
    with bound("127.0.0.1") as origin, bound("127.0.0.1") as license_server:
        names = {"origin": authority(origin), "license": authority(license_server)}
        over_sockets, in_process = (
            build(SPEC, origin=names["origin"], license=names["license"], epoch_us=0) for _ in range(2)
        )
        direct = InProcess({names["origin"]: in_process.origin, names["license"]: in_process.license_server})
        ids = count(1)
        async with (
            listening(Front(over_sockets.origin, lambda: NOW), origin),
            listening(Front(over_sockets.license_server, lambda: NOW), license_server),
            aiohttp.ClientSession() as session,
        ):
            for service, method, target, body, headers in requests(in_process):
                host = names[service]
                lower = tuple((name.lower(), value) for name, value in headers.items())
                direct.receive(Request(next(ids), method, host, target, lower, body), NOW)
                (expected,) = direct.replies()
                url = URL(f"http://{host}{target}", encoded=True)
                async with session.request(method, url, data=body or None, headers=headers) as answer:
                    got = (answer.status, await answer.read())
                    sent = {name.lower(): value for name, value in answer.headers.items()}
                assert got == (expected.status, expected.body), (method, target)
                assert dict(expected.headers).items() <= sent.items(), (method, target)


class Counting:
    """A service that answers nothing before its deadline, and remembers who went away."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.left: list[int] = []
        self.has_left = asyncio.Event()
        self._due: int | None = None
        self._ready: list[Reply] = []

    def receive(self, request: Request, now: int) -> None:
        self.asked.append(request.id)
        self._due = now + 20_000 if request.target == "/soon" else None
        if request.target == "/close":
            self._ready.append(Reply(request.id, 0, (), b""))

    def gone(self, request_id: int, now: int) -> None:
        self.left.append(request_id)
        self.has_left.set()

    def replies(self) -> list[Reply]:
        ready, self._ready = self._ready, []
        return ready

    def deadline(self) -> int | None:
        return self._due

    def handle_deadline(self, now: int) -> None:
        if self._due is not None and now >= self._due:
            self._ready.append(Reply(self.asked[-1], 200, (), b"late"))
            self._due = None


def now_us() -> int:
    return round(asyncio.get_running_loop().time() * SECOND)


async def test_an_answer_comes_at_the_deadline_of_the_service() -> None:
    with bound("127.0.0.1") as opened:
        async with listening(Front(Counting(), now_us), opened), aiohttp.ClientSession() as session:
            started = now_us()
            async with session.get(f"http://{authority(opened)}/soon") as answer:
                assert await answer.read() == b"late"
            assert now_us() - started >= 20_000


async def test_a_client_that_goes_away_is_told_to_the_service() -> None:
    service = Counting()
    with bound("127.0.0.1") as opened:
        async with listening(Front(service, now_us), opened), aiohttp.ClientSession() as session:
            with pytest.raises(TimeoutError):
                await session.get(f"http://{authority(opened)}/never", timeout=aiohttp.ClientTimeout(total=0.1))
            async with asyncio.timeout(5):
                await service.has_left.wait()
    assert service.left == service.asked


async def test_status_0_closes_the_connection_without_an_answer() -> None:
    with bound("127.0.0.1") as opened:
        async with listening(Front(Counting(), now_us), opened), aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(f"http://{authority(opened)}/close")


async def test_a_front_with_a_token_answers_nobody_else() -> None:
    with bound("127.0.0.1") as opened:
        services = build(SPEC, origin=authority(opened), license="127.0.0.1:1", epoch_us=0)
        async with (
            listening(Front(services.origin, lambda: NOW, token="open-sesame"), opened),
            aiohttp.ClientSession() as session,
        ):
            tried = [{}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer open-sesame"}]
            answers = [await session.get(services.backend.live_url, headers=headers) for headers in tried]
            assert [answer.status for answer in answers] == [401, 401, 200]


async def test_rubbish_on_the_wire_costs_only_its_own_connection(caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        opened = stack.enter_context(bound("127.0.0.1"))
        services = build(SPEC, origin=authority(opened), license="127.0.0.1:1", epoch_us=0)
        async with listening(Front(services.origin, lambda: NOW), opened), aiohttp.ClientSession() as session:
            reader, writer = await asyncio.open_connection(*opened.getsockname())
            writer.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
            async with session.get(services.backend.live_url) as answer:
                assert answer.status == 200
    assert caplog.records == []


async def test_overload_refuses_through_the_front_what_the_service_refuses() -> None:
    admission = Admission(capacity=10, queue_max_s=0.15, overload=Overload.REFUSE_FIXED)
    spec = BackendSpec(license=LicenseSpec(admission=admission), seed=1)
    with bound("127.0.0.1") as opened:
        services = build(spec, origin="127.0.0.1:1", license=authority(opened), epoch_us=0)
        kid = next(iter(services.presentations.values())).ring.content("all", 0).kid
        async with listening(Front(services.license_server, now_us), opened), aiohttp.ClientSession() as session:
            url = services.backend.license_urls["org.w3.clearkey"]

            async def ask() -> int:
                headers = {"content-type": "application/json"}
                async with session.post(url, data=write_request((kid,)), headers=headers) as answer:
                    assert json.loads(await answer.read())
                    return answer.status

            statuses = await asyncio.gather(*(ask() for _ in range(6)))
    assert sorted(statuses) == [200, 200, 429, 429, 429, 429]


def test_a_host_that_nobody_serves_closes_the_connection() -> None:
    front = InProcess({})
    front.receive(Request(4, "GET", "nobody.test", "/", (), b""), 0)
    assert [reply.status for reply in front.replies()] == [0]
    assert front.deadline() is None


def test_a_socket_is_listening_before_it_is_served() -> None:
    with bound("127.0.0.1") as opened, socket.create_connection(opened.getsockname()[:2], timeout=1):
        pass
