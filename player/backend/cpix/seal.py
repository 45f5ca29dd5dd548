"""Seal content keys for recipients: CEK under AES-256-CBC, document keys and MAC key under RSA-OAEP.

The side that needs nobody's private key. `chance(size)` gives the bytes of document keys, MAC key and IVs; what RSA
makes is random by nature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from player.backend.cpix import names
from player.backend.cpix.model import DeliveryData, Document, DocumentKey, KeyEntry, Sealed
from player.crypto import aes, mac, rsa
from player.crypto.certificate import Certificate
from player.errors import CpixError
from player.ids import ContentKey, KeyId

Chance = Callable[[int], bytes]

DOCUMENT_KEY_BYTES: Final = 32
MAC_KEY_BYTES: Final = 64
MIN_RSA_BITS: Final = 3072
MIN_RSA_BITS_SPEKE: Final = 2048  # what SPEKE's services give out
_WEAK_DIGESTS: Final = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """`kids`: the keys it may open; None for all of them."""

    certificate: Certificate
    kids: frozenset[KeyId] | None = None
    name: str | None = None


def seal(
    document: Document, recipients: Sequence[Recipient], chance: Chance, *, now_us: int, min_bits: int = MIN_RSA_BITS
) -> Document:
    """The document with its plain keys sealed. Subsets need one document key a KID, and CPIX 2.4.

    Raises: CpixError where a recipient cannot be trusted with it, or a key is there that is not plain.
    """
    if not recipients:
        raise CpixError("no-recipient", "/CPIX/DeliveryDataList", "nobody to seal for")
    for each in recipients:
        check_certificate(each.certificate, now_us=now_us, min_bits=min_bits)
    kids = [key.kid for key in document.keys if key.value is not None]
    subsets = any(each.kids is not None for each in recipients)
    document_keys = _document_keys(kids, chance, subsets=subsets)
    mac_key = chance(MAC_KEY_BYTES)
    return replace(
        document,
        delivery=tuple(_delivery(each, document_keys, mac_key, subsets=subsets) for each in recipients),
        keys=tuple(_sealed(key, document_keys, mac_key, chance) for key in document.keys),
    )


def check_certificate(certificate: Certificate, *, now_us: int, min_bits: int = MIN_RSA_BITS) -> None:
    """Raises: CpixError for one that is out of its time, signed with a weak digest, or whose key is too short."""
    place = f"certificate {certificate.subject or '(no name)'}"
    if not certificate.valid_at(now_us):
        early = now_us < certificate.not_before_us
        raise CpixError("certificate-expired", place, "not valid yet" if early else "no longer valid")
    if certificate.digest in _WEAK_DIGESTS:
        raise CpixError("weak-certificate", place, f"signed with {certificate.digest}")
    try:
        bits = rsa.bits(certificate.public_key)
    except ValueError as error:
        raise CpixError("weak-certificate", place, str(error)) from None
    if bits < min_bits:
        raise CpixError("weak-certificate", place, f"an RSA key of {bits} bits, at least {min_bits} are wanted")


def seal_key(key: ContentKey, document_key: bytes, mac_key: bytes, iv: bytes) -> Sealed:
    """CipherValue = IV ‖ ciphertext; the MAC is over exactly those bytes."""
    padding = bytes([aes.BLOCK]) * aes.BLOCK  # PKCS #7: a key fills its block, so a whole one follows
    cipher = iv + aes.cbc_encryptor(document_key, iv).update(key.reveal() + padding)
    return Sealed(algorithm=names.AES256_CBC, cipher=cipher, mac=mac.hmac_sha512(mac_key, cipher))


def _document_keys(kids: Sequence[KeyId], chance: Chance, *, subsets: bool) -> Mapping[KeyId, bytes]:
    shared = b"" if subsets else chance(DOCUMENT_KEY_BYTES)
    return {kid: shared or chance(DOCUMENT_KEY_BYTES) for kid in kids}


def _delivery(
    recipient: Recipient, document_keys: Mapping[KeyId, bytes], mac_key: bytes, *, subsets: bool
) -> DeliveryData:
    public_key = recipient.certificate.public_key
    if subsets:
        own = {kid: key for kid, key in document_keys.items() if recipient.kids is None or kid in recipient.kids}
        keys = tuple(DocumentKey(sealed=_to(public_key, key), encrypts=(kid,)) for kid, key in own.items())
    else:
        keys = tuple(DocumentKey(sealed=_to(public_key, key)) for key in list(document_keys.values())[:1])
    if not keys:
        raise CpixError("no-recipient", "/CPIX/DeliveryDataList", "a recipient that may open nothing")
    return DeliveryData(
        certificate=recipient.certificate.der,
        document_keys=keys,
        mac_algorithm=names.HMAC_SHA512,
        mac_key=_to(public_key, mac_key),
        name=recipient.name,
    )


def _to(public_key: bytes, secret: bytes) -> Sealed:
    return Sealed(algorithm=names.RSA_OAEP, cipher=rsa.encrypt(public_key, secret))


def _sealed(key: KeyEntry, document_keys: Mapping[KeyId, bytes], mac_key: bytes, chance: Chance) -> KeyEntry:
    if key.value is None:
        return key
    if not isinstance(key.value, ContentKey):
        raise CpixError("already-sealed", "/CPIX/ContentKeyList", f"{key.kid} is encrypted already")
    return replace(key, value=seal_key(key.value, document_keys[key.kid], mac_key, chance(aes.BLOCK)))
