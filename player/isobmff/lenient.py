"""Reading on behind a fault, for people: a moof that has one is left out and the rest is read again.

Players never do this: what follows a broken fragment is theirs to ask for again, not to guess at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import Box, top_level
from player.isobmff.file import parse_file
from player.isobmff.model import BrokenSegmentError, InitSegment, MediaSegment
from player.isobmff.segment import parse_media

MAX_LEFT_OUT: Final = 16  # choice: each costs one more pass through the resource
MAX_BOXES_READ_AGAIN: Final = 10_000  # choice: with more top-level boxes than these the first fault is the last


class Outline(NamedTuple):
    """A resource at its top level, up to the first size that means nothing."""

    moofs: tuple[Box, ...]
    types: frozenset[bytes]
    boxes: int


class Reading(NamedTuple):
    """`left_out` are the moofs with a fault; `errors` those faults, and the one behind which nothing could be read."""

    segment: MediaSegment
    errors: tuple[MediaError, ...]
    left_out: tuple[Box, ...]


def outline(data: bytes) -> Outline:
    moofs: list[Box] = []
    types: set[bytes] = set()
    count = 0
    for box in readable(data):
        types.add(box.type)
        count += 1
        if box.type == b"moof":
            moofs.append(box)
    return Outline(tuple(moofs), frozenset(types), count)


def readable(data: bytes) -> Iterator[Box]:
    """The top-level boxes before the first fault."""
    boxes = top_level(data)
    while True:
        try:
            yield next(boxes)
        except (MediaError, StopIteration):
            return


def read_on(data: bytes, init: InitSegment | None, seen: Outline) -> Reading:
    """All fragments that can be read, and every fault in the way of others, up to a limit."""
    unfragmented = init is None and b"mdat" in seen.types and not seen.moofs
    errors: list[MediaError] = []
    left_out: list[Box] = []
    most = MAX_LEFT_OUT if seen.boxes <= MAX_BOXES_READ_AGAIN else 0
    while True:
        try:
            segment = parse_file(data) if unfragmented else parse_media(data, init)
            return Reading(segment, tuple(errors), tuple(left_out))
        except BrokenSegmentError as error:
            errors.append(error)
            broken = _moof_around(seen.moofs, error)
            if broken is None or len(left_out) == most:
                return Reading(error.delivered, tuple(errors), tuple(left_out))
            left_out.append(broken)
            data = data[: broken.start + 4] + b"free" + data[broken.start + 8 :]


def gaps(moofs: Sequence[Box], left_out: Sequence[Box]) -> list[range]:
    """From each moof that was left out to the end of the next that was not: there time jumps for no other reason."""
    found: list[range] = []
    start: int | None = None
    for moof in moofs:
        if moof in left_out:
            start = moof.start if start is None else start
        elif start is not None:
            found.append(range(start, moof.end))
            start = None
    return found


def _moof_around(moofs: Sequence[Box], error: MediaError) -> Box | None:
    """The moof that a fault lies in; None where it is no moof's, or its size is not to be trusted."""
    if not error.path.startswith("moof"):
        return None
    return next((moof for moof in moofs if moof.start <= error.offset < moof.end), None)
