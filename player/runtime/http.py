"""Real sockets: the aiohttp fetcher. Media and licenses have a pool each: waiting licenses hold no segment up.

A URL goes out as it was written wherever that is a URL at all: what a server has signed must not be spelled anew.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Final

import aiohttp
import yarl

from player.clock import SECOND, Clock
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind, Headers
from player.runtime.arriving import Arriving
from player.runtime.coding import decoder_of
from player.runtime.fetch import BROKEN, REFUSED_URL, TIMEOUT, UNREACHABLE, ExchangeError, Tell, check_size
from player.runtime.ranges import bytes_needed, part_of
from player.runtime.redirects import Hop, first_hop, next_hop

OPEN_CONNECTIONS: Final = 0  # no limit: aiohttp's 100 would cap a storm without a word

_WELL_FORMED: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+", re.ASCII)  # RFC 3986, 2


class _Sent:
    """When the head of the request was handed to the socket, µs on the run clock; of the first hop."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: int | None = None


class HttpFetcher:
    """One a process, for all its clients: connections are pooled, cookies are not kept. Needs a running loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._media = self._session()
        self._licenses = self._session()

    async def fetch(self, action: Fetch, tell: Tell | None = None) -> Fetched | FetchFailed:
        sent = _Sent()
        began = self._clock.now()
        try:
            async with asyncio.timeout(_seconds(action.timeout_us)):
                return await self._exchange(action, sent, began, tell)
        except (ExchangeError, TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            code, reason = _failure(error)
            now = self._clock.now()
            return FetchFailed(
                action=action, code=code, reason=reason, sent_at=began if sent.at is None else sent.at, done_at=now
            )

    async def close(self) -> None:
        await self._media.close()
        await self._licenses.close()

    async def _exchange(self, action: Fetch, sent: _Sent, began: int, tell: Tell | None) -> Fetched:
        """The answer at the end of the redirects, each of which is checked before it is followed."""
        hop: Hop | None = first_hop(action)
        while hop is not None:
            async with self._request(action, hop, sent) as response:
                here, hop = hop, next_hop(hop, response.status, response.headers.get("location"))
                if hop is None:
                    return await self._answer(action, here, response, began if sent.at is None else sent.at, tell)
        raise AssertionError("the last hop has an answer")

    def _request(self, action: Fetch, hop: Hop, sent: _Sent) -> aiohttp.client._RequestContextManager:
        session = self._licenses if action.kind is FetchKind.LICENSE else self._media
        url = yarl.URL(hop.url, encoded=True) if _WELL_FORMED.fullmatch(hop.url) else yarl.URL(hop.url)
        return session.request(
            hop.method,
            url,
            data=hop.body,
            headers=hop.headers,
            allow_redirects=False,
            timeout=_timeouts(action.connect_timeout_us),
            trace_request_ctx=sent,
        )

    async def _answer(
        self, action: Fetch, hop: Hop, response: aiohttp.ClientResponse, sent_at: int, tell: Tell | None
    ) -> Fetched:
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        as_asked = response.status == (200 if action.byte_range is None else 206)
        arriving = Arriving(action, tell if as_asked else None, sent_at, total=response.content_length)
        body = await self._body(action, response, headers, arriving)
        return Fetched(
            action=action,
            status=response.status,
            url=hop.named,
            headers=headers,
            body=part_of(body, response.status, headers, action.byte_range),
            sent_at=sent_at,
            done_at=self._clock.now(),
            moved_bytes=arriving.moved_bytes,
            moved_us=arriving.moved_us,
        )

    async def _body(
        self, action: Fetch, response: aiohttp.ClientResponse, headers: Headers, arriving: Arriving
    ) -> bytes:
        """As much of the body as is needed, decoded. Raises: ExchangeError as soon as it is known to be too large."""
        needed = bytes_needed(response.status, action.byte_range)
        if needed is None and response.method != "HEAD":
            check_size(action.kind, response.content_length or 0)
        decoder = decoder_of(headers)
        pieces: list[bytes] = []
        size = 0
        while chunk := await _next_chunk(response, action.stall_timeout_us):
            for piece in decoder.feed(chunk):
                size += len(piece)
                check_size(action.kind, size)
                pieces.append(piece)
                arriving.feed(piece, self._clock.now())
            if needed is not None and size >= needed:
                return b"".join(pieces)
        decoder.finish()
        return b"".join(pieces)

    def _session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._note_sent)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=OPEN_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_timeouts(0),
            auto_decompress=False,
            trace_configs=[trace],
        )

    async def _note_sent(self, _session: object, context: SimpleNamespace, _params: object) -> None:
        sent: _Sent = context.trace_request_ctx
        if sent.at is None:
            sent.at = self._clock.now()


async def _next_chunk(response: aiohttp.ClientResponse, stall_timeout_us: int) -> bytes:
    """b"": the body is over. Raises: ExchangeError where nothing comes for too long."""
    stalled = asyncio.timeout(_seconds(stall_timeout_us))
    try:
        async with stalled:
            return await response.content.readany()
    except TimeoutError:
        if not stalled.expired():
            raise
        raise ExchangeError(TIMEOUT, f"nothing more came for {stall_timeout_us / SECOND:g} s") from None


@lru_cache
def _timeouts(connect_us: int) -> aiohttp.ClientTimeout:
    """aiohttp's own are all off but that of the connection."""
    return aiohttp.ClientTimeout(total=None, connect=_seconds(connect_us), sock_read=None, sock_connect=None)


def _seconds(timeout_us: int) -> float | None:
    return timeout_us / SECOND if timeout_us else None


def _failure(error: Exception) -> tuple[str, str]:
    """Code and one line for a person; no text of the server's own gets in."""
    match error:
        case ExchangeError():
            return error.code, error.reason
        case aiohttp.ConnectionTimeoutError():
            return TIMEOUT, "no connection in time"
        case TimeoutError():
            return TIMEOUT, "no complete answer in time"
        case aiohttp.InvalidURL():
            return REFUSED_URL, "no valid URL"
        case aiohttp.ClientConnectorError():
            return UNREACHABLE, f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return BROKEN, "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return BROKEN, "the answer was cut short"
        case _:
            return BROKEN, f"no readable answer ({type(error).__name__})"
