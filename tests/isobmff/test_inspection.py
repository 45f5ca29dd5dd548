"""What an inspection finds out about samples and keys, and how it goes on behind a fault."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from player.ids import KeyId
from player.isobmff.inspection import fault_of_warning, inspect, is_pssh, pssh_boxes
from player.isobmff.segment import parse_media
from tests.isobmff.build import (
    KID,
    OTHER_KID,
    box,
    encv,
    file,
    moof,
    moov,
    pssh,
    record,
    sbgp,
    segment,
    senc,
    sgpd,
    traf,
    u32,
)

ZERO = KeyId(bytes(16))
PROTECTED = moov(encv(record()))
IV = bytes(8)


def protected(*samples: int, time: int = 0) -> bytes:
    return segment(list(samples), senc(*[IV] * len(samples)), time=time)


def grouped(kid: KeyId, *samples: int, time: int = 0) -> bytes:
    count = len(samples)
    boxes = (sbgp((count, 0x10001)), sgpd(record(kid)), senc(*[IV] * count))
    return segment(list(samples), *boxes, time=time)


def test_a_fragment_tells_what_of_it_is_protected() -> None:
    table = b"\0\1" + (10).to_bytes(2, "big") + (90).to_bytes(4, "big")
    data = PROTECTED + segment([100, 100], senc(IV + table, IV + table, subsamples=True))
    (fragment,) = inspect(data).fragments
    assert (fragment.samples, fragment.subsamples) == (2, 2)
    assert (fragment.clear_bytes, fragment.protected_bytes) == (20, 180)
    assert fragment.at == len(PROTECTED)


def test_a_sample_without_subsamples_is_protected_as_a_whole() -> None:
    (fragment,) = inspect(PROTECTED + protected(7, 9)).fragments
    assert (fragment.clear_bytes, fragment.protected_bytes, fragment.subsamples) == (0, 16, 0)


def test_crypto_periods_follow_the_key_of_the_samples_across_fragments() -> None:
    data = PROTECTED + protected(5) + grouped(OTHER_KID, 5, 5) + grouped(OTHER_KID, 5) + protected(5)
    periods = [(period.kid, period.first, period.last, period.samples) for period in inspect(data).crypto_periods]
    assert periods == [(KID, 1, 1, 1), (OTHER_KID, 2, 3, 3), (KID, 4, 4, 1)]


def test_a_key_may_change_in_the_middle_of_a_fragment() -> None:
    data = PROTECTED + segment([5, 5, 5], sbgp((1, 0), (2, 0x10001)), sgpd(record(OTHER_KID)), senc(IV, IV, IV))
    found = inspect(data)
    assert [run.samples for run in found.fragments[0].runs] == [1, 2]
    assert [(period.kid, period.first, period.last) for period in found.crypto_periods] == [
        (KID, 1, 1),
        (OTHER_KID, 1, 1),
    ]


def test_clear_samples_are_a_period_without_a_key() -> None:
    data = moov(encv(record()), box(b"avc1", bytes(78))) + segment([5], entry=2) + protected(5)
    assert [period.kid for period in inspect(data).crypto_periods] == [None, KID]


def test_what_lies_behind_a_broken_moof_is_still_read() -> None:
    whole = protected(5)
    broken = whole.replace(u32(1) + IV, u32(3) + IV)  # senc promises three entries
    found = inspect(PROTECTED + whole + broken + protected(5, time=2))
    assert [fault.code for fault in found.faults] == ["bad-aux"]
    assert found.faults[0].clause == "23001-7, 7.2"
    assert [fragment.at for fragment in found.fragments] == [
        len(PROTECTED),
        len(PROTECTED) + 2 * len(whole),
    ]


def test_every_broken_moof_is_told_up_to_a_limit() -> None:
    whole = protected(5)
    broken = whole.replace(u32(1) + IV, u32(3) + IV)
    assert len(inspect(PROTECTED + broken * 3).faults) == 3
    assert len(inspect(PROTECTED + broken * 40).faults) == 17


def test_nothing_can_be_read_behind_a_size_that_means_nothing() -> None:
    found = inspect(PROTECTED + protected(5) + b"\0\0\0\7moof")
    assert [(fault.code, fault.clause) for fault in found.faults] == [("bad-box", "14496-12, 4.2")]
    assert len(found.fragments) == 1


def test_a_file_without_fragments_is_read_chunk_by_chunk() -> None:
    data = file([5, 5], encv(record()), tables=senc(IV, IV))
    (fragment,) = inspect(data).fragments
    assert (fragment.samples, fragment.protected_bytes) == (2, 10)
    assert data[fragment.at - 4 : fragment.at] == b"mdat"


def test_sample_tables_that_are_empty_are_no_fault() -> None:
    data = file([5], encv(record()), tables=senc(IV))
    empty = file([], encv(record()), tables=senc())
    assert inspect(empty.replace(u32(1, 1, 2, 1), u32(0, 1, 2, 1))).faults == ()
    assert [fault.code for fault in inspect(data.replace(u32(1, 1, 2, 1), u32(0, 1, 2, 1))).faults] == ["bad-table"]


def test_a_media_segment_by_itself_is_no_fault() -> None:
    found = inspect(protected(5))
    assert (found.fragments, found.faults) == ((), ())


def test_a_warning_becomes_a_fault_with_place_and_clause() -> None:
    (warning,) = parse_media(PROTECTED + protected(5) + PROTECTED).warnings
    fault = fault_of_warning(warning)
    assert (fault.code, fault.path, fault.clause) == ("repeated-moov", "moov", "14496-12, 8.2.1")
    assert fault.offset == len(PROTECTED) + len(protected(5))
    assert fault_of_warning("nobody wrote this so").reason == "nobody wrote this so"


def test_a_pssh_is_found_wherever_it_may_lie() -> None:
    data = moov(encv(record()), beside=pssh()) + pssh(OTHER_KID) + moof(pssh(), traf()) + moof(traf(), pssh())
    assert [placed.path for placed in pssh_boxes(data)] == ["moov/pssh", "pssh", "moof/pssh", "moof[1]/pssh"]
    assert all(placed.data in (pssh(), pssh(OTHER_KID)) for placed in pssh_boxes(data))


def test_pssh_boxes_alone_are_told_from_a_file_that_begins_with_one() -> None:
    assert is_pssh(pssh() * 2)
    assert is_pssh(pssh()[:-1])
    assert not is_pssh(pssh() + PROTECTED)
    assert not is_pssh(b"")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_bytes_make_it_raise(chance: st.DataObject) -> None:
    data = bytearray(PROTECTED + grouped(OTHER_KID, 5, 5) + protected(5) + moof(traf(), pssh()))
    for _ in range(chance.draw(st.integers(1, 4))):
        data[chance.draw(st.integers(0, len(data) - 1))] = chance.draw(st.integers(0, 255))
    cut = bytes(data[: chance.draw(st.integers(0, len(data)))])
    inspect(cut)
    pssh_boxes(cut)
    is_pssh(cut)
