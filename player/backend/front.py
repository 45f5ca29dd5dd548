"""The front of real sockets: one service behind one listening socket, with aiohttp. The backend's door to aiohttp.

It reads requests, holds them until the service has answered, and keeps one timer for the service's deadline. It decides
nothing: what it refuses by itself is only what never becomes a request (too slow, or without the token of this server).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hmac import compare_digest
from itertools import count
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from player.backend.common.replies import problem_reply
from player.wire.http import Reply, Request, Service
from player.wire.problem import Problem
from player.wire.strict import MAX_DOCUMENT_BYTES

BACKLOG: Final = 8192  # connections waiting to be accepted: all clients may join in one instant
KEEP_ALIVE_S: Final = 75.0  # an idle connection is closed after so long
SLOW_CLIENT_S: Final = 10.0  # a body that takes longer to arrive is given up
_SHUTDOWN_S: Final = 1.0  # for requests still waiting when the front closes
_MAX_HEADER_BYTES: Final = 16_380  # a token in a header or path may be longer than aiohttp's 8,190


class Front:
    """`now` reads the run clock; `token`: every request must carry it as `Authorization: Bearer`."""

    def __init__(self, service: Service, now: Callable[[], int], *, token: str | None = None) -> None:
        self._service = service
        self._now = now
        self._token = token
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._due: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """One HTTP exchange."""
        try:
            body = await _body(http)
        except TimeoutError:
            return web.Response(status=408)
        headers = tuple((name.lower(), value) for name, value in http.headers.items())
        request = Request(next(self._ids), http.method, http.host, http.raw_path, headers, body)
        reply = self._refusal(request) or await self._exchange(request)
        if reply.status == 0 and http.transport is not None:
            http.transport.abort()
        if reply.paced:
            return await self._send_as_made(http, reply)
        return web.Response(status=reply.status or 500, headers=CIMultiDict(reply.headers), body=reply.body)

    async def _send_as_made(self, http: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        """A body that is still being made, chunk by chunk."""
        response = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
        await response.prepare(http)
        sent = 0
        for at, end in reply.paced:
            await asyncio.sleep(max(0, at - self._now()) / 1e6)
            await response.write(reply.body[sent:end])
            sent = end
        await response.write_eof()
        return response

    def close(self) -> None:
        """Drop the timer; requests still waiting are cancelled by the server."""
        if self._timer is not None:
            self._timer.cancel()

    def _refusal(self, request: Request) -> Reply | None:
        given = (request.header("authorization") or "").removeprefix("Bearer ")
        if self._token is None or request.method == "OPTIONS" or compare_digest(given.encode(), self._token.encode()):
            return None
        missing = Problem(type="about:blank", title="Unauthorized", status=401)
        return problem_reply(request, missing, headers=(("www-authenticate", "Bearer"),))

    async def _exchange(self, request: Request) -> Reply:
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = waiting
        try:
            self._service.receive(request, self._now())
            self._hand_out()
            return await waiting
        finally:
            if self._waiting.pop(request.id, None) is not None:  # cancelled: the client has closed the connection
                self._service.gone(request.id, self._now())
                self._hand_out()

    def _hand_out(self) -> None:
        for reply in self._service.replies():
            waiting = self._waiting.pop(reply.id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._service.deadline()
        if due == self._due:
            return
        self.close()
        self._due, self._timer = due, None
        if due is not None:
            delay_s = max(0, due - self._now()) / 1e6
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._due = self._timer = None
        self._service.handle_deadline(self._now())
        self._hand_out()


@asynccontextmanager
async def listening(front: Front, bound: socket.socket) -> AsyncIterator[None]:
    """Answer on this socket until the context is left."""
    server = web.Server(
        front.handle,
        handler_cancellation=True,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_S,
        max_field_size=_MAX_HEADER_BYTES,
        max_line_size=_MAX_HEADER_BYTES,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, bound, backlog=BACKLOG).start()
        yield
    finally:
        front.close()
        await runner.cleanup()


async def _body(http: web.BaseRequest) -> bytes:
    """At most one byte more than a service reads, so that the service can say that it is too much.

    Raises: TimeoutError where it does not arrive in time.
    """
    if not http.body_exists:
        return b""
    parts: list[bytes] = []
    room = MAX_DOCUMENT_BYTES + 1
    async with asyncio.timeout(SLOW_CLIENT_S):
        while room and (part := await http.content.read(room)):
            parts.append(part)
            room -= len(part)
    return b"".join(parts)
