"""Redirects (RFC 9110, 15.4): what is asked for next, and what a foreign origin must not see; on every network."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from player.engine.actions import Fetch, Headers
from player.runtime.fetch import REFUSED_URL, ExchangeError, checked_authority, request_headers
from player.wire import cmcd

REDIRECTS_MAX: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD: Final = frozenset({307, 308})
_CROSS_ORIGIN_HEADERS: Final = frozenset({"accept-encoding", "content-type", "range"})  # the others may hold a token


class Hop(NamedTuple):
    """One request of an exchange. `named`: its URL without what was added to it on the wire."""

    url: str
    method: str
    headers: Headers
    body: bytes | None
    followed: int = 0

    @property
    def named(self) -> str:
        return cmcd.without(self.url)


def first_hop(action: Fetch) -> Hop:
    """Raises: ExchangeError."""
    checked_authority(action.url)
    url = cmcd.added(action.url, action.query) if action.query else action.url
    return Hop(url, action.method, request_headers(action), action.body)


def next_hop(hop: Hop, status: int, location: str | None) -> Hop | None:
    """Where this answer leads; None: it is the last one.

    Raises: ExchangeError where it leads to nothing that may be fetched, or once too often.
    """
    if status not in _REDIRECTS or location is None:
        return None
    if hop.followed == REDIRECTS_MAX:
        raise ExchangeError(REFUSED_URL, f"more than {REDIRECTS_MAX} redirects")
    url = _joined(hop.url, location)
    checked_authority(url)
    method, headers, body = hop.method, hop.headers, hop.body
    if status not in _KEEPS_METHOD and method == "POST":
        method, body = "GET", None
    if urlsplit(url)[:2] != urlsplit(hop.url)[:2]:
        headers = tuple(header for header in headers if header[0] in _CROSS_ORIGIN_HEADERS)
    return Hop(url, method, headers, body, hop.followed + 1)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise ExchangeError(REFUSED_URL, "redirected to no valid URL") from None
