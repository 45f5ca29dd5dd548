"""HKDF with SHA-256 (RFC 5869)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(secret: bytes, *, salt: bytes = b"", info: bytes, size: int) -> bytes:
    """`size` bytes derived from `secret`; an empty salt is the 32 zero bytes of RFC 5869, 2.2.

    Raises: ValueError for a size below 1 or above 255 x 32.
    """
    if size < 1:
        raise ValueError("at least one byte must be derived")
    return HKDF(algorithm=SHA256(), length=size, salt=salt or None, info=info).derive(secret)
