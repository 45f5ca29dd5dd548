"""The store of a private profile: in memory only, gone with the profile."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from player.runtime.stored_sessions import found, is_known, written
from player.wire.sealed_lines import Sealed


class MemoryStore:
    """Fulfils `eme.store.Store`. All pages of an origin in a profile share one."""

    __slots__ = ("_claims", "_sealed", "_secret", "_wall_ms")

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._claims: dict[str, bytes] = {}  # session id → the secret of the time when it was claimed
        self._sealed = Sealed()
        self._secret = secrets.token_bytes(32)

    @property
    def secret(self) -> bytes:
        """Another one after each `clear`."""
        return self._secret

    def read(self, session_id: str) -> bytes | None:
        return found(self._sealed, session_id, self._wall_ms())

    def write(self, records: Mapping[str, bytes | None]) -> None:
        kept = {it: data for it, data in records.items() if self._claims.get(it, self._secret) == self._secret}
        self._sealed = written(self._secret, self._sealed, kept, self._wall_ms())

    def knows(self, session_id: str) -> bool:
        return session_id in self._claims or is_known(self._secret, self._sealed, session_id)

    def claim(self, session_id: str) -> bool:
        if self._claims.get(session_id) == self._secret:
            return False
        self._claims[session_id] = self._secret
        return True

    def release(self, session_id: str) -> None:
        self._claims.pop(session_id, None)

    def clear(self) -> None:
        """Everything of the origin, in one step. Sessions that are open stay open and are never stored again."""
        self._sealed = Sealed()
        self._secret = secrets.token_bytes(32)
