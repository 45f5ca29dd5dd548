"""AES contexts in the three modes that Common Encryption needs: CTR, ECB and CBC.

A context is the library's own object behind a protocol, so that a call in the hot path is one call and nothing else.
It has a position: it belongs to one piece of straight code and to one thread.
Refuses to know what is encrypted: samples, patterns and counters that wrap are `cenc`'s.
"""

from __future__ import annotations

from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

BLOCK: Final = 16  # bytes of an AES block, whatever the size of the key

Readable = bytes | bytearray | memoryview
Writable = bytearray | memoryview


class BlockContext(Protocol):
    """ECB or CBC in one direction, without padding: `update` takes whole blocks. ECB keeps nothing between calls."""

    def update(self, data: Readable, /) -> bytes: ...


class CtrContext(Protocol):
    """CTR, the same in both directions.

    `reset_nonce` sets a new 16-byte counter block (`cryptography` carries over all 128 bits of it). `update_into` may
    be given one memory as source and target; its target has exactly the size of its source.
    """

    def reset_nonce(self, nonce: bytes, /) -> None: ...

    def update(self, data: Readable, /) -> bytes: ...

    def update_into(self, data: Readable, buf: Writable, /) -> int: ...


def ctr(key: bytes, counter: bytes = bytes(BLOCK)) -> CtrContext:
    """Raises: ValueError for a key or counter block of impossible size."""
    return Cipher(AES(key), modes.CTR(counter)).encryptor()


def ecb_encryptor(key: bytes) -> BlockContext:
    """Raises: ValueError for a key of impossible size."""
    return Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305 - single blocks: the caller does the chaining


def cbc_encryptor(key: bytes, iv: bytes) -> BlockContext:
    """Raises: ValueError for a key or IV of impossible size."""
    return Cipher(AES(key), modes.CBC(iv)).encryptor()


def cbc_decryptor(key: bytes, iv: bytes) -> BlockContext:
    """Raises: ValueError for a key or IV of impossible size."""
    return Cipher(AES(key), modes.CBC(iv)).decryptor()
