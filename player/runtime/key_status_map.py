"""MediaKeyStatusMap (EME 6.3) with a Python face."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from player.eme.buffer_source import copied
from player.eme.cdm import Statuses
from player.eme.status import KeyStatus
from player.ids import KeyId


class KeyStatusMap:
    """One object for the life of a session: it shows the map of the day, sorted by key id, a shorter prefix first.

    An iterator is a snapshot. Key ids may be given as any BufferSource; anything else raises EmeTypeError.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Statuses]) -> None:
        self._read = read

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

    entries = items

    def for_each(self, callback: Callable[[KeyStatus, KeyId], object]) -> None:
        for kid, status in self._read():
            callback(status, kid)

    def __iter__(self) -> Iterator[tuple[KeyId, KeyStatus]]:
        return self.items()

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"KeyStatusMap({', '.join(f'{kid}: {status}' for kid, status in self._read())})"
