"""The header walk (ISO/IEC 14496-12, 4.2): where boxes begin and end, before anybody looks into one.

Every size is checked against what holds the box before anything is read or allocated, and the position always grows.
The caller descends along the parents and children it knows; nothing here guesses what is a container.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from struct import Struct
from typing import Final, NamedTuple

from player.errors import MediaError

# The limits are choices: above what real content needs, far below what hurts.
MAX_BOX_BYTES: Final = 256 << 20
MAX_MOOV_BYTES: Final = 16 << 20  # and of a moof
MAX_TOP_LEVEL_BOXES: Final = 200_000  # a day of fragments; reading the headers of more takes seconds (measured)
MAX_BOXES: Final = 10_000  # in one moov or moof
MAX_SAMPLES: Final = 100_000  # of one moof

_HEAD: Final = Struct(">I4s")
_LARGE_SIZE: Final = Struct(">Q")
_FULL: Final = Struct(">I")  # version and flags
_LARGE: Final = 1  # size field: a 64-bit size follows the type
_TO_THE_END: Final = 0  # size field: the box ends with the file
_CLAUSE: Final = "14496-12, 4.2"
_BIG_TABLES: Final = (b"moov", b"moof")


class Box(NamedTuple):
    """One box: payload in data[body:end]. `number` counts boxes of one type in one parent, from 0."""

    type: bytes
    start: int
    body: int
    end: int
    parent: Box | None = None
    number: int = 0

    @property
    def path(self) -> str:
        """`moof/traf[1]/senc`; the first of a type carries no number."""
        name = self.name + (f"[{self.number}]" if self.number else "")
        return f"{self.parent.path}/{name}" if self.parent else name

    @property
    def name(self) -> str:
        """The type as text, or as hex where it cannot be printed."""
        text = self.type.decode("ascii", "replace")
        return text if text.isascii() and text.isprintable() else self.type.hex()

    def fault(self, code: str, reason: str, source: str = "", *, at: int | None = None) -> MediaError:
        """The error to raise; `at`: byte offset, the start of the box if not given."""
        return MediaError(code, self.path, self.start if at is None else at, reason, source)


_box: Final = partial(tuple.__new__, Box)  # as the constructor, without its call: about half the time


class Walk:
    """One pass through a resource: the boxes of a moov or moof it may still meet, and what it warns of.

    `origin`: where `data` begins in the resource, should it be a part of it.
    """

    __slots__ = ("_boxes_left", "data", "origin", "warnings")

    def __init__(self, data: bytes, origin: int = 0) -> None:
        self.data = data
        self.origin = origin
        self.warnings: list[str] = []
        self._boxes_left = MAX_BOXES

    def enter(self, top: Box) -> list[Box]:
        """The children of a top-level box; the limit on boxes starts again."""
        self._boxes_left = MAX_BOXES
        return self.children(top)

    def children(self, parent: Box, fields: int = 0) -> list[Box]:
        """The boxes in a container, behind `fields` bytes of its own.

        Raises: MediaError `bad-box` for a size below its header or beyond the parent, `limit` for too many boxes.
        """
        found: list[Box] = []
        counts: dict[bytes, int] = {}
        position, end = parent.body + fields, parent.end
        if position > end:
            raise parent.fault("bad-box", "it ends inside its own fields", _CLAUSE)
        data, head_at, largest_start = self.data, _HEAD.unpack_from, end - _HEAD.size
        while position < end:
            size, kind = head_at(data, position) if position <= largest_start else (_TO_THE_END, b"")
            body, box_end = position + _HEAD.size, position + size
            if size < _HEAD.size:  # the other forms of a header, or none
                kind, body, box_end = header_at(data, position, end, parent)
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            box = _box((kind, position, body, box_end, parent, number))
            if box_end > end:
                raise box.fault("bad-box", f"it ends at {box_end}, its parent at {end}", _CLAUSE)
            found.append(box)
            position = box_end
        self._boxes_left -= len(found)
        if self._boxes_left < 0:
            raise parent.fault("limit", f"more than {MAX_BOXES} boxes")
        return found

    def warn(self, code: str, box: Box, note: str = "") -> None:
        self.warnings.append(f"{code}: {box.path} @ {box.start}" + (f": {note}" if note else ""))


def top_level(data: bytes) -> Iterator[Box]:
    """The boxes of a resource, one by one, so that what comes before a fault can be used.

    Raises: MediaError `bad-box` for an impossible size, `limit` for one above the limits, `truncated` where the
    resource ends first.
    """
    position, end = 0, len(data)
    for _ in range(MAX_TOP_LEVEL_BOXES):
        if position >= end:
            return
        kind, body, box_end = header_at(data, position, end, None)
        if box_end - position > (MAX_MOOV_BYTES if kind in _BIG_TABLES else MAX_BOX_BYTES):
            raise Box(kind, position, body, box_end).fault("limit", f"a box of {box_end - position} bytes")
        box = _box((kind, position, body, box_end, None, 0))
        if box_end > end:
            raise box.fault("truncated", f"{box_end - end} bytes are missing", _CLAUSE)
        yield box
        position = box_end
    raise MediaError("limit", "/", position, f"more than {MAX_TOP_LEVEL_BOXES} boxes")


def no_moov(data: bytes) -> MediaError:
    """The error to raise where a resource ends without one."""
    return MediaError("no-init", "/", len(data), "no moov" if data else "nothing at all", "14496-12, 8.2.1")


def require(box: Box, size: int) -> None:
    """Raises: MediaError `bad-box` if the payload has fewer than `size` bytes."""
    if box.end - box.body < size:
        raise box.fault("bad-box", f"{size} bytes needed, {box.end - box.body} present", _CLAUSE)


def full_header(data: bytes, box: Box, size: int = 4) -> tuple[int, int]:
    """Version and flags of a FullBox whose payload has at least `size` bytes (14496-12, 4.2.2)."""
    _, _, body, end, _, _ = box
    if end - body < size:
        require(box, size)
    (word,) = _FULL.unpack_from(data, body)
    return word >> 24, word & 0xFFFFFF


def require_table(box: Box, start: int, count: int, entry_size: int) -> None:
    """Before a table is read or allocated.

    Raises: MediaError `bad-table` unless `count` entries fit between `start` and the end of the box.
    """
    if count * entry_size > box.end - start:
        reason = f"{count} entries of {entry_size} bytes in {box.end - start} bytes"
        raise box.fault("bad-table", reason, _CLAUSE)


def header_at(data: bytes, position: int, end: int, parent: Box | None) -> tuple[bytes, int, int]:
    """Type, start of the payload, and end, which may lie beyond the data.

    Raises: MediaError `bad-box` for a size below the header, `truncated` where a top-level header is cut.
    """
    if end - position < _HEAD.size:
        raise _short(position, end, parent)
    size, kind = _HEAD.unpack_from(data, position)
    body = position + _HEAD.size
    if size >= _HEAD.size:
        return kind, body, position + size
    if size == _LARGE:
        if end - body < _LARGE_SIZE.size:
            raise _short(position, end, parent)
        (size,) = _LARGE_SIZE.unpack_from(data, body)
        body += _LARGE_SIZE.size
    elif size == _TO_THE_END and kind == b"mdat" and parent is None:
        return kind, body, end
    if size < body - position:
        raise Box(kind, position, body, end, parent).fault("bad-box", f"a size of {size}", _CLAUSE)
    return kind, body, position + size


def _short(position: int, end: int, parent: Box | None) -> MediaError:
    code, path = ("bad-box", parent.path) if parent else ("truncated", "/")
    return MediaError(code, path, position, f"{end - position} bytes are too few for a box header", _CLAUSE)
