"""What an application can read of a license request, and the license it can make of keys it was given itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from player.errors import KeystormError
from player.ids import CLEARKEY, HIERARCHY, ContentKey, KeyId
from player.wire import clearkey, hierarchy


def asked_for(key_system: str, message: bytes) -> tuple[KeyId, ...]:
    """The key ids a license request names; () where it is opaque."""
    try:
        return _ASKED[key_system](message)
    except (KeyError, KeystormError):
        return ()


def local_license(key_system: str, keys: Mapping[KeyId, ContentKey]) -> bytes:
    """A license with every key of the table, so that any scope finds its keys in it."""
    return _LICENSES[key_system](keys)


def _clearkey_license(keys: Mapping[KeyId, ContentKey]) -> bytes:
    return clearkey.write_license(sorted(keys.items()))


def _hierarchy_license(keys: Mapping[KeyId, ContentKey]) -> bytes:
    rows = tuple(
        hierarchy.LicenseKey(kid=kid, key=key, use=use)
        for kid, key in sorted(keys.items())
        for use in (hierarchy.Use.CONTENT,)
    )
    return hierarchy.write_license(hierarchy.License(keys=rows))


_ASKED: Final[dict[str, Callable[[bytes], tuple[KeyId, ...]]]] = {
    CLEARKEY: lambda message: clearkey.read_request(message).kids,
    HIERARCHY: lambda message: hierarchy.read_request(message).kids,
}
_LICENSES: Final[dict[str, Callable[[Mapping[KeyId, ContentKey]], bytes]]] = {
    CLEARKEY: _clearkey_license,
    HIERARCHY: _hierarchy_license,
}
