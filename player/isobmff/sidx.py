"""The segment index: `sidx` (ISO/IEC 14496-12, 8.16.3), one that leads to others and one that is looked for included.

An index may come in several reads: `parse_sidx` reads the first, `continued` every further one, and what is still
missing stands in the result as a reference with `further` set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import Box, full_header, header_at, require, require_table

MAX_REFERENCES: Final = 100_000  # of a whole index: a day of segments of one second
MAX_READS: Final = 256  # a choice: of one index; a long film has about a hundred
NEXT_READ_BYTES: Final = 8192  # where the index has not been found yet
ENDLESS: Final = 1 << 62  # ticks and bytes: a resource without an index is one segment

_CLAUSE: Final = "14496-12, 8.16.3"
_FIXED: Final = 12  # version, flags, reference id, timescale
_TIMES: Final = (Struct(">II"), Struct(">QQ"))  # earliest presentation time and first offset, by version
_COUNT: Final = Struct(">2xH")
_REFERENCE: Final = Struct(">III")  # type and size, duration, access point
_IS_INDEX: Final = 1 << 31
_MEDIA: Final = frozenset({b"moof", b"mdat"})  # no index comes behind these
_LONGEST_HEADER: Final = 16
_LARGEST_BYTES: Final = 1 << 20  # 65,535 references of 12 bytes


class IndexedSegment(NamedTuple):
    """Times in ticks; `first_byte` counts from the start of the resource. `further`: not media but the next index."""

    time: int
    duration: int
    first_byte: int
    size: int
    further: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentIndex:
    """`timescale` 0: no `sidx` yet, or none at all. `start` and `end`: where the first one lies in its resource."""

    timescale: int
    segments: tuple[IndexedSegment, ...]
    start: int = 0
    end: int = 0
    reads: int = 1


SOUGHT: Final = SegmentIndex(timescale=0, segments=(IndexedSegment(0, 0, 0, NEXT_READ_BYTES, further=True),), reads=0)
"""What is known of an index that may lie anywhere before the media: the first read is to be made."""


def parse_sidx(data: bytes, at: int) -> SegmentIndex:
    """The first `sidx` in `data`, with those it leads to as far as they are there as well.

    `at`: where `data` lies in its resource. Raises: MediaError; `bad-reference` where there is no sidx.
    """
    box, _ = _search(data)
    if box is None or box.type in _MEDIA:
        raise MediaError("bad-reference", "/", 0, "no sidx in the index range", _CLAUSE)
    if box.end > len(data):
        raise box.fault("truncated", f"{box.end - len(data)} bytes are missing", _CLAUSE)
    return _expanded(data, box, at)


def continued(known: SegmentIndex, data: bytes, at: int) -> SegmentIndex:
    """`known` and what the next read of it brought, which began at `at`.

    Raises: MediaError; `limit` where it leads to too many, `bad-table` where the next one counts other ticks.
    """
    if known.reads >= MAX_READS:
        raise MediaError("limit", "sidx", at, f"an index in more than {MAX_READS} parts", _CLAUSE)
    place, asked = next((i, segment) for i, segment in enumerate(known.segments) if segment.further)
    found = _read_on(data, at, asked, known.timescale)
    segments = (*known.segments[:place], *found.segments, *known.segments[place + 1 :])
    if len(segments) > MAX_REFERENCES:
        raise MediaError("limit", "sidx", at, f"an index of more than {MAX_REFERENCES} references", _CLAUSE)
    first = found if not known.timescale else known
    return replace(first, segments=segments, reads=known.reads + 1)


def _read_on(data: bytes, at: int, asked: IndexedSegment, timescale: int) -> SegmentIndex:
    """The index that was asked for, or where to read next. Without any (`timescale` 0) all media is one segment."""
    box, position = _search(data)
    if box is not None and box.type in _MEDIA:
        if timescale:
            raise box.fault("bad-reference", "media where an index was promised", _CLAUSE, at=at + position)
        whole = IndexedSegment(0, ENDLESS, at + position, ENDLESS)
        return SegmentIndex(timescale=0, segments=(whole,), start=at + position, end=at + position)
    if box is not None and box.end <= len(data):
        found = _expanded(data, box, at)
        _check_timescale(box, found.timescale, timescale or found.timescale)
        return found
    size = NEXT_READ_BYTES if box is None else box.end - position
    following = IndexedSegment(0, 0, at + position, size, further=True)
    if following == asked._replace(time=0, duration=0) or size > _LARGEST_BYTES:
        raise MediaError("truncated", "sidx", at, f"{len(data)} bytes do not hold the index", _CLAUSE)
    return SegmentIndex(timescale=0, segments=(following,))


def _search(data: bytes) -> tuple[Box | None, int]:
    """The first `sidx`, or the media that comes before any, and where it begins; None: where to look next."""
    position, end = 0, len(data)
    while end - position >= _LONGEST_HEADER:
        kind, body, box_end = header_at(data, position, end, None)
        if kind == b"sidx" or kind in _MEDIA:
            return Box(kind, position, body, box_end), position
        position = box_end
    return None, position


def _expanded(data: bytes, first: Box, at: int) -> SegmentIndex:
    """An index in which every reference to another one within `data` has given way to what that one lists."""
    timescale, waiting = _entries(data, first, at)
    found: list[IndexedSegment] = []
    while waiting:
        entry = waiting.pop()
        box = _sidx_at(data, entry.first_byte - at) if entry.further else None
        if box is None:
            found.append(entry)
        else:
            own, entries = _entries(data, box, at)
            _check_timescale(box, own, timescale)
            waiting += entries
            if not entries or len(waiting) + len(found) > MAX_REFERENCES:
                raise box.fault("limit", "an index that is empty or too large", _CLAUSE)
    return SegmentIndex(timescale=timescale, segments=tuple(found), start=at + first.start, end=at + first.end)


def _sidx_at(data: bytes, position: int) -> Box | None:
    """The `sidx` that begins there, if all of it is in `data`."""
    if len(data) - position < _LONGEST_HEADER:
        return None
    kind, body, end = header_at(data, position, len(data), None)
    return Box(kind, position, body, end) if kind == b"sidx" and end <= len(data) else None


def _entries(data: bytes, box: Box, at: int) -> tuple[int, list[IndexedSegment]]:
    """Timescale and references of one box, the last first. Offsets count from the byte behind it."""
    version, _ = full_header(data, box, _FIXED)
    times = _TIMES[min(version, 1)]
    require(box, _FIXED + times.size + _COUNT.size)
    timescale = int.from_bytes(data[box.body + 8 : box.body + 12], "big")
    if not timescale:
        raise box.fault("bad-table", "a timescale of 0", _CLAUSE)
    time, first_offset = times.unpack_from(data, box.body + _FIXED)
    start = box.body + _FIXED + times.size + _COUNT.size
    (count,) = _COUNT.unpack_from(data, start - _COUNT.size)
    require_table(box, start, count, _REFERENCE.size)
    position = at + box.end + first_offset
    found: list[IndexedSegment] = []
    for kind_and_size, duration, _ in _REFERENCE.iter_unpack(data[start : start + count * _REFERENCE.size]):
        further, size = kind_and_size >= _IS_INDEX, kind_and_size & (_IS_INDEX - 1)
        read = min(size, NEXT_READ_BYTES) if further else size  # its media may lie behind the index it leads to
        found.append(IndexedSegment(time, duration, position, read, further))
        time += duration
        position += size
    return timescale, found[::-1]


def _check_timescale(box: Box, found: int, expected: int) -> None:
    if found != expected:
        raise box.fault("bad-table", f"timescale {found} in an index of timescale {expected}", _CLAUSE)
