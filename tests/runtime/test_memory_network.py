"""The in-memory network: modelled latency and bandwidth, in one order, beside any service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
from player.runtime.links import Link
from player.runtime.memory import MemoryNetwork
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from player.wire.http import Reply, Request

T = TypeVar("T")


class Echo:
    """Answers each request `think_us` later with `size` bytes; `seen` tells who came when."""

    def __init__(self, think_us: int = 0, size: int = 0, status: int = 200) -> None:
        self.think_us = think_us
        self.size = size
        self.status = status
        self.seen: list[tuple[int, str, str]] = []
        self._due: list[tuple[int, Request]] = []
        self._ready: list[Reply] = []

    def receive(self, request: Request, now: int) -> None:
        self.seen.append((now, "request", request.target))
        self._due.append((now + self.think_us, request))
        if not self.think_us:
            self.handle_deadline(now)

    def gone(self, request_id: int, now: int) -> None:
        target = next((request.target for _, request in self._due if request.id == request_id), "answered")
        self.seen.append((now, "gone", target))
        self._due = [(due, request) for due, request in self._due if request.id != request_id]

    def replies(self) -> list[Reply]:
        ready, self._ready = self._ready, []
        return ready

    def deadline(self) -> int | None:
        return min((due for due, _ in self._due), default=None)

    def handle_deadline(self, now: int) -> None:
        for due, request in list(self._due):
            if due <= now:
                self._due.remove((due, request))
                body = request.target.encode() if not self.size else bytes(self.size)
                self._ready.append(Reply(request.id, self.status, (("etag", '"1"'),), body))


def _fetch(
    target: str = "/x", *, timeout_us: int = 10 * SECOND, kind: FetchKind = FetchKind.MEDIA, **options: Any
) -> Fetch:
    return Fetch(kind=kind, url=f"http://origin.test{target}", timeout_us=timeout_us, **options)


def _in_network(service: Any, main: Callable[[MemoryNetwork], Coroutine[Any, Any, T]], link: Link | None = None) -> T:
    async def run() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        network = MemoryNetwork(service, loop, link)
        try:
            return await main(network)
        finally:
            network.close()

    return run_virtual(run())


def _latency_us(client: int, counter: int) -> int:
    return int(Draw(1, client).between(Purpose.LATENCY, counter, 20_000, 30_000))


FIXED = Link(latency_from_us=20_000, latency_to_us=20_000)


@pytest.mark.rule("decisions:D7")
def test_latency_is_drawn_and_the_service_stands_in_the_middle() -> None:
    service = Echo()

    async def main(network: MemoryNetwork) -> list[Fetched | FetchFailed]:
        fetcher = network.fetcher(3, Draw(1, 3))
        return [await fetcher.fetch(_fetch("/" + "x" * 2_499)) for _ in range(3)]

    now = 0
    for counter, result in enumerate(_in_network(service, main)):
        assert isinstance(result, Fetched)
        latency = _latency_us(3, counter)
        assert service.seen[counter][0] == now + latency // 2
        assert result.sent_at == now
        assert result.done_at == now + latency + 1_000  # 2,500 bytes at 20 Mb/s
        now = result.done_at


@pytest.mark.rule("decisions:D7")
def test_bodies_of_one_client_follow_one_another_and_clients_do_not_share_a_link() -> None:
    async def main(network: MemoryNetwork) -> list[int]:
        first, second = network.fetcher(0, Draw(1, 0)), network.fetcher(1, Draw(1, 1))
        results = await asyncio.gather(
            first.fetch(_fetch()), first.fetch(_fetch()), second.fetch(_fetch()), first.fetch(_fetch())
        )
        return [result.done_at for result in results]

    transfer_us = 100_000 * 8 // 20
    done = _in_network(Echo(size=100_000), main, FIXED)
    assert done == [20_000 + n * transfer_us for n in (1, 2, 1, 3)]


@pytest.mark.rule("decisions:D18")
def test_the_deadlines_of_the_service_are_driven_beside_the_network() -> None:
    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        return await network.fetcher(0, Draw(1, 0)).fetch(_fetch())

    service = Echo(think_us=3 * SECOND)
    result = _in_network(service, main, FIXED)
    assert isinstance(result, Fetched)
    assert result.done_at == 3 * SECOND + 20_000 + 1  # 2 bytes round up to 1 µs
    assert (result.status, result.headers, result.body) == (200, (("etag", '"1"'),), b"/x")


@pytest.mark.rule("decisions:D1")
def test_equal_instants_are_ordered_by_client_and_then_by_sequence() -> None:
    service = Echo()

    async def main(network: MemoryNetwork) -> None:
        fetchers = {client: network.fetcher(client, Draw(1, client)) for client in (2, 0, 1)}
        await asyncio.gather(
            *(fetchers[client].fetch(_fetch(f"/{client}{n}")) for client, n in ((2, "a"), (0, "a"), (2, "b"), (1, "a")))
        )

    _in_network(service, main, FIXED)
    assert [target for _, _, target in service.seen] == ["/0a", "/1a", "/2a", "/2b"]
    assert {time for time, _, _ in service.seen} == {10_000}


@pytest.mark.parametrize("timeout_us", [5_000, 15_000, 500_000])
def test_a_time_out_is_told_to_the_client_at_once_and_to_the_service_later(timeout_us: int) -> None:
    service = Echo(think_us=SECOND)

    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        result = await network.fetcher(0, Draw(1, 0)).fetch(_fetch(timeout_us=timeout_us))
        await asyncio.sleep(5)
        return result

    result = _in_network(service, main, FIXED)
    assert isinstance(result, FetchFailed)
    assert (result.code, result.sent_at, result.done_at) == ("timeout", 0, timeout_us)
    assert service.seen == [(10_000, "request", "/x"), (timeout_us + 10_000, "gone", "/x")]


def test_a_fetch_that_is_cancelled_is_told_to_the_service() -> None:
    service = Echo(think_us=SECOND)

    async def main(network: MemoryNetwork) -> None:
        task = asyncio.create_task(network.fetcher(0, Draw(1, 0)).fetch(_fetch()))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.sleep(5)

    _in_network(service, main, FIXED)
    assert service.seen[1] == (110_000, "gone", "/x")


def test_a_service_that_has_answered_hears_nothing_of_a_client_that_leaves() -> None:
    service = Echo(size=10_000_000)

    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        result = await network.fetcher(0, Draw(1, 0)).fetch(_fetch(timeout_us=SECOND))
        await asyncio.sleep(5)
        return result

    assert isinstance(_in_network(service, main, FIXED), FetchFailed)
    assert [what for _, what, _ in service.seen] == ["request"]


@pytest.mark.parametrize(
    ("service", "options", "code"),
    [
        pytest.param(Echo(status=0), {}, "broken", id="closed-without-answer"),
        pytest.param(Echo(size=65_537), {"kind": FetchKind.LICENSE}, "broken", id="too-large"),
        pytest.param(Echo(), {"url": "file:///x"}, "refused-url", id="no-http"),
    ],
)
def test_what_fails_on_sockets_fails_here(service: Echo, options: dict[str, Any], code: str) -> None:
    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        action = Fetch(**({"kind": FetchKind.MEDIA, "url": "http://origin.test/x"} | options))
        return await network.fetcher(0, Draw(1, 0)).fetch(action)

    result = _in_network(service, main)
    assert isinstance(result, FetchFailed)
    assert result.code == code


def test_the_request_carries_what_the_action_says() -> None:
    seen: list[Request] = []

    class Recorder(Echo):
        def receive(self, request: Request, now: int) -> None:
            seen.append(request)
            super().receive(request, now)

    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        headers = (("Content-Type", "application/json"),)
        action = Fetch(
            kind=FetchKind.MEDIA,
            url="http://u:p@license.test:81?a=b#c",
            method="POST",
            headers=headers,
            body=b"{}",
            byte_range=(1, 2),
        )
        return await network.fetcher(0, Draw(1, 0)).fetch(action)

    result = _in_network(Recorder(), main)
    assert isinstance(result, Fetched)
    assert result.body == b"?a"  # the whole resource came, with 200
    request = seen[0]
    assert (request.method, request.host, request.target, request.body) == ("POST", "license.test:81", "/?a=b", b"{}")
    assert request.header("content-type") == "application/json"
    assert request.header("range") == "bytes=1-2"


def test_a_service_that_raises_fails_the_fetches_and_hangs_nobody() -> None:
    class Faulty(Echo):
        def receive(self, request: Request, now: int) -> None:
            raise LookupError("a fault of the service")

    async def main(network: MemoryNetwork) -> None:
        await network.fetcher(0, Draw(1, 0)).fetch(_fetch())

    with pytest.raises(LookupError, match="a fault of the service"):
        _in_network(Faulty(), main)


def test_nothing_of_an_exchange_is_kept_when_it_is_over() -> None:
    async def main(network: MemoryNetwork) -> tuple[int, int]:
        fetcher = network.fetcher(0, Draw(1, 0))
        for _ in range(100):
            await fetcher.fetch(_fetch(timeout_us=50 * MILLISECOND))
        return len(network._open), len(network._heap)

    still_open, timers = _in_network(Echo(), main)
    assert still_open == 0
    assert timers <= 3  # time-outs of the last exchanges, by number only
