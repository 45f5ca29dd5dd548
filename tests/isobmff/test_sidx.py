"""The segment index."""

from __future__ import annotations

import pytest

from player.errors import MediaError
from player.isobmff.sidx import (
    ENDLESS,
    MAX_READS,
    MAX_REFERENCES,
    NEXT_READ_BYTES,
    SOUGHT,
    IndexedSegment,
    SegmentIndex,
    continued,
    parse_sidx,
)
from tests.isobmff.build import box, full, u32


def sidx(
    *references: tuple[int, int], version: int = 0, offset: int = 0, count: int | None = None, scale: int = 25
) -> bytes:
    times = u32(100, offset) if version == 0 else (100).to_bytes(8, "big") + offset.to_bytes(8, "big")
    number = len(references) if count is None else count
    entries = b"".join(u32(size, duration, 0) for size, duration in references)
    return full(b"sidx", version, 0, u32(1, scale), times, u32(number), entries)


@pytest.mark.parametrize("version", [0, 1])
def test_segments_follow_each_other_from_the_anchor_on(version: int) -> None:
    data = box(b"styp", b"msdh") + sidx((1000, 50), (2000, 60), version=version, offset=8)
    index = parse_sidx(data, at=500 - len(data))
    assert index.timescale == 25
    assert index.segments == (IndexedSegment(100, 50, 508, 1000), IndexedSegment(150, 60, 1508, 2000))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-reference"),
        (box(b"free"), "bad-reference"),
        (sidx((1, 1), count=2), "bad-table"),
        (sidx((1, 1))[:-1], "truncated"),
        (sidx(scale=0), "bad-table"),
        (full(b"sidx", 0, 0, bytes(10)), "bad-box"),
    ],
)
def test_a_broken_index_has_a_code(data: bytes, code: str) -> None:
    with pytest.raises(MediaError) as caught:
        parse_sidx(data, at=0)
    assert caught.value.code == code


# ── in several reads ─────────────────────────────────────────────────────────────────────────────────────────────────

INDEX = 1 << 31


def read_all(resource: bytes, known: SegmentIndex = SOUGHT) -> tuple[SegmentIndex, list[tuple[int, int]]]:
    """The whole index, and the ranges that were read of the resource."""
    ranges = []
    while further := next((one for one in known.segments if one.further), None):
        ranges.append((further.first_byte, further.size))
        known = continued(known, resource[further.first_byte :][: further.size], further.first_byte)
    return known, ranges


@pytest.mark.rule("dash:T3")
@pytest.mark.parametrize("before", [8, 500, NEXT_READ_BYTES - 20, NEXT_READ_BYTES - 8, 3 * NEXT_READ_BYTES])
@pytest.mark.parametrize("count", [1, 100, 2000])
def test_an_index_is_found_wherever_it_lies_and_however_long_it_is(before: int, count: int) -> None:
    index = sidx(*((10, 50) for _ in range(count)))
    found, ranges = read_all(box(b"moov", bytes(before - 8)) + index + box(b"mdat", bytes(10 * count)))
    assert (found.timescale, found.start, found.end) == (25, before, before + len(index))
    assert len(found.segments) == count
    assert found.segments[-1] == IndexedSegment(50 + 50 * count, 50, before + len(index) + 10 * (count - 1), 10)
    assert len(ranges) <= 3
    assert max(size for _, size in ranges) <= max(NEXT_READ_BYTES, len(index))


@pytest.mark.rule("dash:T3")
def test_of_an_index_of_indices_only_the_indices_are_read() -> None:
    leaf = sidx((60_000, 50), (40_000, 50)) + box(b"mdat", bytes(100_000 - 8))
    middle = sidx((INDEX | len(leaf), 100), (INDEX | len(leaf), 100)) + 2 * leaf
    found, ranges = read_all(sidx((INDEX | len(middle), 200), (INDEX | len(middle), 200)) + 2 * middle)
    assert [one.size for one in found.segments] == 4 * [60_000, 40_000]
    assert len(ranges) == 4  # the top with the first of all below it; a leaf; the other middle with its first; a leaf
    assert sum(size for _, size in ranges) == 4 * NEXT_READ_BYTES
    for one, following in zip(found.segments[::2], found.segments[1::2], strict=True):
        assert one.first_byte + one.size == following.first_byte


def test_media_without_an_index_is_one_segment() -> None:
    found, _ = read_all(box(b"moov", bytes(92)) + box(b"moof", bytes(20)))
    assert found.segments == (IndexedSegment(0, ENDLESS, 100, ENDLESS),)
    assert (found.timescale, found.start) == (0, 100)


TWO = parse_sidx(sidx((INDEX | 500, 1), (500, 1)), 0)


@pytest.mark.parametrize(
    ("known", "data", "code"),
    [
        (SOUGHT, b"", "truncated"),
        (SOUGHT, bytes(7), "truncated"),
        (SOUGHT, box(b"free", bytes(8))[:15], "truncated"),
        (SOUGHT, (3).to_bytes(4, "big") + b"moov" + bytes(20), "bad-box"),
        (SOUGHT, (1 << 30).to_bytes(4, "big") + b"sidx" + bytes(20), "truncated"),
        (TWO, sidx((1, 1), scale=24), "bad-table"),
        (TWO, box(b"moof", bytes(20)), "bad-reference"),
        (TWO, sidx((INDEX | 44, 1)) + sidx(), "limit"),
    ],
)
def test_a_broken_continuation_has_a_code(known: SegmentIndex, data: bytes, code: str) -> None:
    with pytest.raises(MediaError) as caught:
        continued(known, data, 0)
    assert caught.value.code == code


def test_an_index_that_leads_on_and_on_ends_in_an_error() -> None:
    chain, known = sidx((INDEX | 44, 1)), SOUGHT
    for position in range(MAX_READS):
        known = continued(known, chain, 44 * position)
    with pytest.raises(MediaError, match="parts"):
        continued(known, chain, 44 * MAX_READS)


def test_an_index_that_multiplies_ends_in_an_error() -> None:
    """Every index leads 600 times to the one behind it, which is there as well."""
    width = 600
    own = len(sidx(*(width * [(0, 0)])))
    levels = 8
    data = b"".join(sidx((INDEX | 0, 1), *((width - 1) * [(INDEX | 0, 1)])) for _ in range(levels))
    assert len(data) == own * levels
    with pytest.raises(MediaError) as caught:
        parse_sidx(data, 0)
    assert caught.value.code == "limit"
    assert width**levels > MAX_REFERENCES
