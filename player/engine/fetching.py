"""What an answer that brought nothing means, for every fetch but licenses (those have the profile's own retry law)."""

from __future__ import annotations

from typing import Final

from player.clock import MILLISECOND
from player.engine.actions import Fetched, FetchFailed
from player.errors import KeystormError, NetworkError

FETCH_ATTEMPTS: Final = 3  # of one MPD or segment, the first included
_FIRST_WAIT_MS: Final = 500  # doubled after each attempt; all attempts at a refused port end within two seconds
_LONGEST_WAIT_MS: Final = 2_000  # a live stream is tried again about as often as it has a new segment


def wait_us(failed: int) -> int:
    """Wait after `failed` attempts in a row."""
    return min(_FIRST_WAIT_MS << min(failed - 1, 4), _LONGEST_WAIT_MS) * MILLISECOND


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
    return 200 <= result.status < 300 or 400 <= result.status < 500
