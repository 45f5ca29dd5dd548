"""Clear Key: the license request and the JWK set that answers it (EME 9.1.3, 9.1.4).

Refuses a whole document for one bad entry, so that an update succeeds or changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from player.ids import ContentKey, KeyId
from player.wire.members import (
    an_object,
    bad,
    content_key,
    each_once,
    items,
    key_id,
    key_ids,
    member,
    session_type,
    texts,
)
from player.wire.strict import JsonObject, b64url_encode, read_object, write_object

TEMPORARY: Final = "temporary"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearKeyRequest:
    """What a Clear Key CDM asks for. `type` is an EME session type."""

    kids: tuple[KeyId, ...]
    type: str = TEMPORARY


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearKeyLicense:
    """At least one key, no key id twice, in the order of the document."""

    keys: tuple[tuple[KeyId, ContentKey], ...]
    type: str = TEMPORARY


def write_request(kids: Iterable[KeyId], session_type: str = TEMPORARY) -> bytes:
    return write_object({"kids": texts(kids), "type": session_type})


def read_request(data: bytes, *, tolerant: bool = False) -> ClearKeyRequest:
    """`tolerant` is for servers: padding and plain base64 are taken too.

    Raises: LicenseError.
    """
    document = read_object(data, "license request")
    kids = key_ids(member(document, "kids", "license request"), "license request kids", tolerant=tolerant)
    if not kids:
        raise bad("license request kids", "empty")
    return ClearKeyRequest(kids=kids, type=_type(document, "license request type"))


def write_license(keys: Iterable[tuple[KeyId, ContentKey]], session_type: str = TEMPORARY) -> bytes:
    """A JWK set. Raises: ValueError without keys: Clear Key has no empty license."""
    entries = [{"k": b64url_encode(key.reveal()), "kid": b64url_encode(kid), "kty": "oct"} for kid, key in keys]
    if not entries:
        raise ValueError("a Clear Key license has at least one key")
    return write_object({"keys": entries, "type": session_type})


def read_license(data: bytes) -> ClearKeyLicense:
    """Extra members are ignored, here and in the entries (RFC 7517, 4). Raises: LicenseError."""
    document = read_object(data, "license")
    keys = tuple(_key(item, place) for item, place in items(member(document, "keys", "license"), "license keys"))
    if not keys:
        raise bad("license keys", "empty")
    each_once((kid for kid, _ in keys), "license keys")
    return ClearKeyLicense(keys=keys, type=_type(document, "license type"))


def _key(value: object, place: str) -> tuple[KeyId, ContentKey]:
    entry = an_object(value, place)
    if member(entry, "kty", place) != "oct":
        raise bad(f"{place}.kty", "not `oct`")
    kid = key_id(member(entry, "kid", place), f"{place}.kid")
    return kid, content_key(member(entry, "k", place), f"{place}.k")


def _type(document: JsonObject, place: str) -> str:
    return session_type(document["type"], place) if "type" in document else TEMPORARY
