"""What a browser keeps from one visit to the next: stored sessions and identifiers, by origin (EME 5.3, 8.3, 8.4).

Two profiles, and two origins of one profile, never see anything of each other. Knows no session and no key system.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from player.crypto.kdf import hkdf
from player.eme.store import Store
from player.runtime.clock import wall_ms as _wall_ms
from player.runtime.file_store import FileStore, secret_in
from player.runtime.locks import lock, unlock
from player.runtime.memory_store import MemoryStore


class BrowsingProfile:
    """`path`: its folder, made when something is stored. None: a private profile, in memory and gone with this object.

    `wall_ms`: ms since the epoch, by which old sessions are dropped.
    """

    def __init__(self, path: Path | None = None, *, wall_ms: Callable[[], int] = _wall_ms) -> None:
        self._path = path
        self._wall_ms = wall_ms
        self._private: dict[str, MemoryStore] = {}

    def store(self, origin: str) -> Store:
        """The stored sessions of an origin, as one page is to use them."""
        return self._memory(origin) if self._path is None else self._file(self._path, origin)

    def identifier(self, origin: str) -> bytes:
        """32 bytes that are this device to this origin; others for every profile and after `clear` (EME 8.4.1)."""
        secret = self._memory(origin).secret if self._path is None else self._file(self._path, origin).secret()
        return hkdf(secret, info=b"keystorm identifier", size=32)

    def clear(self, origin: str) -> None:
        """Site data is cleared: licenses, records and identifiers go in one step, and nothing can bring them back."""
        if self._path is None:
            self._memory(origin).clear()
        else:
            self._file(self._path, origin).clear()

    def _memory(self, origin: str) -> MemoryStore:
        return self._private.setdefault(origin, MemoryStore(self._wall_ms))

    def _file(self, path: Path, origin: str) -> FileStore:
        """An origin is any text, so its folder is named by a digest."""
        folder = path / hashlib.sha256(origin.encode()).hexdigest()[:32]
        return FileStore(folder, origin, lambda: _profile_secret(path), self._wall_ms)


def _profile_secret(path: Path) -> bytes:
    """What stored sessions are bound to, so that those of another profile mean nothing here."""
    descriptor = lock(path / "lock", wait=True)
    try:
        return secret_in(path / "secret")
    finally:
        if descriptor is not None:
            unlock(descriptor)
