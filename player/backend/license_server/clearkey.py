"""Clear Key for the license server: of a grant it sends key ids and content keys, nothing else."""

from __future__ import annotations

from typing import Final

from player.backend.common.keys import KeyKind
from player.backend.license_server.challenge import Challenge, KeySystem, release_in
from player.backend.license_server.grant import Grant
from player.wire import clearkey


def _read(body: bytes) -> Challenge:
    released = release_in(body, tolerant=True)
    if released is not None:
        return released
    request = clearkey.read_request(body, tolerant=True)
    return Challenge(kids=request.kids, session_type=request.type)


def _write(challenge: Challenge, grant: Grant, _now_ms: int) -> bytes | None:
    """None for an empty grant: there is no empty Clear Key license (EME 9.1.4). A root key would be no use in one."""
    keys = [(key.kid, key.key) for key in grant.keys if key.kind is KeyKind.CONTENT]
    return clearkey.write_license(keys, challenge.session_type) if keys else None


SYSTEM: Final = KeySystem(read=_read, write=_write)
