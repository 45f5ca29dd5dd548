"""The index of a resource as far as it was read: what is missing of it, and what lies where.

It knows no boxes: whoever reads a `sidx` gives its references in numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from player.mpd.model import ByteRange, Resource, SegmentBase

SEARCHED_BYTES: Final = 8192  # first read of a resource whose index lies somewhere at its start: a moov and a sidx


class Reference(NamedTuple):
    """One entry of a `sidx`; `further`: it leads to another one."""

    time: int  # ticks
    duration: int  # ticks
    first_byte: int
    size: int
    further: bool = False


class IndexRead(NamedTuple):
    """What was read so far of the index of a Representation.

    `timescale` 0: that of the MPD. `start` and `end`: where the first index lies in its resource.
    """

    timescale: int
    references: Sequence[tuple[int, int, int, int, bool]]  # each a Reference
    start: int
    end: int


def missing_index(source: SegmentBase, url: str, read: IndexRead | None) -> Resource | None:
    """What is to be fetched before the segments are known, one index after the other; None: nothing."""
    if read is not None:
        further = next((one for one in map(Reference._make, read.references) if one.further), None)
        index_url = url if source.index is None else source.index.url
        return None if further is None else Resource(url=index_url, byte_range=_bytes(further))
    return source.index or Resource(url=url, byte_range=source.index_range or (0, SEARCHED_BYTES - 1))


def before_index(source: SegmentBase, url: str, read: IndexRead | None) -> Resource | None:
    """A self-initializing segment: what comes before the index initializes (ISO/IEC 23009-1, 6.3.5.2)."""
    start = source.index_range[0] if source.index_range is not None else 0 if read is None else read.start
    return Resource(url=url, byte_range=(0, start - 1)) if start and source.index is None else None


def addresses(source: SegmentBase, url: str, read: IndexRead, media: Iterable[Reference]) -> tuple[Resource, ...]:
    """Offsets of an index in a resource of its own count from the start of the media (ISO/IEC 14496-12, 8.16.3)."""
    shift = 0 if source.index is None or source.index.url == url else -read.end
    return tuple(Resource(url=url, byte_range=_bytes(one, shift)) for one in media)


def _bytes(reference: Reference, shift: int = 0) -> ByteRange:
    first = reference.first_byte + shift
    return first, first + reference.size - 1
