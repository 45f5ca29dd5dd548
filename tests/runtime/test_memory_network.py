"""The in-memory network: modelled latency and bandwidth, in one order, beside any service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.clip.load import load
from player.backend.packager.segment import init_segment, media_segment
from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind, Progress
from player.isobmff.init import parse_init
from player.runtime.arriving import Arriving
from player.runtime.links import NEVER, Link, LinkChange
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


# ── links that change, redirects, bodies on their way ────────────────────────────────────────────────────────────────


def _capped(at_us: int, bits_per_second: int) -> Link:
    return replace(FIXED, changes=(LinkChange(at_us=at_us, bits_per_second=bits_per_second),))


@pytest.mark.rule("dash:N6")
def test_the_links_of_all_clients_change_at_one_instant_under_way() -> None:
    async def main(network: MemoryNetwork) -> list[int]:
        fetchers = [network.fetcher(client, Draw(1, client)) for client in range(3)]
        return [r.done_at for r in await asyncio.gather(*(fetcher.fetch(_fetch()) for fetcher in fetchers))]

    # 20 ms there and back, 10 ms at 20 Mb/s bring 25,000 bytes; the other 75,000 take 0.6 s at 1 Mb/s
    done = _in_network(Echo(size=100_000), main, _capped(30_000, 1_000_000))
    assert done == [30_000 + 600_000] * 3


def test_one_client_may_have_a_link_of_its_own() -> None:
    async def main(network: MemoryNetwork) -> list[int]:
        slow = network.fetcher(0, Draw(1, 0), replace(FIXED, bits_per_second=1_000_000))
        fast = network.fetcher(1, Draw(1, 1))
        return [r.done_at for r in await asyncio.gather(slow.fetch(_fetch()), fast.fetch(_fetch()))]

    assert _in_network(Echo(size=100_000), main, FIXED) == [820_000, 60_000]


def test_latency_changes_too() -> None:
    later = LinkChange(at_us=SECOND, latency_from_us=200_000, latency_to_us=200_000)

    async def main(network: MemoryNetwork) -> list[int]:
        fetcher = network.fetcher(0, Draw(1, 0))
        first = await fetcher.fetch(_fetch("/1234"))
        await asyncio.sleep(2)
        second = await fetcher.fetch(_fetch("/1234"))
        return [first.done_at - first.sent_at, second.done_at - second.sent_at]

    assert _in_network(Echo(), main, replace(FIXED, changes=(later,))) == [20_002, 200_002]


@given(
    st.lists(st.tuples(st.integers(1, 500_000), st.integers(0, 50_000_000)), max_size=4),
    st.integers(0, 1_000_000),
    st.integers(0, 400_000),
)
def test_what_has_passed_grows_to_the_whole_at_the_end(steps: list[tuple[int, int]], start: int, size: int) -> None:
    instants = [sum(step for step, _ in steps[: n + 1]) for n in range(len(steps))]
    changes = tuple(LinkChange(at_us=at, bits_per_second=rate) for at, (_, rate) in zip(instants, steps, strict=True))
    link = Link(changes=changes)
    end = link.transfer_end(start, size)
    if end == NEVER:
        assert steps[-1][1] == 0
        return
    assert start <= end
    assert link.passed_bytes(start, end) >= size
    assert size == 0 or link.passed_bytes(start, end - 1) <= size
    middle = (start + end) // 2
    assert 0 <= link.passed_bytes(start, middle) <= link.passed_bytes(start, end)


def test_a_dead_link_stalls_and_then_times_out() -> None:
    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        return await network.fetcher(0, Draw(1, 0)).fetch(_fetch(stall_timeout_us=2 * SECOND))

    result = _in_network(Echo(size=100_000), main, _capped(30_000, 0))
    assert isinstance(result, FetchFailed)
    assert (result.code, result.reason) == ("timeout", "nothing more came for 2 s")


def test_a_transfer_that_is_given_up_frees_the_link_for_those_behind_it() -> None:
    async def main(network: MemoryNetwork) -> int:
        fetcher = network.fetcher(0, Draw(1, 0))
        big = asyncio.create_task(fetcher.fetch(_fetch()))
        await asyncio.sleep(0.001)
        behind = asyncio.create_task(fetcher.fetch(_fetch("/y")))
        await asyncio.sleep(0.03)
        big.cancel()
        return (await behind).done_at

    assert _in_network(Echo(size=100_000), main, FIXED) == 31_000 + 40_000


def test_redirects_are_followed_at_the_cost_of_another_way() -> None:
    seen: list[str] = []

    class Elsewhere(Echo):
        def receive(self, request: Request, now: int) -> None:
            seen.append(f"{request.host}{request.target}")
            if request.target == "/x":
                self._ready.append(Reply(request.id, 302, (("location", "http://other.test/y"),), b""))
            else:
                super().receive(request, now)

    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        return await network.fetcher(0, Draw(1, 0)).fetch(_fetch(headers=(("x-token", "t"),)))

    result = _in_network(Elsewhere(), main, FIXED)
    assert isinstance(result, Fetched)
    assert (result.url, result.body, result.done_at) == ("http://other.test/y", b"/y", 40_001)
    assert seen == ["origin.test/x", "other.test/y"]


def test_progress_is_told_every_50_ms_of_a_transfer() -> None:
    told: list[Progress] = []

    async def main(network: MemoryNetwork) -> Fetched | FetchFailed:
        fetcher = network.fetcher(0, Draw(1, 0))
        await fetcher.fetch(_fetch(), told.append)
        assert not told
        return await fetcher.fetch(_fetch(progress=True), told.append)

    result = _in_network(Echo(size=500_000), main, FIXED)
    assert [p.received for p in told] == [125_000, 250_000, 375_000, 500_000]
    assert [p.at - told[0].at for p in told] == [0, 50_000, 100_000, 150_000]
    assert told[-1].at == result.done_at
    assert {p.total for p in told} == {500_000}


class Paced(Echo):
    """Sends 1,000 bytes now and as many at each second."""

    def handle_deadline(self, now: int) -> None:
        super().handle_deadline(now)
        paced = tuple((n * SECOND, 1_000 * (n + 1)) for n in range(3))
        self._ready = [reply._replace(body=bytes(3_000), paced=paced) for reply in self._ready]


def test_a_body_that_is_still_being_made_comes_as_it_is_made_and_holds_nobody_up() -> None:
    async def main(network: MemoryNetwork) -> list[int]:
        fetcher = network.fetcher(0, Draw(1, 0))
        first, second = await asyncio.gather(fetcher.fetch(_fetch()), fetcher.fetch(_fetch()))
        return [first.done_at, second.done_at]

    assert _in_network(Paced(), main, FIXED) == [2_010_400, 2_010_800]


def test_a_pause_of_the_server_is_a_stall() -> None:
    async def main(network: MemoryNetwork) -> list[str]:
        fetcher = network.fetcher(0, Draw(1, 0))
        short = await fetcher.fetch(_fetch(stall_timeout_us=SECOND // 2))
        long = await fetcher.fetch(_fetch(stall_timeout_us=2 * SECOND))
        return [type(short).__name__, type(long).__name__]

    assert _in_network(Paced(), main, FIXED) == ["FetchFailed", "Fetched"]


# ── throughput of what comes in chunks ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:N7")
def test_throughput_counts_no_time_in_which_the_server_had_nothing_to_send() -> None:
    track = load().tracks["video-180p"]
    context = parse_init(init_segment(track, protection=None))
    told: list[Progress] = []
    fetch = _fetch(parts=True, context=context)
    arriving = Arriving(fetch, told.append, 0)
    now = moved = 0
    for index in range(3):
        fragment = media_segment(track, index, key=None, in_group=False)
        now += SECOND  # waiting for it to be made
        for begin in range(0, len(fragment), 1_000):
            arriving.feed(fragment[begin : begin + 1_000], now)
            moved += 0 if begin == 0 else len(fragment[begin : begin + 1_000])
            now += 1_000
        now -= 1_000
    assert [progress.parsed is not None for progress in told] == [True] * 3
    assert arriving.moved_bytes == moved
    assert 7 < 8 * moved / (arriving.moved_us / SECOND) / 1e6 <= 8  # Mb/s: 1,000 bytes a ms


@pytest.mark.parametrize("fault", [b"\x00\x00\x00\x03moof", b"\x00\x00\x00\x08moof\x00\x00\x00\x08mdat" * 2])
def test_a_fault_in_what_arrives_is_left_to_the_whole(fault: bytes) -> None:
    arriving = Arriving(_fetch(parts=True), lambda progress: None, 0)
    arriving.feed(fault, 1)
    arriving.feed(b"more", 2)
    assert arriving.received == len(fault) + 4
