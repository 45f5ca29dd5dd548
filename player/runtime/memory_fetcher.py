"""One client of the in-memory network: its chance, and its link."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from player.chance import Draw
from player.engine.actions import Fetch, Fetched, FetchFailed
from player.runtime.arriving import INTERVAL_US
from player.runtime.fetch import ExchangeError, Tell
from player.runtime.links import NEVER, Link
from player.runtime.memory_exchange import Exchange

if TYPE_CHECKING:
    from player.runtime.memory import MemoryNetwork


class MemoryFetcher:
    """One client's side: its latency draws and its link, on which bodies follow one another."""

    __slots__ = ("_draw", "_link", "_requests", "_transfers", "client", "network")

    def __init__(self, network: MemoryNetwork, client: int, draw: Draw, link: Link) -> None:
        self.network = network
        self.client = client
        self._draw = draw
        self._link = link
        self._requests = 0
        self._transfers: tuple[_Transfer, ...] = ()  # in their order on the link

    async def fetch(self, action: Fetch, tell: Tell | None = None) -> Fetched | FetchFailed:
        clock = self.network.clock
        sent_at = clock.now()
        try:
            exchange = Exchange(self, action, sent_at, tell)
            return await exchange.result()
        except ExchangeError as error:
            code, reason = error.code, error.reason
            return FetchFailed(action=action, code=code, reason=reason, sent_at=sent_at, done_at=clock.now())

    async def close(self) -> None:
        """Nothing to close."""

    def draw_latency_us(self, now: int) -> int:
        self._requests += 1
        return self._link.latency_us(self._draw, self._requests - 1, now)

    @property
    def may_stall(self) -> bool:
        """A link of one rate never pauses."""
        return bool(self._link.changes)

    def transfer(self, exchange: Exchange, ready: int, first: int, last: int) -> None:
        """Bytes of a body that could leave the service's side at `ready` take their turn."""
        transfer = _Transfer(exchange, ready, first, last)
        self._plan(transfer, self._transfers[-1].end if self._transfers else 0)
        self._transfers = (*self._transfers, transfer)
        if exchange.watches:
            self._tick(transfer, transfer.begin)

    def drop(self, exchange: Exchange, now: int) -> None:
        """Its bytes are not sent any more; those behind them move up."""
        gone = [transfer for transfer in self._transfers if transfer.exchange is exchange]
        if not gone:
            return
        kept = tuple(transfer for transfer in self._transfers if transfer.exchange is not exchange)
        free = now
        for transfer in kept:
            if transfer.begin > now:
                self._plan(transfer, free)
            free = transfer.end
        self._transfers = kept

    def _plan(self, transfer: _Transfer, free: int) -> None:
        transfer.begin = max(transfer.ready, free)
        transfer.end = self._link.transfer_end(transfer.begin, transfer.last - transfer.first)
        if transfer.end < NEVER:
            self.network.at(transfer.end, self.client, partial(self._arrive, transfer))

    def _arrive(self, transfer: _Transfer, now: int) -> None:
        if transfer in self._transfers and transfer.end == now:  # else it was dropped, or moved up
            self._transfers = tuple(other for other in self._transfers if other is not transfer)
            transfer.exchange.arrived(transfer.last, now)

    def _tick(self, transfer: _Transfer, now: int) -> None:
        """A body of some length is seen coming."""
        if transfer not in self._transfers and now > transfer.begin:
            return
        passed = self._link.passed_bytes(transfer.begin, now)
        if passed:
            transfer.exchange.come(min(transfer.first + passed, transfer.last), now)
        if now + INTERVAL_US < transfer.end:
            self.network.at(now + INTERVAL_US, self.client, partial(self._tick, transfer))


class _Transfer:
    """body[first:last] on the link from `begin` to `end`."""

    __slots__ = ("begin", "end", "exchange", "first", "last", "ready")

    def __init__(self, exchange: Exchange, ready: int, first: int, last: int) -> None:
        self.exchange = exchange
        self.ready = ready
        self.first = first
        self.last = last
        self.begin = self.end = 0
