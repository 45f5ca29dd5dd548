"""Message authentication: AES-CMAC (RFC 4493; NIST SP 800-38B) and HMAC-SHA-512 (RFC 2104)."""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

TAG_BYTES: Final = 16


def cmac(key: bytes, data: bytes) -> bytes:
    """The 16-byte tag.

    Raises: ValueError for a key of impossible size.
    """
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def verify_cmac(key: bytes, data: bytes, tag: bytes) -> bool:
    """Whether `tag` is the whole tag of `data`, compared in constant time.

    Raises: ValueError for a key of impossible size.
    """
    mac = CMAC(AES(key))
    mac.update(data)
    try:
        mac.verify(tag)
    except InvalidSignature:  # derives from Exception alone
        return False
    return True


def hmac_sha512(key: bytes, data: bytes) -> bytes:
    """The 64-byte tag."""
    return hmac.digest(key, data, "sha512")


def verify_hmac_sha512(key: bytes, data: bytes, tag: bytes) -> bool:
    """Whether `tag` is the whole tag of `data`, compared in constant time."""
    return hmac.compare_digest(hmac_sha512(key, data), tag)
