"""Uncompressed headers of VP9 written field by field, and superframes."""

from __future__ import annotations

import pytest

from player.cenc.subsamples import mapper
from player.cenc.vp9_frames import Vp9Frames
from player.isobmff.sample import Scheme
from tests.cenc.bit_writer import in_bytes, u

DATA = bytes(range(0x40, 0x60))
SYNC = u(24, 0x498342)
PROFILE_0 = "10" + "00"
QUANTIZERS = u(8, 60) + "000"
LOOP_FILTER = u(6, 9) + u(3, 0) + "0"
HEADER_SIZE = u(16, 7)


def coding(*, loop_filter: str = LOOP_FILTER, segmentation: str = "0", tiles: str = "0") -> str:
    """loop_filter_params to header_size_in_bytes."""
    return loop_filter + QUANTIZERS + segmentation + tiles + HEADER_SIZE


def key_frame(*, profile: str = PROFILE_0, color: str = "000" + "0", width: int = 64, rest: str | None = None) -> str:
    size = u(16, width - 1) + u(16, 63) + "0"
    start = profile + "0" + "0" + "1" + "0" + SYNC + color + size
    return start + "00" + "00" + (coding() if rest is None else rest)


def inter_frame(size: str, *, refreshed: int = 0, resilient: bool = False, rest: str | None = None) -> str:
    """`size`: from the first found_ref to render_and_frame_size_different. Of references 0, 1 and 2."""
    start = PROFILE_0 + "0" + "1" + "1" + ("1" if resilient else "0" + "00")
    references = "000" + "0" + "001" + "1" + "010" + "0"
    rest = coding() if rest is None else rest
    return start + u(8, refreshed) + references + size + "1" + "1" + ("" if resilient else "00") + "00" + rest


def frame(digits: str) -> bytes:
    return in_bytes(digits, "") + DATA


def superframe(*frames: bytes) -> bytes:
    marker = bytes([0b110 << 5 | 1 << 3 | len(frames) - 1])
    return b"".join(frames) + marker + b"".join(len(each).to_bytes(2, "little") for each in frames) + marker


def assert_read(*headers: str) -> None:
    """One frame a sample."""
    track = Vp9Frames(b"")
    for digits in headers:
        sample = frame(digits)
        assert list(track.payloads(sample)) == [(len(sample) - len(DATA), len(sample))]


def test_key_frames_of_every_profile() -> None:
    assert_read(key_frame())
    assert_read(key_frame(profile="10" + "10", color="010" + "1" + "10" + "0"))  # 1, 4:2:2
    assert_read(key_frame(profile="10" + "10", color="111" + "0"))  # 1, RGB
    assert_read(key_frame(profile="10" + "01", color="1" + "010" + "1"))  # 2, 12 bit
    assert_read(key_frame(profile="10" + "11" + "0", color="0" + "111" + "0"))  # 3, RGB


def test_filters_and_segments_with_all_they_can_tell() -> None:
    filters = u(9, 0) + "1" + "1" + ("1" + u(7, 9)) * 6
    tree = ("1" + u(8, 200)) * 7 + "1" + ("1" + u(8, 9) + "0" + "1" + u(8, 3))
    data = "1" + "1" + ("1" + u(9, 5) + "1" + u(7, 5) + "1" + u(2, 3) + "1") * 8
    assert_read(key_frame(rest=coding(loop_filter=filters, segmentation="1" + "1" + tree + data)))
    assert_read(key_frame(rest=coding(loop_filter=u(9, 0) + "1" + "0", segmentation="1" + "0" + "0")))


def test_columns_of_tiles_are_told_between_bounds_of_the_width() -> None:
    assert_read(key_frame(width=511, rest=coding(tiles="0" + "0")))  # 8 blocks: one bit of columns, one of rows
    assert_read(key_frame(width=255, rest=coding(tiles="1" + "1")))  # 4 blocks: no column bits, two of rows
    assert_read(key_frame(width=1024, rest=coding(tiles="1" + "1" + "0")))  # 16 blocks: at most 4 columns
    assert_read(key_frame(width=4160, rest=coding(tiles="0" + "0")))  # 65 blocks: 2 columns at least


def test_the_width_of_a_reference_is_taken() -> None:
    wide = key_frame(width=1024, rest=coding(tiles="00"))
    assert_read(wide, inter_frame("01" + "0", rest=coding(tiles="1" + "1" + "0")))
    small = inter_frame("000" + u(16, 63) + u(16, 63) + "1" + u(32, 0), refreshed=0b10)
    of_it, of_another = inter_frame("01" + "0"), inter_frame("1" + "0", resilient=True, rest=coding(tiles="00"))
    assert_read(wide, small, of_it, of_another)


def test_an_intra_frame_without_a_key() -> None:
    start = PROFILE_0 + "0" + "1" + "0" + "0" + "1" + "00" + SYNC + u(8, 0b110)
    intra = start + u(16, 63) + u(16, 63) + "0" + "00" + "00" + coding()
    assert_read(intra)
    deep = "10" + "01" + "0" + "1" + "0" + "1" + "1" + SYNC + "0" + "001" + "0" + u(8, 0)
    assert_read(deep + u(16, 63) + u(16, 63) + "0" + "00" + coding())


def test_frames_of_a_superframe_are_protected_apart_and_its_index_is_clear() -> None:
    hidden, shown = frame(key_frame()), frame(inter_frame("1" + "0"))
    sample = superframe(hidden, shown)
    payloads = list(Vp9Frames(b"").payloads(sample))
    both = len(hidden) + len(shown)
    assert payloads == [(len(hidden) - len(DATA), len(hidden)), (both - len(DATA), both)]
    ranges = mapper("vp09", b"").ranges(sample, Scheme.CBCS)
    assert ranges[-1] == (len(sample) - both, 0)


def test_a_frame_that_shows_another_has_nothing_to_protect() -> None:
    again = in_bytes(PROFILE_0 + "1" + "010", "")
    assert mapper("vp09", b"").ranges(again, Scheme.CENC) == ((1, 0),)
    sample = superframe(frame(key_frame()), again)
    assert len(list(Vp9Frames(b"").payloads(sample))) == 2


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        (b"\0" * 30, "without its marker"),
        (frame(key_frame()).replace(b"\x49\x83", b"\x49\x84"), "without its sync code"),
        (in_bytes(key_frame()[:80], ""), "ends behind its"),
        (frame(inter_frame("01" + "0")), "reference 1, which has not come"),
        (superframe(DATA * 4, DATA * 4)[50:], "a superframe of 256 bytes in a sample of"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(sample: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        list(Vp9Frames(b"").payloads(sample))
