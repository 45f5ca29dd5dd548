"""Slice headers of H.264 that no encoder at hand writes: fields, slice groups, planes apart, long-term references."""

from __future__ import annotations

import pytest

from player.cenc.avc_slices import AvcSlices
from tests.cenc.bit_writer import escaped, in_bytes, in_sample, se, u, ue

DATA = bytes(range(0x80, 0xA0))
P, B, I, SP, SI = range(5)  # noqa: E741 - slice_type (H.264, table 7-6)


def sequence_set(
    *,
    profile: int = 66,
    form: str = "",
    order: str | None = None,
    frames_only: int = 1,
    size: tuple[int, int] = (20, 12),
) -> bytes:
    """frame_num has 4 bits, pic_order_cnt_lsb 5."""
    order = ue(0) + ue(1) if order is None else order
    start = u(8, profile) + u(16, 30) + ue(0) + form + ue(0) + order
    rest = ue(4) + "0" + ue(size[0] - 1) + ue(size[1] - 1) + u(1, frames_only)
    return b"\x67" + escaped(in_bytes(start + rest))


def picture_set(
    *,
    cabac: int = 0,
    bottom: int = 0,
    groups: str | None = None,
    weighted: tuple[int, int] = (0, 0),
    deblocking: int = 0,
    redundant: int = 0,
) -> bytes:
    """Two references in list 0, one in list 1."""
    start = ue(0) + ue(0) + u(1, cabac) + u(1, bottom) + (groups or ue(0)) + ue(1) + ue(0)
    weights = u(1, weighted[0]) + u(2, weighted[1])
    return b"\x68" + escaped(in_bytes(start + weights + se(0) * 3 + u(1, deblocking) + "0" + u(1, redundant)))


def config(*sets: bytes) -> bytes:
    sequence, *pictures = (len(each).to_bytes(2, "big") + each for each in sets)
    return b"\x01\x42\x00\x1e\xff\xe1" + sequence + bytes([len(pictures)]) + b"".join(pictures)


def assert_read(digits: str, sequence: bytes, picture: bytes, *, header: int = 0x41) -> None:
    """The slice header `digits`, from first_mb_in_slice on, ends where its last digit does."""
    lead = bytes([header]) + escaped(in_bytes(digits, ""))
    nal_unit = lead + DATA
    sample = in_sample(b"\x09\xf0", nal_unit)
    expected = len(sample) - len(DATA)
    assert list(AvcSlices(config(sequence, picture)).payloads(sample)) == [(expected, len(sample))]


def start(kind: int) -> str:
    """first_mb_in_slice, slice_type, pic_parameter_set_id, frame_num."""
    return ue(0) + ue(kind) + ue(0) + u(4, 5)


LSB = u(5, 9)


def test_slices_of_fields() -> None:
    fields = sequence_set(frames_only=0)
    field = "1" + "1"
    assert_read(start(I) + field + LSB + "0" + se(3), fields, picture_set(bottom=1))
    assert_read(start(P) + field + LSB + "1" + ue(31) + "0" + "0" + se(-3), fields, picture_set(bottom=1))
    assert_read(start(I) + "0" + LSB + se(-7) + "0" + se(3), fields, picture_set(bottom=1))  # of a frame


def test_an_idr_slice_says_so_and_marks_otherwise() -> None:
    assert_read(start(I) + ue(3) + LSB + "01" + se(2), sequence_set(), picture_set(), header=0x65)


def test_a_slice_that_nobody_refers_to_marks_nothing() -> None:
    assert_read(start(I) + LSB + se(2), sequence_set(), picture_set(), header=0x01)


def test_order_counts_of_every_type() -> None:
    told = sequence_set(order=ue(1) + "0" + se(-2) + se(4) + ue(3) + se(1) + se(2) + se(-300))
    assert_read(start(I) + se(-40) + se(9) + "0" + se(0), told, picture_set(bottom=1))
    assert_read(start(I) + se(-40) + "0" + se(0), told, picture_set())
    never = sequence_set(order=ue(1) + "1" + se(-2) + se(4) + ue(0))
    assert_read(start(I) + "0" + se(0), never, picture_set(bottom=1))
    assert_read(start(I) + "0" + se(0), sequence_set(order=ue(2)), picture_set(bottom=1))


def test_planes_apart_have_their_id_and_no_chroma_weights() -> None:
    apart = sequence_set(profile=244, form=ue(3) + "1" + ue(0) + ue(0) + "0" + "0")
    kind_and_plane = ue(0) + ue(P) + ue(0) + "10" + u(4, 5) + LSB
    weights = ue(5) + "1" + se(-128) + se(127) + "0"
    assert_read(kind_and_plane + "0" + "0" + weights + "0" + se(1), apart, picture_set(weighted=(1, 0)))


def test_scaling_lists_end_where_a_scale_of_none_is_reached() -> None:
    short, long = "1" + se(4) + se(-12), "1" + se(1) * 64
    lists = short + "0" * 5 + long + "0"
    high = sequence_set(profile=100, form=ue(1) + ue(0) + ue(0) + "0" + "1" + lists)
    assert_read(start(I) + LSB + "0" + se(1), high, picture_set())


def test_weights_of_both_lists_and_modified_lists() -> None:
    modified = "1" + ue(0) + ue(7) + ue(2) + ue(1) + ue(3)
    luma, chroma = "1" + se(12) + se(-3), "1" + se(1) + se(2) + se(3) + se(4)
    weights = ue(7) + ue(6) + luma + chroma + "0" + "0" + "0" + chroma
    body = start(B) + LSB + "1" + "0" + modified + "0" + weights + "0" + se(5)
    assert_read(body, sequence_set(), picture_set(weighted=(0, 1)))
    implicit = start(B) + LSB + "1" + "1" + ue(4) + ue(3) + "0" + modified + "0" + ue(2) + se(5)
    assert_read(implicit, sequence_set(), picture_set(weighted=(1, 2), cabac=1))


def test_memory_management_of_every_kind() -> None:
    operations = [(1, 4), (2, 5), (3, 6, 7), (4, 8), (5,), (6, 9), (0,)]
    marking = "1" + "".join(ue(number) for operation in operations for number in operation)
    assert_read(start(I) + LSB + marking + se(0), sequence_set(), picture_set())


def test_switching_slices_and_the_loop_filter() -> None:
    sets = sequence_set(), picture_set(deblocking=1, redundant=1)
    assert_read(start(SI) + LSB + ue(2) + "0" + se(0) + se(9) + ue(1), *sets)
    assert_read(start(SP) + LSB + ue(2) + "0" + "0" + "0" + se(0) + "1" + se(9) + ue(0) + se(6) + se(-6), *sets)


@pytest.mark.parametrize(
    ("groups", "cycle"),
    [
        (ue(1) + ue(0) + ue(9) + ue(20), ""),  # interleaved
        (ue(1) + ue(1), ""),  # dispersed
        (ue(2) + ue(2) + (ue(1) + ue(8)) * 2, ""),  # foreground
        (ue(1) + ue(3) + "1" + ue(99), u(2, 1)),  # 240 map units, 100 a step: 2.4 + 1 are 2 bits
        (ue(1) + ue(4) + "0" + ue(239), u(1, 1)),
        (ue(1) + ue(5) + "0" + ue(0), u(8, 77)),
        (ue(7) + ue(6) + ue(239) + u(3, 5) * 240, ""),  # told one by one
    ],
)
def test_slice_groups_of_every_type(groups: str, cycle: str) -> None:
    assert_read(start(I) + LSB + "0" + se(1) + cycle, sequence_set(), picture_set(groups=groups))


def test_emulation_prevention_in_a_header() -> None:
    digits = start(I) + ue(2**31 - 1) + LSB + "01" + se(2)  # 31 zeros before a one, and 31 behind it
    assert b"\0\0\3" in escaped(in_bytes(digits, ""))
    assert_read(digits, sequence_set(), picture_set(), header=0x65)


def test_a_byte_of_emulation_prevention_behind_a_header_goes_with_the_data() -> None:
    header = in_bytes(start(I) + ue(3) + LSB + "01" + se(2**19), "")
    assert header.endswith(b"\0\0")
    sample = in_sample(b"\x65" + escaped(header + b"\1" + DATA))
    ((payload, _),) = AvcSlices(config(sequence_set(), picture_set())).payloads(sample)
    assert sample[payload:] == b"\3\1" + DATA


def test_parameter_sets_in_band_hold_from_then_on() -> None:
    """`avc3`: none in the configuration; a new set of the same number takes the place of the old one."""
    track = AvcSlices(b"\x01\x42\x00\x1e\xff\xe0\x00")
    with pytest.raises(ValueError, match="without its parameter sets"):
        list(track.payloads(in_sample(b"\x41" + in_bytes(start(I)) + DATA)))
    for deblocking, rest in ((0, ""), (1, ue(0) + se(1) + se(2))):
        slice_ = b"\x41" + in_bytes(start(I) + LSB + "0" + se(1) + rest, "") + DATA
        sample = in_sample(sequence_set(), picture_set(deblocking=deblocking), slice_)
        assert list(track.payloads(sample)) == [(len(sample) - len(DATA), len(sample))]


@pytest.mark.parametrize(
    ("digits", "match"),
    [
        (start(B) + LSB + "1" + "0" + "1" + (ue(0) + ue(1)) * 40, "more modifications than references"),
        (start(I) + LSB + "1" + ue(5) * 80, "without an end"),
        (ue(0) + ue(10), "10 in a header where 9 is the most"),
        (ue(0) + ue(I) + ue(1), "without its parameter sets, picture set 1"),
        (start(I), "ends behind its"),
    ],
)
def test_a_broken_header_is_refused(digits: str, match: str) -> None:
    sets = config(sequence_set(), picture_set())
    with pytest.raises(ValueError, match=match):
        list(AvcSlices(sets).payloads(in_sample(b"\x41" + escaped(in_bytes(digits, "")))))
