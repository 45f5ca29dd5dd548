"""The in-memory network: any `wire.http.Service`, reached over modelled links instead of sockets.

A request reaches the service after half of its latency; its answer takes the other half, then its body takes its turn
on the client's link. Events are ordered (time, client, sequence) on one heap with one timer of the loop, and the
service's own deadline is driven beside them: at one instant the deadline comes first.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from player.chance import Draw
from player.clock import SECOND, Clock
from player.runtime.fetch import TIMEOUT, ExchangeError
from player.runtime.links import Link
from player.runtime.memory_exchange import Exchange
from player.runtime.memory_fetcher import MemoryFetcher
from player.wire.http import Service

Step = Callable[[int], None]


class MemoryNetwork:
    """One a run. Every client gets a fetcher of its own from `fetcher`."""

    def __init__(self, service: Service, clock: Clock, link: Link | None = None) -> None:
        self.service = service
        self.clock = clock
        self.link = Link() if link is None else link
        self._heap: list[tuple[int, int, int, Step]] = []
        self._sequence = 0
        self._open: dict[int, Exchange] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0

    def fetcher(self, client: int, draw: Draw, link: Link | None = None) -> MemoryFetcher:
        """`link`: the client's own; None: as all others have."""
        return MemoryFetcher(self, client, draw, self.link if link is None else link)

    def close(self) -> None:
        """Stop the timer: nothing arrives any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._heap.clear()
        self._open.clear()

    def open(self, exchange: Exchange) -> int:
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
            exchange.give_up(ExchangeError(TIMEOUT, "no complete answer in time"), now)

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
