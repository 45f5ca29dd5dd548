"""The wrapped-key blob: content keys on their way in the stream, each wrapped under a root key that a license gave.

It is the Data of a version 1 `pssh` box of the hierarchy system, whose KIDs are the blob's key ids in the same order;
whether they agree is the CDM's to check. Big-endian:

    version 1 · flags 1 · root kid 16 · count 2 · count × (kid 16 · start 8 · end 8 · wrapped key 24)
    [policy length 2 · canonical JSON] · AES-CMAC 16 over everything before it

AES Key Wrap guards each key by itself; the tag binds key ids, times and policy to each other.
Source: choice; the idea is the explainer's "Embedded Keys and Key Rotation Support in EME".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from player.crypto.kdf import hkdf
from player.crypto.keywrap import unwrap, wrap
from player.crypto.mac import TAG_BYTES, cmac, verify_cmac
from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire.hierarchy import Policy, policy_members, read_policy
from player.wire.strict import MAX_DOCUMENT_BYTES, read_object, write_object

VERSION: Final = 1
HAS_POLICY: Final = 0x01

_HEAD: Final = struct.Struct(">BB16sH")
_ENTRY: Final = struct.Struct(">16sQQ24s")
_LENGTH: Final = struct.Struct(">H")
_MAX_MS: Final = 2**53 - 1


class LeafKey(NamedTuple):
    """A content key in the clear, with its validity in ms since the epoch; `end_ms` 0: open."""

    kid: KeyId
    key: ContentKey
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A content key as it travels. `end_ms` 0: open."""

    kid: KeyId
    start_ms: int
    end_ms: int
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What can be read without the root key. Nothing in it is proven before `open_blob` has seen the tag."""

    root_kid: KeyId
    entries: tuple[Entry, ...]
    policy: Policy | None = None


def seal(root_kid: KeyId, root_key: ContentKey, leaves: Iterable[LeafKey], policy: Policy | None = None) -> bytes:
    """The blob of these content keys.

    Raises: ValueError where the blob could not be read again: no leaf, a key id twice, ends that differ.
    """
    given = tuple(leaves)
    kek = _derive(root_key, b"wrap")
    flags = 0 if policy is None else HAS_POLICY
    body = bytearray(_HEAD.pack(VERSION, flags, KeyId.cenc(root_kid), len(given)))
    for leaf in given:
        body += _ENTRY.pack(KeyId.cenc(leaf.kid), leaf.start_ms, leaf.end_ms, wrap(kek, leaf.key.reveal()))
    if policy is not None:
        document = write_object(policy_members(policy))
        body += _LENGTH.pack(len(document)) + document
    sealed = bytes(body) + cmac(_derive(root_key, b"mac"), bytes(body))
    try:
        read(sealed)
    except LicenseError as error:
        raise ValueError(error.message) from None
    return sealed


def read(data: bytes) -> Blob:
    """Raises: LicenseError where sizes do not add up, flags are unknown, or the entries contradict each other."""
    if not _HEAD.size + _ENTRY.size + TAG_BYTES <= len(data) <= MAX_DOCUMENT_BYTES:
        raise _bad(f"{len(data)} bytes hold no entry or too much")
    version, flags, root_kid, count = _HEAD.unpack_from(data)
    if version != VERSION or flags & ~HAS_POLICY:
        raise LicenseError("unknown-version", f"wrapped-key blob: version {version} with flags {flags:#04x}")
    end = _HEAD.size + count * _ENTRY.size
    if count == 0 or end + TAG_BYTES > len(data):
        raise _bad(f"{count} entries promised in {len(data)} bytes")
    entries = tuple(_entry(*fields) for fields in _ENTRY.iter_unpack(data[_HEAD.size : end]))
    _agree(entries)
    policy = _policy(data[end:-TAG_BYTES], promised=bool(flags & HAS_POLICY))
    return Blob(root_kid=KeyId.cenc(root_kid), entries=entries, policy=policy)


def open_blob(data: bytes, root_key: ContentKey) -> tuple[LeafKey, ...]:
    """The content keys, once the tag has proven the blob. Raises: LicenseError."""
    blob = read(data)
    if not verify_cmac(_derive(root_key, b"mac"), data[:-TAG_BYTES], data[-TAG_BYTES:]):
        raise LicenseError("bad-tag", "wrapped-key blob: changed on its way, or sealed with another root key")
    kek = _derive(root_key, b"wrap")
    return tuple(LeafKey(it.kid, _unwrap(kek, it.wrapped), it.start_ms, it.end_ms) for it in blob.entries)


def _unwrap(kek: bytes, wrapped: bytes) -> ContentKey:
    try:
        return ContentKey(unwrap(kek, wrapped))
    except ValueError as error:
        raise _bad(str(error)) from None


def _entry(kid: bytes, start_ms: int, end_ms: int, wrapped: bytes) -> Entry:
    if max(start_ms, end_ms) > _MAX_MS or 0 < end_ms <= start_ms:
        raise _bad(f"an entry is valid from {start_ms} to {end_ms} ms")
    return Entry(kid=KeyId.cenc(kid), start_ms=start_ms, end_ms=end_ms, wrapped=wrapped)


def _agree(entries: Sequence[Entry]) -> None:
    """No key id twice, and one end for all: the keys of a session expire together."""
    if len({entry.kid for entry in entries}) != len(entries):
        raise _bad("a key id stands twice")
    if len({entry.end_ms for entry in entries}) != 1:
        raise _bad("its entries end at different times")


def _policy(rest: bytes, *, promised: bool) -> Policy | None:
    if not promised:
        if rest:
            raise _bad(f"{len(rest)} bytes between the entries and the tag")
        return None
    if len(rest) < _LENGTH.size or _LENGTH.unpack_from(rest)[0] != len(rest) - _LENGTH.size:
        raise _bad("the policy's length is not that of what follows")
    return read_policy(read_object(rest[_LENGTH.size :], "wrapped-key blob policy"), "wrapped-key blob policy")


def _derive(root_key: ContentKey, purpose: bytes) -> bytes:
    return hkdf(root_key.reveal(), info=purpose, size=16)


def _bad(reason: str) -> LicenseError:
    return LicenseError("bad-blob", f"wrapped-key blob: {reason}")
