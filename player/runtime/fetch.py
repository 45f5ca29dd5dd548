"""What every fetcher promises, and the limits that hold on every network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind, Headers, Progress

KIB: Final = 1 << 10
MIB: Final = 1 << 20

BODY_LIMIT_BYTES: Final[Mapping[FetchKind, int]] = {
    FetchKind.MPD: 16 * MIB,
    FetchKind.PATCH: 16 * MIB,
    FetchKind.XLINK: 1 * MIB,
    FetchKind.STEERING: 64 * KIB,
    FetchKind.TIME: 64 * KIB,
    FetchKind.INDEX: 16 * MIB,
    FetchKind.INIT: 16 * MIB,
    FetchKind.MEDIA: 256 * MIB,
    FetchKind.LICENSE: 64 * KIB,  # EME: a response of more is refused (G005)
}

ACCEPTED_CODINGS: Final = "gzip, deflate, br"

UNREACHABLE: Final = "unreachable"  # no connection
TIMEOUT: Final = "timeout"  # the connection, a pause or the whole exchange took too long
BROKEN: Final = "broken"  # cut, of wrong length, too large or no HTTP
REFUSED_URL: Final = "refused-url"  # not http or https, or too many redirects


Tell = Callable[[Progress], None]
"""Told of a body that is still arriving, where the fetch asks for it."""


class Fetcher(Protocol):
    """A network as one client sees it."""

    async def fetch(self, action: Fetch, tell: Tell | None = None) -> Fetched | FetchFailed:
        """One exchange. Never raises but for cancellation; `parsed` is left to the cache."""
        ...

    async def close(self) -> None: ...


class ExchangeError(Exception):
    """An exchange that brought no answer, on its way to becoming a `FetchFailed`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def checked_authority(url: str) -> str:
    """Host and port of a URL that may be fetched. Raises: ExchangeError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ExchangeError(REFUSED_URL, str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise ExchangeError(REFUSED_URL, f"only http and https are fetched, not {parts.scheme or 'a relative URL'}")
    if not parts.hostname:
        raise ExchangeError(REFUSED_URL, "no host")
    return parts.netloc.rpartition("@")[2]


def request_headers(action: Fetch) -> Headers:
    """Names in lower case; a part of a resource is asked for as RFC 9110, 14.2 has it, and never compressed."""
    headers = tuple((name.lower(), value) for name, value in action.headers)
    if action.byte_range is None:
        return (*headers, ("accept-encoding", ACCEPTED_CODINGS))
    first, last = action.byte_range
    return (*headers, ("range", f"bytes={first}-{last}"), ("accept-encoding", "identity"))


def check_size(kind: FetchKind, size: int) -> None:
    """Raises: ExchangeError where a body of `size` bytes is too large for its kind."""
    limit = BODY_LIMIT_BYTES[kind]
    if size > limit:
        raise ExchangeError(BROKEN, f"a body of more than {limit} bytes")
