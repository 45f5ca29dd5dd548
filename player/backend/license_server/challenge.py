"""What a license server takes from any request before it decides, whatever the key system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from player.backend.license_server.grant import Grant
from player.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """`session_type` is EME's."""

    kids: tuple[KeyId, ...]
    session_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySystem:
    """How a key system reads a request and writes a license.

    `read` raises LicenseError; `write` gives None where the system has no license for such a grant.
    """

    read: Callable[[bytes], Challenge]
    write: Callable[[Challenge, Grant, int], bytes | None]  # the int: wall time in ms
