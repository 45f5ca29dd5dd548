"""A media segment that is still arriving, fragment by fragment: what low latency plays before the last byte is made.

Bytes may come cut anywhere. A fragment is told as soon as its `mdat` is whole; what is told, together with what
`parse_media` finds of the rest, is what it finds in the whole segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import MAX_TOP_LEVEL_BOXES, Box, header_at
from player.isobmff.model import InitSegment, MediaSegment
from player.isobmff.segment import PartReader

MAX_HELD_BYTES: Final = 32 << 20  # of one fragment; a larger one comes with the whole segment only
_LONGEST_HEADER: Final = 16
_LARGE: Final = b"\0\0\0\1"  # size field: a 64-bit size follows the type
_TO_THE_END: Final = bytes(4)  # size field: the box ends with the segment, so nobody knows when it is whole


class ArrivedPart(NamedTuple):
    """One `moof` and its `mdat`: `start` in the segment, and fragments whose `data` counts from the start of `data`."""

    start: int
    data: bytes
    segment: MediaSegment


class ArrivingSegment:
    """`feed` what comes, in order."""

    __slots__ = ("_begin", "_count", "_held", "_next", "_reader", "_waiting")

    def __init__(self, init: InitSegment | None) -> None:
        self._reader = PartReader(init)
        self._held = bytearray()
        self._begin = 0  # where `_held` begins in the segment
        self._next = 0  # where the next top-level box begins in `_held`
        self._waiting: list[Box] = []  # a moof (or moov) that is not told yet, and what has come behind it
        self._count = 0

    @property
    def is_inside(self) -> bool:
        """A fragment has begun and is not whole."""
        return len(self._held) > self._next or bool(self._waiting)

    def feed(self, data: bytes) -> Sequence[ArrivedPart]:
        """The fragments that are whole now. Raises: MediaError; nothing more can be told after it."""
        self._held += data
        found: list[ArrivedPart] = []
        while (box := self._next_box()) is not None:
            self._next = box.end
            found += self._take(box)
        self._drop_told()
        if len(self._held) > MAX_HELD_BYTES:
            raise MediaError("limit", "/", self._begin, f"a fragment of more than {MAX_HELD_BYTES} bytes")
        return found

    def finish(self) -> Sequence[ArrivedPart]:
        """What waits for another `mdat` will not get one. Raises: MediaError."""
        return self._read() if self._waiting else ()

    def _next_box(self) -> Box | None:
        """The next box that is whole. Raises: MediaError."""
        head = bytes(self._held[self._next : self._next + _LONGEST_HEADER])
        least = _LONGEST_HEADER if head.startswith(_LARGE) else _LONGEST_HEADER // 2
        if len(head) < least or head.startswith(_TO_THE_END):
            return None
        kind, body, size = header_at(head, 0, len(head), None)
        if self._next + size > len(self._held):
            return None
        self._count += 1
        if self._count > MAX_TOP_LEVEL_BOXES:
            raise MediaError("limit", "/", self._begin + self._next, f"more than {MAX_TOP_LEVEL_BOXES} boxes")
        return Box(kind, self._next, self._next + body, self._next + size)

    def _take(self, box: Box) -> Sequence[ArrivedPart]:
        """Raises: MediaError."""
        if box.type in (b"moof", b"moov"):
            before = self.finish()
            self._waiting = [box]
            return before
        if not self._waiting:
            return ()
        is_first = box.type == b"mdat" and all(other.type != b"mdat" for other in self._waiting)
        self._waiting.append(box)
        if is_first:
            with suppress(MediaError):  # its samples lie in several mdats: they are told with the next moof
                return self._read()
        return ()

    def _read(self) -> Sequence[ArrivedPart]:
        """Raises: MediaError."""
        start, end = self._waiting[0].start, self._waiting[-1].end
        data = bytes(self._held[start:end])
        segment = self._reader.read(data, _moved(self._waiting, start), self._begin + start)
        self._waiting = []
        return (ArrivedPart(self._begin + start, data, segment),) if segment.fragments else ()

    def _drop_told(self) -> None:
        keep = self._waiting[0].start if self._waiting else self._next
        if keep:
            del self._held[:keep]
            self._begin += keep
            self._next -= keep
            self._waiting = _moved(self._waiting, keep)


def _moved(boxes: Sequence[Box], by: int) -> list[Box]:
    return [Box(box.type, box.start - by, box.body - by, box.end - by) for box in boxes]
