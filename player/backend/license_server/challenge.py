"""What a license server takes from any request before it decides, whatever the key system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from player.backend.license_server.grant import Grant
from player.ids import KeyId
from player.wire import release
from player.wire.strict import read_object

USAGE_RECORD: Final = "persistent-usage-record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """`session_type` is EME's, "" where a message does not tell it.

    `acknowledgement`: what answers a license-release; None where keys are asked for.
    """

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


def release_in(body: bytes, *, tolerant: bool = False) -> Challenge | None:
    """A license-release: key ids, perhaps times of use, no session type. Its key ids acknowledge it (EME 9.1.6).

    None: another message. All of them come to one URL (EME 6.4, messageType). Raises: LicenseError.
    """
    if not release.is_release(read_object(body, "license message")):
        return None
    given = release.read(body, tolerant=tolerant)
    return Challenge(
        kids=given.kids,
        session_type="" if given.times is None else USAGE_RECORD,
        acknowledgement=release.write_acknowledgement(given.kids),
    )
