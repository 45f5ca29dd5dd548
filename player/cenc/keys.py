"""Cipher contexts by key, kept for reuse: a new one costs as much as decrypting a short sample.

An object of this module belongs to one thread. It never shows a key.
"""

from __future__ import annotations

from typing import Final

from player.crypto import aes
from player.ids import ContentKey

KEYS_KEPT: Final = 256  # a choice: far more than the keys in use at a time, far less than those of a day of rotation


class KeyContexts:
    """The contexts of one key, each made when it is first asked for."""

    __slots__ = ("_cbc", "_ctr", "_raw")

    def __init__(self, key: ContentKey) -> None:
        self._raw = key.reveal()
        self._ctr: aes.CtrContext | None = None
        self._cbc: aes.BlockContext | None = None

    @property
    def ctr(self) -> aes.CtrContext:
        """To be set with `reset_nonce` before use."""
        if self._ctr is None:
            self._ctr = aes.ctr(self._raw)
        return self._ctr

    @property
    def cbc_decryptor(self) -> aes.BlockContext:
        """One for all chains: the block before the first of a chain is its IV, which goes in ahead of it."""
        if self._cbc is None:
            self._cbc = aes.cbc_decryptor(self._raw, bytes(aes.BLOCK))
        return self._cbc

    def cbc_encryptor(self, iv: bytes) -> aes.BlockContext:
        """A new one each time: the library cannot reset it."""
        return aes.cbc_encryptor(self._raw, iv)


class Contexts:
    """The contexts of the keys last met; the oldest give way."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[ContentKey, KeyContexts] = {}

    def of(self, key: ContentKey) -> KeyContexts:
        found = self._by_key.get(key)
        if found is None:
            if len(self._by_key) >= KEYS_KEPT:
                del self._by_key[next(iter(self._by_key))]
            found = self._by_key[key] = KeyContexts(key)
        return found
