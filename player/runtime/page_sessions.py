"""The session ids of one page, and what its origin stores under them."""

from __future__ import annotations

from collections.abc import Mapping

from player.chance import Draw
from player.eme.cdm import Handled
from player.eme.errors import QuotaExceededError
from player.eme.session import session_id
from player.eme.store import Store
from player.eme.table import is_sane


class PageSessions:
    """Ids are unique on the page; those of sessions that may be stored are unique in the origin over time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given: set[str] = set()
        self._open: dict[str, bool] = {}  # whether it is claimed in the store

    def name(self, key_system: str, draw: Draw, number: int, *, stored: bool) -> str:
        """A new id for a session that may be `stored` or not, drawn again while it is in use or ever was."""
        attempt = 0
        while not self._take(name := session_id(key_system, draw, number, attempt), stored=stored):
            attempt += 1
        return name

    def open(self, name: str) -> bytes | Handled:
        """EME 6.6 load, 8.1 to 8.8: what is stored and nobody has open, or what load settles with instead."""
        if not is_sane(name):
            return Handled(error="TypeError", reason="no session has such an id")
        if name in self._open:
            return Handled(error="QuotaExceededError", reason="this page has the session open")
        if self._store.read(name) is None:
            return Handled(value=False)
        try:
            claimed = self._store.claim(name)
        except QuotaExceededError as error:
            return Handled(error=error.name, reason=error.message)
        if not claimed:
            return Handled(error="QuotaExceededError", reason="another page of the origin has the session open")
        record = self._store.read(name)  # as the page has left it that had it open until now
        if record is None:
            self._store.release(name)
            return Handled(value=False)
        self._given.add(name)
        self._open[name] = True
        return record

    def write(self, records: Mapping[str, bytes | None]) -> None:
        """Raises: QuotaExceededError where the disk does not take them."""
        self._store.write(records)

    def release(self, name: str) -> None:
        """The session has closed, or could not be loaded."""
        if self._open.pop(name, False):
            self._store.release(name)

    def _take(self, name: str, *, stored: bool) -> bool:
        if name in self._given:
            return False
        self._given.add(name)
        try:
            if stored and (self._store.knows(name) or not self._store.claim(name)):
                return False
        except QuotaExceededError:  # the disk takes nothing: the update that is to be stored says so
            stored = False
        self._open[name] = stored
        return True
