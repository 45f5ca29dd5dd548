"""Real sockets: the aiohttp fetcher. Media and licenses have a pool each: waiting licenses hold no segment up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from player.clock import SECOND, Clock
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind
from player.runtime.fetch import (
    BROKEN,
    REFUSED_URL,
    TIMEOUT,
    UNREACHABLE,
    ExchangeError,
    check_size,
    checked_authority,
    part_of,
    request_headers,
)

REDIRECTS_MAX: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEEPS_METHOD: Final = frozenset({307, 308})  # RFC 9110, 15.4
CROSS_ORIGIN_HEADERS: Final = frozenset({"accept-encoding", "content-type", "range"})  # the others may hold a token
OPEN_CONNECTIONS: Final = 0  # no limit: aiohttp's 100 would cap a storm without a word

NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)


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

    async def fetch(self, action: Fetch) -> Fetched | FetchFailed:
        sent = _Sent()
        began = self._clock.now()
        try:
            async with asyncio.timeout(action.timeout_us / SECOND if action.timeout_us else None):
                url, response, body = await self._follow(action, sent)
        except (ExchangeError, TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            code, reason = _failure(error)
            now = self._clock.now()
            return FetchFailed(
                action=action, code=code, reason=reason, sent_at=began if sent.at is None else sent.at, done_at=now
            )
        return Fetched(
            action=action,
            status=response.status,
            url=url,
            headers=tuple((name.lower(), value) for name, value in response.headers.items()),
            body=part_of(body, response.status, action.byte_range),
            sent_at=began if sent.at is None else sent.at,
            done_at=self._clock.now(),
        )

    async def close(self) -> None:
        await self._media.close()
        await self._licenses.close()

    async def _follow(self, action: Fetch, sent: _Sent) -> tuple[str, aiohttp.ClientResponse, bytes]:
        """The answer at the end of the redirects, each of which is checked before it is followed."""
        session = self._licenses if action.kind is FetchKind.LICENSE else self._media
        url, method, body = action.url, action.method, action.body
        headers = request_headers(action)
        for _ in range(REDIRECTS_MAX + 1):
            checked_authority(url)
            async with session.request(
                method, url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=sent
            ) as response:
                location = response.headers.get("location")
                if response.status not in REDIRECTS or location is None:
                    return url, response, await _body(response, action.kind)
            if response.status not in KEEPS_METHOD and method == "POST":
                method, body = "GET", None
            url, before = _joined(url, location), url
            if urlsplit(url)[:2] != urlsplit(before)[:2]:
                headers = tuple(header for header in headers if header[0] in CROSS_ORIGIN_HEADERS)
        raise ExchangeError(REFUSED_URL, f"more than {REDIRECTS_MAX} redirects")

    def _session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._note_sent)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=OPEN_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=NO_TIMEOUT,
            trace_configs=[trace],
        )

    async def _note_sent(self, _session: object, context: SimpleNamespace, _params: object) -> None:
        sent: _Sent = context.trace_request_ctx
        if sent.at is None:
            sent.at = self._clock.now()


async def _body(response: aiohttp.ClientResponse, kind: FetchKind) -> bytes:
    """The whole body, decompressed. Raises: ExchangeError as soon as it is known to be too large."""
    check_size(kind, response.content_length or 0)
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        check_size(kind, size)
        chunks.append(chunk)
    return b"".join(chunks)


def _joined(url: str, location: str) -> str:
    """Where a redirect leads. Raises: ExchangeError."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise ExchangeError(REFUSED_URL, "redirected to no valid URL") from None


def _failure(error: Exception) -> tuple[str, str]:
    """Code and one line for a person; no text of the server's own gets in."""
    match error:
        case ExchangeError():
            return error.code, error.reason
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
