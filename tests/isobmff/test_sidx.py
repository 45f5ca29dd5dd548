"""The segment index."""

from __future__ import annotations

import pytest

from player.errors import MediaError
from player.isobmff.sidx import IndexedSegment, parse_sidx
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
