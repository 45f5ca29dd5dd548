"""Retry laws of the license exchange: which answers end it, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND
from player.drm.cause import Cause
from player.drm.profile import Jitter, Network

Headers = tuple[tuple[str, str], ...]

_HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7: the one form senders may use
_RETRY_AFTER_SLACK: Final = 0.1  # lengthened by up to this share, never shortened
_MAX_EXPONENT: Final = 30  # 2**30 s is beyond any cap; keeps the power finite for absurd profiles


def accepted(status: int, ranges: tuple[str, ...]) -> bool:
    """Is the HTTP status in one of "200" or "200-299"?"""
    for text in ranges:
        low, _, high = text.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def cause_of_retry(status: int | None, code: str) -> Cause:
    """Why the next attempt is made: the last one timed out, was refused for load, or failed."""
    if code == "timeout":
        return Cause.RETRY_TIMEOUT
    return Cause.RETRY_REFUSED if status in (429, 503) else Cause.RETRY_ERROR


def delay_us(network: Network, draw: Draw, counter: int, attempt: int, told_us: int | None) -> int:
    """Wait (µs) after the failed attempt number `attempt`. `told_us`: what Retry-After said, None if nothing."""
    if told_us is not None and network.honour_retry_after:
        if network.jitter is Jitter.NONE:
            return told_us
        return round(told_us * (1 + draw.between(Purpose.RETRY_AFTER, counter, 0.0, _RETRY_AFTER_SLACK)))
    cap = network.backoff_cap_ms * MILLISECOND
    exponent = min(attempt if network.jitter is Jitter.FULL else attempt - 1, _MAX_EXPONENT)
    step = network.backoff_base_ms * MILLISECOND * network.backoff_factor**exponent
    if network.jitter is Jitter.FULL:
        return round(draw.between(Purpose.BACKOFF, counter, 0.0, min(step, cap) if cap else step))
    if network.jitter is Jitter.PROPORTIONAL:
        step *= draw.between(Purpose.BACKOFF, counter, 1 - network.jitter_amount, 1 + network.jitter_amount)
    return round(min(step, cap) if cap else step)


def retry_after_us(headers: Headers, wall_us: int) -> int | None:
    """Retry-After as µs from now: delta seconds or a date; None if absent or unreadable (RFC 9110, 10.2.3)."""
    text = next((value.strip() for name, value in headers if name == "retry-after"), None)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text) * SECOND
    try:
        at = datetime.strptime(text, _HTTP_DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0, round(at.timestamp() * SECOND) - wall_us)
