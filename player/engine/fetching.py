"""What an answer that brought nothing means, for every fetch but licenses (those have the profile's own retry law)."""

from __future__ import annotations

from typing import Final

from player.clock import MILLISECOND, SECOND
from player.drm.retry import retry_after_us
from player.engine.actions import Fetched, FetchFailed, Headers
from player.errors import KeystormError, NetworkError

FETCH_ATTEMPTS: Final = 3  # of one MPD or segment, the first included
_FIRST_WAIT_MS: Final = 500  # doubled after each attempt; all attempts at a refused port end within two seconds
_LONGEST_WAIT_MS: Final = 2_000  # a live stream is tried again about as often as it has a new segment
_LONGEST_TOLD_US: Final = 60 * SECOND  # a server that says more than this is as good as gone
_REFUSED_FOR_LOAD: Final = frozenset({429, 503})
_MAY_PASS: Final = frozenset({408, 425, 429})  # of the 4xx, those that tell of the moment (RFC 9110, 15.5.9; RFC 6585)


def wait_us(failed: int, result: Fetched | FetchFailed | None = None, wall_us: int = 0) -> int:
    """Wait after `failed` attempts in a row, the last of which brought `result`; never less than a server has asked."""
    own_us = min(_FIRST_WAIT_MS << min(failed - 1, 4), _LONGEST_WAIT_MS) * MILLISECOND
    if not isinstance(result, Fetched) or result.status not in _REFUSED_FOR_LOAD:
        return own_us
    told_us = retry_after_us(result.headers, wall_us) or 0
    return max(own_us, min(told_us, _LONGEST_TOLD_US))


def validators(headers: Headers) -> Headers:
    """What to send with the next request for the same resource, so that an unchanged one need not come again."""
    told = dict(reversed(headers))  # the first of a name counts
    if "etag" in told:
        return (("if-none-match", told["etag"]),)
    return (("if-modified-since", told["last-modified"]),) if "last-modified" in told else ()


def transfer(result: Fetched) -> tuple[int, int]:
    """Bytes and µs that tell of the network: not of the time in which the server had nothing to send."""
    if result.moved_us >= 0:
        return result.moved_bytes, result.moved_us
    return len(result.body), result.done_at - result.sent_at


def error_of(result: Fetched | FetchFailed) -> KeystormError:
    """One line that names the URL and what came instead."""
    if isinstance(result, FetchFailed):
        return NetworkError(result.code, result.action.url, result.reason)
    if not 200 <= result.status < 300:
        return NetworkError("http-status", result.url, f"HTTP {result.status}", status=result.status)
    if isinstance(result.parsed, KeystormError):
        return result.parsed
    return NetworkError("empty", result.url, "nothing usable")


def is_final(result: Fetched | FetchFailed) -> bool:
    """Would the same answer come again? Then no further attempt is made."""
    if isinstance(result, FetchFailed):
        return result.code == "refused-url"
    return 200 <= result.status < 300 or (400 <= result.status < 500 and result.status not in _MAY_PASS)
