"""Open what was sealed: the one module that takes a private key.

Order: find the recipient by its public key, open the MAC key, check every MAC in constant time, and only then decrypt.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from player.backend.cpix import names
from player.backend.cpix.faults import Fault
from player.backend.cpix.model import DeliveryData, Document, Sealed
from player.crypto import aes, certificate, mac
from player.crypto.rsa import PrivateKey
from player.errors import CpixError
from player.ids import ContentKey, KeyId

CIPHER_BYTES: Final = 48  # IV, one block of key, one of padding
DOCUMENT_KEY_BYTES: Final = 32
MAX_DOCUMENT_KEYS: Final = 1024  # of one recipient: each costs an RSA operation
_PADDING: Final = bytes([aes.BLOCK]) * aes.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """`keys`: those this recipient may have; `warnings`: what only a lenient reader lets pass."""

    keys: Mapping[KeyId, ContentKey]
    warnings: tuple[Fault, ...] = ()


def open_document(document: Document, private_key: PrivateKey | None, *, need_mac: bool = True) -> Opened:
    """The content keys, plain ones included.

    Raises: CpixError: `no-delivery-data` where it is not for this recipient, `wrong-mac` before anything is decrypted,
    `no-mac` where one is missing and needed.
    """
    plain = {key.kid: key.value for key in document.keys if isinstance(key.value, ContentKey)}
    sealed = {key.kid: key.value for key in document.keys if isinstance(key.value, Sealed)}
    if not sealed:
        return Opened(keys=plain)
    if len(sealed) + len(plain) != sum(key.value is not None for key in document.keys):
        raise CpixError("duplicate-key", _KEYS, "one KID is there twice")
    delivery = _delivery_for(document, private_key)
    if private_key is None or delivery is None:
        raise CpixError("no-delivery-data", "/CPIX/DeliveryDataList", "no delivery data for this recipient")
    mac_key = _mac_key(delivery, private_key)
    warnings = tuple(_checked(sealed, mac_key, need_mac=need_mac))
    document_keys = dict(_document_keys(delivery, private_key, sealed))
    opened = {kid: _opened(kid, value, document_keys[kid]) for kid, value in sealed.items() if kid in document_keys}
    return Opened(keys={**plain, **opened}, warnings=warnings)


def _delivery_for(document: Document, private_key: PrivateKey | None) -> DeliveryData | None:
    """The one whose certificate has our public key."""
    for each in document.delivery if private_key is not None else ():
        try:
            public_key = b"" if each.certificate is None else certificate.public_key_of(each.certificate)
        except ValueError:  # somebody else's, of a kind that is not known
            continue
        if private_key is not None and public_key == private_key.public_key:
            return each
    return None


def _mac_key(delivery: DeliveryData, private_key: PrivateKey) -> bytes | None:
    if delivery.mac_key is None:
        return None
    if delivery.mac_algorithm != names.HMAC_SHA512:
        raise CpixError("bad-algorithm", _DELIVERY, "MACMethod: a MAC that is not HMAC-SHA-512")
    return _opened_by(private_key, delivery.mac_key, "MACMethod")


def _checked(sealed: Mapping[KeyId, Sealed], mac_key: bytes | None, *, need_mac: bool) -> Iterator[Fault]:
    """Warnings for missing MACs. Raises: CpixError for a wrong one, and for a missing one where it is needed."""
    for kid, value in sealed.items():
        if value.algorithm != names.AES256_CBC:
            raise CpixError("bad-algorithm", _KEYS, f"{kid}: not encrypted with AES-256-CBC")
        if mac_key is None or value.mac is None:
            if need_mac:
                raise CpixError("no-mac", _KEYS, f"{kid}: without a MAC nothing says that it is what was sealed")
            yield Fault.at(_KEYS, "no-mac", f"{kid}: opened without a MAC")
        elif not mac.verify_hmac_sha512(mac_key, value.cipher, value.mac):
            raise CpixError("wrong-mac", _KEYS, f"{kid}: changed since it was sealed")


def _document_keys(
    delivery: DeliveryData, private_key: PrivateKey, sealed: Mapping[KeyId, Sealed]
) -> Iterator[tuple[KeyId, bytes]]:
    """KID → document key. One that names no KID is for all, if it is the only one."""
    if len(delivery.document_keys) > MAX_DOCUMENT_KEYS:
        raise CpixError("too-large", _DELIVERY, f"more than {MAX_DOCUMENT_KEYS:,} document keys")
    for each in delivery.document_keys:
        kids = each.encrypts or (tuple(sealed) if len(delivery.document_keys) == 1 else ())
        if any(kid in sealed for kid in kids):
            key = _opened_by(private_key, each.sealed, "DocumentKey")
            if len(key) != DOCUMENT_KEY_BYTES:
                raise CpixError("bad-value", _DELIVERY, f"a document key has {DOCUMENT_KEY_BYTES} bytes")
            yield from ((kid, key) for kid in kids if kid in sealed)


def _opened_by(private_key: PrivateKey, sealed: Sealed, what: str) -> bytes:
    if sealed.algorithm != names.RSA_OAEP:
        raise CpixError("bad-algorithm", _DELIVERY, f"{what}: not encrypted with RSA-OAEP")
    try:
        return private_key.decrypt(sealed.cipher)
    except ValueError as error:
        raise CpixError("not-opened", _DELIVERY, f"{what}: {error}") from None


def _opened(kid: KeyId, value: Sealed, document_key: bytes) -> ContentKey:
    if len(value.cipher) != CIPHER_BYTES:
        raise CpixError("bad-value", _KEYS, f"{kid}: a CipherValue has {CIPHER_BYTES} bytes")
    iv, cipher = value.cipher[: aes.BLOCK], value.cipher[aes.BLOCK :]
    clear = aes.cbc_decryptor(document_key, iv).update(cipher)
    if not hmac.compare_digest(clear[aes.BLOCK :], _PADDING):
        raise CpixError("not-opened", _KEYS, f"{kid}: not encrypted with this document key")
    return ContentKey(clear[: aes.BLOCK])


_DELIVERY: Final = "/CPIX/DeliveryDataList/DeliveryData"
_KEYS: Final = "/CPIX/ContentKeyList"
