"""Where sessions outlive their page: one store for each browsing profile and origin (EME 5.3, 6.8).

Bytes in, bytes out. What a record says is the CDM's; where the bytes lie, and how tampering shows, is the store's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Store(Protocol):
    """The stored sessions of one origin in one profile, by session id."""

    def read(self, session_id: str) -> bytes | None:
        """None where nothing is stored, or where what is stored was tampered with."""
        ...

    def write(self, records: Mapping[str, bytes | None]) -> None:
        """All of them or none; they are on the disk when this returns. None clears a record.

        A session that was claimed before its origin's data was cleared is not written: nothing brings it back.
        Raises: QuotaExceededError where the disk does not take them.
        """
        ...

    def knows(self, session_id: str) -> bool:
        """Whether a session of this id is open, stored or was stored once: such an id is not given again."""
        ...

    def claim(self, session_id: str) -> bool:
        """Take a session for one page; False where a page of this origin has it open.

        Raises: QuotaExceededError where the disk does not take the mark.
        """
        ...

    def release(self, session_id: str) -> None:
        """The session has closed and can be loaded again."""
        ...
