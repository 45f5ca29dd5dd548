"""MediaKeyStatusMap (EME 6.3) with a Python face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from player.eme.buffer_source import copied
from player.eme.cdm import Statuses
from player.eme.status import KeyStatus
from player.ids import KeyId


class KeyStatusMap:
    """One object for the life of a session: it shows the map of the day, sorted by key id, a shorter prefix first.

    An iterator is a snapshot. Key ids may be given as any BufferSource; anything else raises EmeTypeError.
    """

    __slots__ = ("_read", "_swapped")

    def __init__(self, read: Callable[[], Statuses], *, swapped: bool = False) -> None:
        self._read = read
        self._swapped = swapped  # entries and callbacks have key id and status the other way round, as in old browsers

    @property
    def size(self) -> int:
        return len(self._read())

    def has(self, key_id: object) -> bool:
        return self.get(key_id) is not None

    def get(self, key_id: object) -> KeyStatus | None:
        wanted = copied(key_id)
        return next((status for kid, status in self._read() if kid == wanted), None)

    def __getitem__(self, key_id: object) -> KeyStatus:
        """So that `dict(statuses)` works. Raises: KeyError."""
        status = self.get(key_id)
        if status is None:
            raise KeyError(key_id)
        return status

    def keys(self) -> Iterator[KeyId]:
        return iter([kid for kid, _ in self._read()])

    def values(self) -> Iterator[KeyStatus]:
        return iter([status for _, status in self._read()])

    def items(self) -> Iterator[tuple[KeyId, KeyStatus]]:
        return iter(self._read())

    def entries(self) -> Iterator[tuple[Any, Any]]:
        """Pairs of key id and status."""
        return iter([(status, kid) if self._swapped else (kid, status) for kid, status in self._read()])

    def for_each(self, callback: Callable[[Any, Any], object]) -> None:
        """`callback(status, key_id)`."""
        for first, second in self.entries():
            callback(second, first)

    def __iter__(self) -> Iterator[tuple[KeyId, KeyStatus]]:
        return self.items()

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"KeyStatusMap({', '.join(f'{kid}: {status}' for kid, status in self._read())})"
