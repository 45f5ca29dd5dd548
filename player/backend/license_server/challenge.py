"""What a license server takes from any request before it decides, whatever the key system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from player.backend.license_server.grant import Grant
from player.ids import KeyId
from player.wire import keyids
from player.wire.members import bad
from player.wire.strict import read_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """`session_type` is EME's. `acknowledgement`: what answers a license-release; None where keys are asked for."""

    kids: tuple[KeyId, ...]
    session_type: str
    acknowledgement: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySystem:
    """How a key system reads a request and writes a license.

    `read` raises LicenseError; `write` gives None where the system has no license for such a grant.
    """

    read: Callable[[bytes], Challenge]
    write: Callable[[Challenge, Grant, int], bytes | None]  # the int: wall time in ms


def release(body: bytes) -> Challenge | None:
    """A license-release: key ids, perhaps times of use, no session type. Its key ids acknowledge it (EME 9.1.6).

    None: another message. All of them come to one URL (EME 6.4, messageType). Raises: LicenseError.
    """
    if "type" in read_object(body, "license message"):
        return None
    kids = keyids.read(body)
    if not kids:
        raise bad("license message kids", "empty")
    return Challenge(kids=kids, session_type="", acknowledgement=keyids.write(kids))
