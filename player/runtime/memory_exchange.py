"""One fetch in memory, on its way there and back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from player.clock import SECOND
from player.engine.actions import Fetch, Fetched
from player.runtime.arriving import Arriving
from player.runtime.coding import decoder_of
from player.runtime.fetch import BROKEN, TIMEOUT, ExchangeError, Tell, check_size, checked_authority
from player.runtime.ranges import bytes_needed, part_of
from player.runtime.redirects import Hop, first_hop, next_hop
from player.wire.http import Reply, Request

if TYPE_CHECKING:
    from player.runtime.memory_fetcher import MemoryFetcher

CLOSED_WITHOUT_ANSWER: Final = 0  # a reply's status


class Exchange:
    """Over its redirects. Raises: ExchangeError where the URL cannot be fetched."""

    __slots__ = (
        "_action",
        "_arriving",
        "_back_us",
        "_come",
        "_fetcher",
        "_future",
        "_hop",
        "_id",
        "_reply",
        "_request_id",
        "_sent_at",
        "_tell",
        "_there_us",
    )

    def __init__(self, fetcher: MemoryFetcher, action: Fetch, sent_at: int, tell: Tell | None) -> None:
        self._fetcher = fetcher
        self._action = action
        self._tell = tell
        self._sent_at = sent_at
        self._future: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        self._hop = first_hop(action)
        self._reply: Reply | None = None
        self._arriving: Arriving | None = None
        self._come = self._there_us = self._back_us = self._request_id = 0
        self._ask(sent_at)
        self._id = self._request_id  # the first one, by which the whole exchange is known
        if action.timeout_us:
            fetcher.network.at(sent_at + action.timeout_us, fetcher.client, partial(fetcher.network.time_out, self._id))

    @property
    def watches(self) -> bool:
        return self._action.progress and self._tell is not None

    async def result(self) -> Fetched:
        """Raises: ExchangeError."""
        try:
            return await self._future
        except asyncio.CancelledError:
            self._leave(self._fetcher.network.clock.now())
            raise
        finally:
            self._fetcher.network.forget(self._id)
            self._fetcher.network.forget(self._request_id)

    def answered(self, reply: Reply, now: int) -> None:
        """The service has answered; the last byte arrives later."""
        if self._reply is not None or reply.id != self._request_id:
            return
        self._reply = reply
        watched = reply.status in (200, 206) and all(name != "content-encoding" for name, _ in reply.headers)
        total = len(reply.body)
        self._arriving = Arriving(self._action, self._tell if watched else None, self._sent_at, total=total)
        self._expect(now + self._back_us)
        if not reply.paced:
            self._fetcher.transfer(self, now + self._back_us, 0, total)
            return
        first = 0
        for at, end in reply.paced:
            self._fetcher.network.at(max(at, now), self._fetcher.client, partial(self._send, reply, first, end))
            first = end

    def _send(self, reply: Reply, first: int, last: int, now: int) -> None:
        """More of a body that is still being made."""
        if self._reply is reply and not self._future.done():
            self._fetcher.transfer(self, now + self._back_us, first, last)

    def come(self, end: int, now: int) -> None:
        """body[:end] has come."""
        reply, arriving = self._reply, self._arriving
        if reply is not None and arriving is not None and end > self._come and not self._future.done():
            data = reply.body[self._come : end]
            self._come = end
            arriving.feed(data, now)

    def arrived(self, end: int, now: int) -> None:
        """So has the end of a transfer."""
        self.come(end, now)
        reply = self._reply
        if reply is not None and end == len(reply.body):
            self._finish(reply, now)
        else:
            self._expect(now)

    def give_up(self, error: ExchangeError, now: int) -> None:
        self._leave(now)
        self.fail(error)

    def fail(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)

    def _ask(self, now: int) -> None:
        network = self._fetcher.network
        self._reply = self._arriving = None
        self._come = 0
        latency_us = self._fetcher.draw_latency_us(now)
        self._there_us = latency_us // 2
        self._back_us = latency_us - self._there_us
        self._request_id = network.open(self)
        request = _request(self._request_id, self._hop)
        network.at(now + self._there_us, self._fetcher.client, partial(network.service.receive, request))

    def _expect(self, now: int) -> None:
        """After the head of an answer no pause may be too long, where there can be one at all."""
        reply, stall_us = self._reply, self._action.stall_timeout_us
        if stall_us and reply is not None and (reply.paced or self._fetcher.may_stall):
            network, come = self._fetcher.network, self._come
            network.at(now + stall_us, self._fetcher.client, partial(self._check_stall, come))

    def _check_stall(self, come: int, now: int) -> None:
        if self._come == come and not self._future.done():
            stall_s = self._action.stall_timeout_us / SECOND
            self.give_up(ExchangeError(TIMEOUT, f"nothing more came for {stall_s:g} s"), now)

    def _leave(self, now: int) -> None:
        """Nobody waits any more; a service that has not answered hears of it after the way there."""
        network = self._fetcher.network
        network.forget(self._id)
        network.forget(self._request_id)
        self._fetcher.drop(self, now)
        if self._reply is None:
            network.at(now + self._there_us, self._fetcher.client, partial(network.service.gone, self._request_id))

    def _finish(self, reply: Reply, now: int) -> None:
        if self._future.done():
            return
        try:
            location = next((value for name, value in reply.headers if name == "location"), None)
            hop = next_hop(self._hop, reply.status, location)
            if hop is None:
                self._future.set_result(self._fetched(reply, now))
            else:
                self._hop = hop
                self._ask(now)
        except ExchangeError as error:
            self._future.set_exception(error)

    def _fetched(self, reply: Reply, now: int) -> Fetched:
        if reply.status == CLOSED_WITHOUT_ANSWER:
            raise ExchangeError(BROKEN, "the server closed the connection without an answer")
        action, arriving = self._action, self._arriving
        return Fetched(
            action=action,
            status=reply.status,
            url=self._hop.named,
            headers=reply.headers,
            body=part_of(_body(action, reply), reply.status, reply.headers, action.byte_range),
            sent_at=self._sent_at,
            done_at=now,
            moved_bytes=-1 if arriving is None else arriving.moved_bytes,
            moved_us=-1 if arriving is None else arriving.moved_us,
        )


def _body(action: Fetch, reply: Reply) -> bytes:
    """As a client decodes it. Raises: ExchangeError."""
    if bytes_needed(reply.status, action.byte_range) is None:
        check_size(action.kind, len(reply.body))
    decoder = decoder_of(reply.headers)
    pieces: list[bytes] = []
    size = 0
    for piece in decoder.feed(reply.body):
        size += len(piece)
        if piece is not reply.body:
            check_size(action.kind, size)
        pieces.append(piece)
    decoder.finish()
    return b"".join(pieces)


def _request(request_id: int, hop: Hop) -> Request:
    parts = urlsplit(hop.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(request_id, hop.method, checked_authority(hop.url), target, hop.headers, hop.body or b"")
