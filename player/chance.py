"""Chance as a pure function of (seed, client, purpose, counter): results depend on no order and no sharding.

The first 8 bytes, big-endian, of SHA-256 over the ASCII text `keystorm/1␟SEED␟CLIENT␟PURPOSE␟COUNTER`
(␟ is byte 0x1F, numbers in decimal), divided by 2**64. Longer values are the first bytes of the same digest.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

_UNIT: Final = 2.0**64


class Purpose(StrEnum):
    """What a draw is for. Nothing else in a run is random."""

    JOIN = "join"
    REFRESH_PHASE = "refresh-phase"
    LIVE_DELAY = "live-delay"
    REPRESENTATION = "representation"
    SPREAD = "spread"
    BACKOFF = "backoff"
    RETRY_AFTER = "retry-after"
    LATENCY = "latency"
    SLOT = "slot"
    KID = "kid"
    KEY = "key"
    SESSION = "session"
    NONCE = "nonce"
    EPHEMERAL = "ephemeral"
    RESET = "reset"
    URL = "url"
    SERVICE = "service"
    FAULT = "fault"
    CMCD = "cmcd"


class Draw:
    """All chance of one client (its number) or one backend service (its name) in one run."""

    __slots__ = ("_prefix",)

    def __init__(self, seed: int, client: int | str) -> None:
        self._prefix = f"keystorm/1\x1f{seed}\x1f{client}\x1f".encode("ascii")

    def __call__(self, purpose: Purpose, counter: int) -> float:
        """A number in [0, 1). `counter` is the crypto period index for `spread`, else a running number a purpose."""
        return int.from_bytes(self._digest(purpose, counter)[:8], "big") / _UNIT

    def between(self, purpose: Purpose, counter: int, low: float, high: float) -> float:
        """U(low, high); U(a, b) with b <= a is a."""
        return low + (high - low) * self(purpose, counter) if high > low else low

    def value(self, purpose: Purpose, counter: int, size: int) -> bytes:
        """`size` bytes, at most 32."""
        if not 0 < size <= 32:
            raise ValueError("a draw has 1 to 32 bytes")
        return self._digest(purpose, counter)[:size]

    def _digest(self, purpose: Purpose, counter: int) -> bytes:
        return hashlib.sha256(self._prefix + f"{purpose.value}\x1f{counter}".encode("ascii")).digest()
