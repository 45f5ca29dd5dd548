"""A media segment that arrives in pieces: the fragments told are those of the whole segment, wherever it was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.clip.load import load
from player.backend.packager.protect import SegmentKey, protection_of, segment_iv
from player.backend.packager.segment import init_segment, media_segment
from player.errors import MediaError
from player.ids import ContentKey, KeyId
from player.isobmff.arriving import MAX_HELD_BYTES, ArrivedPart, ArrivingSegment
from player.isobmff.init import parse_init
from player.isobmff.model import Fragment, InitSegment
from player.isobmff.sample import Scheme
from player.isobmff.segment import parse_media
from tests.isobmff.build import box, full, moov, traf, trun, u32

KEY = SegmentKey(
    scheme=Scheme.CENC,
    kid=KeyId.cenc(bytes([7]) * 16),
    key=ContentKey(bytes([8]) * 16),
    iv=segment_iv(Scheme.CENC, 0, 0),
)


@cache
def _clip() -> tuple[InitSegment, bytes]:
    """Four protected fragments with other boxes before and between them."""
    track = load().tracks["audio"]
    init = parse_init(init_segment(track, protection=protection_of(track.kind, KEY)))
    between = (b"", box(b"free", b"x" * 30), full(b"prft", 1, 0, bytes(20)), box(b"mdat", b"of nobody"))
    parts = [media_segment(track, index, key=KEY, in_group=False) + between[index] for index in range(4)]
    return init, box(b"styp", b"msdh", u32(0)) + b"".join(parts)


def _told(init: InitSegment | None, pieces: Sequence[bytes]) -> list[ArrivedPart]:
    arriving = ArrivingSegment(init)
    return [part for piece in pieces for part in arriving.feed(piece)] + list(arriving.finish())


def _fragments(parts: Sequence[ArrivedPart]) -> list[Fragment]:
    """With places in the whole segment."""
    return [
        replace(fragment, data=(fragment.data[0] + part.start, fragment.data[1] + part.start))
        for part in parts
        for fragment in part.segment.fragments
    ]


def _cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


@pytest.mark.rule("dash:N1")
@given(st.data())
def test_wherever_the_bytes_are_cut_the_fragments_are_those_of_the_whole(data: st.DataObject) -> None:
    init, segment = _clip()
    at = data.draw(st.lists(st.integers(0, len(segment)), max_size=12))
    assert _fragments(_told(init, _cut(segment, at))) == list(parse_media(segment, init).fragments)


def test_byte_by_byte_each_fragment_is_told_with_the_last_byte_of_its_mdat() -> None:
    init, segment = _clip()
    arriving = ArrivingSegment(init)
    ends = [end + 1 for end in range(len(segment)) if arriving.feed(segment[end : end + 1])]
    assert ends == [fragment.data[1] for fragment in parse_media(segment, init).fragments]
    assert not arriving.is_inside


def _by_hand(times: Sequence[int], *, absolute: bool = False) -> bytes:
    """Clear fragments of one sample of 10 bytes each, some of them with offsets that count from the segment's start."""
    segment = b""
    for time in times:
        size = len(_moof(time, 0, 0 if absolute else None))
        moof = _moof(time, size + 8, len(segment) if absolute else None)
        segment += moof + box(b"mdat", bytes([time]) * 10)
    return segment


def _moof(time: int, offset: int, base: int | None) -> bytes:
    if base is None:
        return box(b"moof", traf(trun([10], offset), base_is_moof=True, time=time))
    tfhd = full(b"tfhd", 0, 1, u32(1, 0, base))
    return box(b"moof", box(b"traf", tfhd, full(b"tfdt", 0, 0, u32(time)), trun([10], offset)))


@pytest.mark.parametrize("absolute", [False, True])
def test_offsets_may_count_from_the_moof_or_from_the_start_of_the_segment(absolute: bool) -> None:
    init = parse_init(moov(box(b"avc1", bytes(78))))
    segment = _by_hand([1, 2, 3], absolute=absolute)
    whole = list(parse_media(segment, init).fragments)
    parts = _told(init, _cut(segment, [50, 51, 100]))
    assert _fragments(parts) == whole
    assert [part.data[slice(*part.segment.fragments[0].data)] for part in parts] == [bytes([n]) * 10 for n in (1, 2, 3)]


def test_samples_in_two_mdats_are_told_with_the_second() -> None:
    init = parse_init(moov(box(b"avc1", bytes(78))))

    def moof(first: int, second: int) -> bytes:
        return box(b"moof", traf(trun([4], first), trun([4], second)))

    size = len(moof(0, 0))
    segment = moof(size + 8, size + 20) + box(b"mdat", b"aaaa") + box(b"mdat", b"bbbb")
    parts = _told(init, _cut(segment * 2, list(range(0, 2 * len(segment), 7))))
    assert _fragments(parts) == list(parse_media(segment * 2, init).fragments)
    assert len(parts) == 2


def test_an_mdat_without_an_end_is_left_to_the_whole_segment() -> None:
    init = parse_init(moov(box(b"avc1", bytes(78))))
    segment = _by_hand([1, 2])
    last = segment.rindex(b"mdat") - 4
    arriving = ArrivingSegment(init)
    assert len(arriving.feed(segment[:last] + bytes(4) + segment[last + 4 :])) == 1
    assert arriving.is_inside


@given(st.binary(max_size=200), st.integers(0, 250))
def test_whatever_comes_is_told_or_refused_with_one_error(noise: bytes, at: int) -> None:
    init = parse_init(moov(box(b"avc1", bytes(78))))
    segment = _by_hand([1, 2, 3])
    hostile = segment[:at] + noise + segment[at + len(noise) :]
    arriving = ArrivingSegment(init)
    told: list[ArrivedPart] = []
    try:
        for piece in _cut(hostile, range(0, len(hostile), 16)):
            told += arriving.feed(piece)
    except MediaError:
        return
    try:
        whole = list(parse_media(hostile, init).fragments)
    except MediaError:
        return
    assert _fragments(told) == whole[: len(told)]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(u32(1) + b"mdat" + (1 << 62).to_bytes(8, "big"), id="a-size-of-exabytes"),
        pytest.param(u32(MAX_HELD_BYTES * 2) + b"mdat", id="a-large-mdat"),
        pytest.param(u32(MAX_HELD_BYTES * 2) + b"moof", id="a-large-moof"),
    ],
)
def test_what_is_held_is_bounded(head: bytes) -> None:
    arriving = ArrivingSegment(None)
    arriving.feed(head)
    arriving.feed(bytes(MAX_HELD_BYTES - 16))
    with pytest.raises(MediaError, match="more than"):
        arriving.feed(bytes(16))


def test_a_box_that_is_smaller_than_its_header_is_refused() -> None:
    with pytest.raises(MediaError, match="a size of 3"):
        ArrivingSegment(None).feed(u32(3) + b"moof" + bytes(8))
