"""The hierarchy system for the license server: root keys wrap, keys may lie ahead, all end together."""

from __future__ import annotations

from typing import Final

from player.backend.common.keys import HeldKey, KeyKind
from player.backend.license_server.challenge import Challenge, KeySystem, release_in
from player.backend.license_server.grant import Grant
from player.wire import hierarchy
from player.wire.hierarchy import License, LicenseKey, Policy, Use

_USES: Final = {KeyKind.CONTENT: Use.CONTENT, KeyKind.ROOT: Use.WRAP}


def _read(body: bytes) -> Challenge:
    """A license-renewal has the form of a request, and is answered like one."""
    released = release_in(body)
    if released is not None:
        return released
    request = hierarchy.read_request(body)
    return Challenge(kids=request.kids, session_type=request.type)


def _write(challenge: Challenge, grant: Grant, now_ms: int) -> bytes:
    """A license without keys says: everything asked for is withheld."""
    policy = Policy(
        exp_ms=grant.until_ms,
        renew_at_ms=grant.renew_at_ms,
        persist=challenge.session_type == "persistent-license",
    )
    return hierarchy.write_license(License(keys=tuple(_key(key, now_ms) for key in grant.keys), policy=policy))


def _key(key: HeldKey, now_ms: int) -> LicenseKey:
    ahead = key.from_ms is not None and key.from_ms > now_ms
    return LicenseKey(kid=key.kid, key=key.key, use=_USES[key.kind], nbf_ms=key.from_ms if ahead else None)


SYSTEM: Final = KeySystem(read=_read, write=_write)
