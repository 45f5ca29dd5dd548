"""What an application can read of a license request, and the license it can make of keys it was given itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from player.drm.init_data import InitData
from player.errors import KeystormError
from player.ids import CLEARKEY, HIERARCHY, ContentKey, KeyId
from player.wire import clearkey, hierarchy


def asked_for(key_system: str, message: bytes) -> tuple[KeyId, ...]:
    """The key ids a license request names; () where it is opaque."""
    try:
        return _ASKED[key_system](message)
    except (KeyError, KeystormError):
        return ()


def local_license(
    key_system: str, keys: Mapping[KeyId, ContentKey], asked: tuple[KeyId, ...], init_data: InitData
) -> bytes:
    """A license with every key of the table, so that any scope finds its keys in it."""
    if key_system == CLEARKEY:
        return clearkey.write_license(sorted(keys.items()))
    roots = _roots(asked, init_data)
    uses = {kid: hierarchy.Use.WRAP if kid in roots else hierarchy.Use.CONTENT for kid in keys}
    rows = (hierarchy.LicenseKey(kid=kid, key=key, use=uses[kid]) for kid, key in sorted(keys.items()))
    return hierarchy.write_license(hierarchy.License(keys=tuple(rows)))


def _roots(asked: tuple[KeyId, ...], init_data: InitData) -> tuple[KeyId, ...]:
    """Which of the keys asked for wrap others: what embedded keys hang on, or what a box of the hierarchy names."""
    if init_data.root is not None:
        return (init_data.root,)
    return asked if init_data.type == "cenc" else ()


_ASKED: Final[dict[str, Callable[[bytes], tuple[KeyId, ...]]]] = {
    CLEARKEY: lambda message: clearkey.read_request(message).kids,
    HIERARCHY: lambda message: hierarchy.read_request(message).kids,
}
