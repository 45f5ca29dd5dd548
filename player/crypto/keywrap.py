"""AES Key Wrap: how one key travels under another (RFC 3394, 2.2)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

OVERHEAD: Final = 8  # bytes by which a wrapped key is longer


def wrap(kek: bytes, key: bytes) -> bytes:
    """Wrap a key of at least 16 bytes, a multiple of 8.

    Raises: ValueError for sizes the method does not know.
    """
    return aes_key_wrap(kek, key)


def unwrap(kek: bytes, wrapped: bytes) -> bytes:
    """The key, if it was wrapped with this one and nothing was changed since.

    Raises: ValueError for everything else.
    """
    try:
        return aes_key_unwrap(kek, wrapped)
    except InvalidUnwrap:  # derives from Exception alone
        raise ValueError("the wrapped key does not unwrap with this key") from None
