"""Changes to a box that leave boxes in it out and overwrite fields; the sizes of what held them follow.

And where the bytes of a file went once boxes before them became smaller.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from struct import Struct
from typing import Final

from player.isobmff.boxes import Box

_SIZE: Final = Struct(">I")
_LARGE_SIZE: Final = Struct(">Q")
_HEADER_BYTES: Final = 8  # with a 32-bit size; a 64-bit one stands behind the type

Moved = Callable[[int], int]
"""Where a byte of the input lies in the output."""


class Edits:
    """Collected in any order, done in one go by `built`. They must not overlap."""

    __slots__ = ("_changes", "_data", "_lost", "_top", "shrink")

    def __init__(self, data: bytes, top: Box) -> None:
        self._data = data
        self._top = top
        self._changes: list[tuple[int, int, bytes]] = []  # start, end, what comes there instead
        self._lost: dict[Box, int] = {}  # bytes, by box that held what was left out
        self.shrink = 0

    def drop(self, box: Box) -> None:
        size = box.end - box.start
        self._changes.append((box.start, box.end, b""))
        self.shrink += size
        holder = box.parent
        while holder is not None and holder.start >= self._top.start:
            self._lost[holder] = self._lost.get(holder, 0) + size
            holder = holder.parent

    def write(self, at: int, value: bytes) -> None:
        self._changes.append((at, at + len(value), value))

    def built(self) -> bytes:
        pieces: list[bytes] = []
        position = self._top.start
        for start, end, value in sorted(self._changes + [_resized(box, lost) for box, lost in self._lost.items()]):
            pieces += self._data[position:start], value
            position = end
        return b"".join([*pieces, self._data[position : self._top.end]])


class Moves:
    """The boxes that became smaller, in file order. Calling it says where a byte went; it never changes their order."""

    __slots__ = ("_ends", "_new_ends", "_shrinks")

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._new_ends: list[int] = []
        self._shrinks = [0]  # of all boxes before the n-th

    def add(self, box: Box, shrink: int) -> None:
        self._shrinks.append(self._shrinks[-1] + shrink)
        self._ends.append(box.end)
        self._new_ends.append(box.end - self._shrinks[-1])

    def __call__(self, position: int) -> int:
        before = bisect_right(self._ends, position)
        moved = position - self._shrinks[before]
        return min(moved, self._new_ends[before]) if before < len(self._ends) else moved


def _resized(box: Box, lost: int) -> tuple[int, int, bytes]:
    size = box.end - box.start - lost
    if box.body - box.start > _HEADER_BYTES:
        at = box.start + _HEADER_BYTES
        return at, at + _LARGE_SIZE.size, _LARGE_SIZE.pack(size)
    return box.start, box.start + _SIZE.size, _SIZE.pack(size)
