"""Media segments: where samples lie, and which protection applies to each."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.errors import MediaError
from player.isobmff.boxes import MAX_SAMPLES
from player.isobmff.init import parse_init
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment
from player.isobmff.segment import parse_media
from tests.isobmff.build import (
    KID,
    OTHER_KID,
    box,
    encv,
    full,
    moof,
    moov,
    pssh,
    record,
    sbgp,
    segment,
    senc,
    sgpd,
    traf,
    trun,
    u32,
)

CLEAR = parse_init(moov(box(b"avc1", bytes(78))))
PROTECTED = parse_init(moov(encv(record()), box(b"avc1", bytes(78))))
ROTATING = parse_init(moov(encv(record(bytes(16)))))
IVS = [bytes([n] * 8) for n in range(1, 9)]


def only(data: bytes, init: InitSegment = CLEAR) -> Fragment:
    (fragment,) = parse_media(data, init).fragments
    return fragment


def fault_of(data: bytes, init: InitSegment | None = CLEAR) -> tuple[str, str]:
    with pytest.raises(BrokenSegmentError) as caught:
        parse_media(data, init)
    assert not caught.value.delivered.fragments
    return caught.value.code, caught.value.path


def kids_of(fragment: Fragment) -> list[bytes | None]:
    return [sample.protection.kid if sample.protection else None for sample in fragment.samples]


def test_clear_samples_lie_one_after_the_other() -> None:
    fragment = only(segment([3, 0, 5], time=75))
    assert [(sample.offset, sample.size, sample.duration) for sample in fragment.samples] == [
        (0, 3, 1),
        (3, 0, 1),
        (3, 5, 1),
    ]
    assert (fragment.decode_time, fragment.duration, fragment.timescale, fragment.kids) == (75, 3, 25, ())


def test_a_second_run_goes_on_where_the_first_ended_unless_it_says_otherwise() -> None:
    second = full(b"trun", 0, 0x200, u32(2, 7, 8))
    fragment = only(segment([3], second))
    assert [sample.offset for sample in fragment.samples] == [0, 3, 10]
    data = segment([3], full(b"trun", 0, 0x201, u32(1, 0, 7)))
    at = data.index(b"trun", data.index(b"trun") + 4) + 12
    size = len(data) - len(box(b"mdat", bytes(256)))
    fragment = only(data[:at] + u32(size + 8 + 20) + data[at + 4 :])
    assert [sample.offset for sample in fragment.samples] == [0, 20]
    assert fragment.data[1] - fragment.data[0] == 27


def test_a_second_traf_counts_from_where_the_first_one_ended() -> None:
    def build(offset: int) -> bytes:
        first = traf(trun([10], offset), base_is_moof=False)
        second = traf(full(b"trun", 0, 0x201, u32(1, 2, 5)), base_is_moof=False)
        return moof(first, second)

    data = build(len(build(0)) + 8) + box(b"mdat", bytes(30))
    first, second = parse_media(data, CLEAR).fragments
    assert second.data[0] == first.data[1] + 2


def test_the_sample_entry_in_use_says_whether_there_is_anything_to_decrypt() -> None:
    assert kids_of(only(segment([4], entry=2), PROTECTED)) == [None]
    assert kids_of(only(segment([4], senc(IVS[0])), PROTECTED)) == [KID]
    assert fault_of(segment([4], entry=3), PROTECTED) == ("bad-reference", "moof/traf/tfhd")


@pytest.mark.rule("R018")
def test_a_group_goes_before_tenc_and_may_mark_samples_clear() -> None:
    groups = sgpd(record(OTHER_KID, iv_size=16), record(protected=0, iv_size=0))
    runs = sbgp((1, 0), (1, 0x10001), (1, 0x10002))
    entries = senc(IVS[0], IVS[1] * 2, b"", IVS[3])
    fragment = only(segment([4, 4, 4, 4], sbgp((4, 1), kind=b"roll"), runs, groups, entries), PROTECTED)
    assert kids_of(fragment) == [KID, OTHER_KID, None, KID]
    assert [sample.iv for sample in fragment.samples] == [IVS[0], IVS[1] * 2, b"", IVS[3]]
    assert fragment.kids == (KID, OTHER_KID)


@pytest.mark.rule("media:M6")
def test_a_group_protects_samples_that_tenc_says_are_not_protected() -> None:
    init = parse_init(moov(encv(record(protected=0, iv_size=0)), box(b"avc1", bytes(78))))
    boxes = (sbgp((1, 0), (1, 0x10001)), sgpd(record(OTHER_KID)), senc(b"", IVS[1]))
    fragment = only(segment([4, 4], *boxes), init)
    assert (kids_of(fragment), [sample.iv for sample in fragment.samples]) == ([None, OTHER_KID], [b"", IVS[1]])
    assert fragment.kids == (OTHER_KID,)
    assert fault_of(segment([4, 4], *boxes[:2]), init) == ("bad-aux", "moof/traf")
    assert fault_of(segment([4], sbgp((1, 0x10001))), init) == ("bad-reference", "moof/traf/sbgp")


@pytest.mark.rule("media:M6")
def test_no_group_protects_samples_of_a_clear_entry() -> None:
    boxes = (sbgp((1, 0x10001)), sgpd(record(OTHER_KID)), senc(IVS[0]))
    assert kids_of(only(segment([4], *boxes, entry=2), PROTECTED)) == [None]


def test_groups_and_runs_may_come_in_either_order() -> None:
    boxes = (sgpd(record(OTHER_KID)), sbgp((2, 0x10001)), senc(*IVS[:2]))
    assert only(segment([4, 4], *boxes), ROTATING).samples == only(segment([4, 4], *boxes[::-1]), ROTATING).samples


def test_a_group_of_the_track_is_named_without_the_offset() -> None:
    init = parse_init(moov(encv(record()), in_stbl=sgpd(record(OTHER_KID))))
    data = segment([4], sbgp((1, 1)), senc(IVS[0]))
    assert kids_of(parse_media(data, init).fragments[0]) == [OTHER_KID]


def test_the_zero_kid_is_never_used() -> None:
    assert fault_of(segment([4], senc(IVS[0])), ROTATING) == ("bad-protection", "moof/traf")


def test_a_constant_iv_needs_no_auxiliary_information() -> None:
    init = parse_init(moov(encv(record(iv_size=0, constant=bytes(16)), b"cbcs")))
    for boxes in ((), (senc(b"", b""),)):
        fragment = parse_media(segment([4, 4], *boxes), init).fragments[0]
        assert [(sample.iv, sample.ranges) for sample in fragment.samples] == [(b"", ())] * 2


def test_subsamples_of_any_number_are_read() -> None:
    tables = [((4, 0),), ((1, 3),), ((1, 1), (1, 1)), ()]
    entries = [
        iv + len(pairs).to_bytes(2, "big") + b"".join(c.to_bytes(2, "big") + u32(p) for c, p in pairs)
        for iv, pairs in zip(IVS, tables, strict=False)
    ]
    fragment = only(segment([4] * 4, senc(*entries, subsamples=True)), PROTECTED)
    assert [sample.ranges for sample in fragment.samples] == tables


def test_a_type_that_is_no_text_is_told_as_hex() -> None:
    assert fault_of(moof(u32(0) + b"\x9d\x90 x")) == ("bad-box", "moof/9d902078")
    assert fault_of(moof(u32(0) + b"url ")) == ("bad-box", "moof/url ")


def test_as_many_subsamples_as_a_count_can_say_are_read() -> None:
    many = 0xFFFF
    tables = [iv + many.to_bytes(2, "big") + (b"\0\1" + u32(1)) * many for iv in IVS[:2]]
    fragment = only(segment([2 * many] * 2, senc(*tables, subsamples=True)), PROTECTED)
    assert [set(pairs) for pairs in fragment.samples.ranges] == [{(1, 1)}] * 2
    wrong = segment([2 * many, 2 * many + 1], senc(*tables, subsamples=True))
    assert fault_of(wrong, PROTECTED) == ("bad-aux", "moof/traf/senc")


@pytest.mark.rule("P007")
def test_init_data_behind_the_traf_is_found_and_is_on_the_first_fragment() -> None:
    assert only(segment([4], behind=pssh() + pssh(OTHER_KID))).init_data == (pssh() + pssh(OTHER_KID),)
    assert only(segment([4])).init_data == ()


def test_a_fault_in_a_later_moof_keeps_the_fragments_before_it() -> None:
    good, bad = segment([4]), segment([4], senc())[:-300]
    with pytest.raises(BrokenSegmentError) as caught:
        parse_media(good + good + bad, CLEAR)
    assert len(caught.value.delivered.fragments) == 2
    assert caught.value.code == "truncated"
    assert isinstance(caught.value, MediaError)


def test_time_that_does_not_go_on_is_a_warning() -> None:
    segment_of = [segment([4], time=time) for time in (0, 1, 7)]
    warnings = parse_media(b"".join(segment_of), CLEAR).warnings
    assert warnings == ("time-jump: moof/traf @ " + str(len(b"".join(segment_of[:2])) + 24) + ": from 2 to 7",)


def test_two_tracks_cannot_share_bytes() -> None:
    def build(offset: int) -> bytes:
        return moof(traf(trun([10], offset)), traf(trun([10], offset + 5)))

    data = build(len(build(0)) + 8) + box(b"mdat", bytes(30))
    assert fault_of(data) == ("bad-reference", "moof/traf[1]/trun")


def test_samples_without_bytes_or_entries_are_no_way_to_eat_memory() -> None:
    empty = full(b"trun", 0, 0, u32(MAX_SAMPLES))
    assert fault_of(moof(traf(empty)) + box(b"mdat")) == ("bad-table", "moof/traf/trun")
    sized = parse_init(moov(box(b"avc1", bytes(78)), size=1))
    assert fault_of(moof(traf(full(b"trun", 0, 0, u32(MAX_SAMPLES + 1)))), sized)[0] == "limit"
    half = traf(full(b"trun", 0, 0, u32(MAX_SAMPLES // 2 + 1)))
    assert fault_of(moof(half, half) + box(b"mdat", bytes(10)), sized) == ("limit", "moof")


def test_samples_without_an_mdat_are_truncated_and_a_moof_without_samples_is_fine() -> None:
    assert fault_of(segment([4])[: -len(box(b"mdat", bytes(256)))]) == ("truncated", "moof")
    assert parse_media(moof(), CLEAR).fragments == ()


def test_media_needs_a_moov_of_its_own_or_of_another_resource() -> None:
    assert fault_of(segment([4]), None) == ("no-init", "moof")
    assert len(parse_media(moov(box(b"avc1", bytes(78))) + segment([4])).fragments) == 1


def test_an_mdat_may_run_to_the_end_of_the_file() -> None:
    data = segment([4])
    at = data.index(b"mdat") - 4
    assert only(data[:at] + u32(0) + data[at + 4 :]) == only(data)


@given(
    data=st.binary(max_size=150),
    cut=st.integers(0, 200),
    base=st.sampled_from([segment([4, 4], senc(*IVS[:2])), segment([4], sgpd(record(OTHER_KID)), sbgp((1, 0x10001)))]),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_segment_or_a_media_error(data: bytes, cut: int, base: bytes) -> None:
    with suppress(MediaError):
        parse_media(base[:cut] + data + base[cut + len(data) :], PROTECTED)
