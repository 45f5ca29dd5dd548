"""The in-memory network: any `wire.http.Service`, reached over modelled links instead of sockets.

A request reaches the service after half of its latency; its answer takes the other half, then its body takes its turn
on the client's link. Events are ordered (time, client, sequence) on one heap with one timer of the loop, and the
service's own deadline is driven beside them: at one instant the deadline comes first. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND, Clock
from player.engine.actions import Fetch, Fetched, FetchFailed
from player.runtime.fetch import BROKEN, TIMEOUT, ExchangeError, check_size, checked_authority, part_of, request_headers
from player.wire.http import Reply, Request, Service

CLOSED_WITHOUT_ANSWER: Final = 0  # a reply's status

Step = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What lies between a client and the services. Latency: there and back, without the body."""

    latency_from_us: int = 20 * MILLISECOND
    latency_to_us: int = 30 * MILLISECOND
    bits_per_second: int = 20_000_000

    def latency_us(self, draw: Draw, counter: int) -> int:
        """Whole µs, rounded down."""
        return int(draw.between(Purpose.LATENCY, counter, self.latency_from_us, self.latency_to_us))

    def transfer_us(self, size_bytes: int) -> int:
        """Whole µs, rounded up."""
        return -(-size_bytes * 8 * SECOND // self.bits_per_second)


class MemoryNetwork:
    """One a run. Every client gets a fetcher of its own from `fetcher`."""

    def __init__(self, service: Service, clock: Clock, link: Link | None = None) -> None:
        self.service = service
        self.clock = clock
        self.link = Link() if link is None else link
        self._heap: list[tuple[int, int, int, Step]] = []
        self._sequence = 0
        self._open: dict[int, _Exchange] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0

    def fetcher(self, client: int, draw: Draw) -> MemoryFetcher:
        return MemoryFetcher(self, client, draw)

    def close(self) -> None:
        """Stop the timer: nothing arrives any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._heap.clear()
        self._open.clear()

    def open(self, exchange: _Exchange) -> int:
        """A number for the request, unique on this network; the exchange is open until `forget`."""
        self._sequence += 1
        self._open[self._sequence] = exchange
        return self._sequence

    def forget(self, request_id: int) -> None:
        self._open.pop(request_id, None)

    def at(self, time: int, client: int, step: Step) -> None:
        """Run `step(time)` at `time`, in the order (time, client, sequence of these calls)."""
        self._sequence += 1
        heapq.heappush(self._heap, (time, client, self._sequence, step))
        if self._timer is None or time < self._timer_due:
            self._arm()

    def time_out(self, request_id: int, now: int) -> None:
        exchange = self._open.get(request_id)  # by number: a timer must not keep the body of an answer alive
        if exchange is not None:
            exchange.leave(now)
            exchange.fail(ExchangeError(TIMEOUT, "no complete answer in time"))

    def _arm(self) -> None:
        due = self._next_due()
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_us = max(0, due - self.clock.now())
        self._timer = asyncio.get_running_loop().call_later(delay_us / SECOND, self._wake)
        self._timer_due = due

    def _next_due(self) -> int | None:
        deadline = self.service.deadline()
        if not self._heap:
            return deadline
        first = self._heap[0][0]
        return first if deadline is None else min(first, deadline)

    def _wake(self) -> None:
        """Do all that is due. The timer counts as set until the end, so that no step sets another."""
        try:
            while (due := self._next_due()) is not None and due <= self.clock.now():
                self._step(due)
        except Exception as error:  # noqa: BLE001  # a service that raises fails the exchanges, it does not hang them
            self._fail_all(error)
        self._timer = None
        self._arm()

    def _step(self, due: int) -> None:
        deadline = self.service.deadline()
        if deadline is not None and deadline <= due:
            self.service.handle_deadline(due)
        else:
            heapq.heappop(self._heap)[3](due)
        for reply in self.service.replies():
            exchange = self._open.get(reply.id)
            if exchange is not None:
                exchange.answered(reply, due)

    def _fail_all(self, error: Exception) -> None:
        exchanges = list(self._open.values())
        self._open.clear()
        for exchange in exchanges:
            exchange.fail(error)


class MemoryFetcher:
    """One client's side: its latency draws and its link, on which bodies follow one another."""

    def __init__(self, network: MemoryNetwork, client: int, draw: Draw) -> None:
        self.network = network
        self.client = client
        self._draw = draw
        self._requests = 0
        self._link_free = 0

    async def fetch(self, action: Fetch) -> Fetched | FetchFailed:
        clock = self.network.clock
        sent_at = clock.now()
        try:
            exchange = _Exchange(self, action, sent_at)
            return await exchange.result()
        except ExchangeError as error:
            code, reason = error.code, error.reason
            return FetchFailed(action=action, code=code, reason=reason, sent_at=sent_at, done_at=clock.now())

    async def close(self) -> None:
        """Nothing to close."""

    def draw_latency_us(self) -> int:
        self._requests += 1
        return self.network.link.latency_us(self._draw, self._requests - 1)

    def take_link(self, ready: int, size_bytes: int) -> int:
        """When a body that could leave the service's side at `ready` has arrived whole."""
        self._link_free = max(ready, self._link_free) + self.network.link.transfer_us(size_bytes)
        return self._link_free


class _Exchange:
    """One request on its way there and back. Raises: ExchangeError where the URL cannot be fetched."""

    __slots__ = ("_action", "_answered", "_back_us", "_fetcher", "_future", "_id", "_sent_at", "_there_us")

    def __init__(self, fetcher: MemoryFetcher, action: Fetch, sent_at: int) -> None:
        authority = checked_authority(action.url)
        network = fetcher.network
        self._fetcher = fetcher
        self._action = action
        self._sent_at = sent_at
        self._answered = False
        self._future: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        latency_us = fetcher.draw_latency_us()
        self._there_us = latency_us // 2
        self._back_us = latency_us - self._there_us
        self._id = network.open(self)
        request = _request(self._id, authority, action)
        network.at(sent_at + self._there_us, fetcher.client, partial(network.service.receive, request))
        if action.timeout_us:
            network.at(sent_at + action.timeout_us, fetcher.client, partial(network.time_out, self._id))

    async def result(self) -> Fetched:
        """Raises: ExchangeError."""
        try:
            return await self._future
        except asyncio.CancelledError:
            self.leave(self._fetcher.network.clock.now())
            raise
        finally:
            self._fetcher.network.forget(self._id)

    def answered(self, reply: Reply, now: int) -> None:
        """The service has answered; the last byte arrives later."""
        if not self._answered:
            self._answered = True
            arrival = self._fetcher.take_link(now + self._back_us, len(reply.body))
            self._fetcher.network.at(arrival, self._fetcher.client, partial(self._deliver, reply))

    def leave(self, now: int) -> None:
        """Nobody waits any more; a service that has not answered hears of it after the way there."""
        network = self._fetcher.network
        network.forget(self._id)
        if not self._answered:
            network.at(now + self._there_us, self._fetcher.client, partial(network.service.gone, self._id))

    def fail(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)

    def _deliver(self, reply: Reply, now: int) -> None:
        if self._future.done():
            return
        try:
            self._future.set_result(self._fetched(reply, now))
        except ExchangeError as error:
            self._future.set_exception(error)

    def _fetched(self, reply: Reply, now: int) -> Fetched:
        if reply.status == CLOSED_WITHOUT_ANSWER:
            raise ExchangeError(BROKEN, "the server closed the connection without an answer")
        check_size(self._action.kind, len(reply.body))
        return Fetched(
            action=self._action,
            status=reply.status,
            url=self._action.url,
            headers=reply.headers,
            body=part_of(reply.body, reply.status, self._action.byte_range),
            sent_at=self._sent_at,
            done_at=now,
        )


def _request(request_id: int, authority: str, action: Fetch) -> Request:
    parts = urlsplit(action.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(request_id, action.method, authority, target, request_headers(action), action.body or b"")
