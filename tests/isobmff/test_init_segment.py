"""Init segments: tracks, sample entries, protection, init data."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import MediaError
from player.isobmff.boxes import MAX_BOXES
from player.isobmff.init import parse_init
from player.isobmff.sample import Protection, Scheme
from tests.isobmff.build import KID, OTHER_KID, box, encv, moov, pssh, record, sgpd, u32

CLEAR_ENTRY = box(b"avc1", bytes(78))


def code_of(data: bytes) -> tuple[str, str]:
    with pytest.raises(MediaError) as caught:
        parse_init(data)
    return caught.value.code, caught.value.path


def test_a_protected_track_says_how() -> None:
    (track,) = parse_init(moov(encv(record(pattern=0x19, iv_size=0, constant=bytes(16)), b"cbcs"))).tracks
    (entry,) = track.entries
    assert (track.id, track.kind, track.timescale, entry.fourcc) == (1, "video", 25, "avc1")
    assert entry.protection == Protection(
        scheme=Scheme.CBCS, kid=KID, iv_size=0, constant_iv=bytes(16), crypt=1, skip=9
    )


def test_the_pattern_is_reserved_in_version_0() -> None:
    (track,) = parse_init(moov(encv(record(pattern=0x19), version=0))).tracks
    assert track.entries[0].protection == Protection(scheme=Scheme.CENC, kid=KID, iv_size=8)


def test_a_clear_lead_has_two_entries_and_is_protected_may_be_0() -> None:
    init = parse_init(moov(encv(record()), CLEAR_ENTRY, encv(record(protected=0, iv_size=0))))
    assert [entry.protection is None for entry in init.tracks[0].entries] == [False, True, True]
    assert init.default_kids == (KID,)


def test_the_zero_kid_is_no_default_key() -> None:
    init = parse_init(moov(encv(record(bytes(16), iv_size=0, constant=bytes(8)), b"cbcs")))
    assert init.default_kids == ()


def test_groups_of_the_track_are_read_with_its_scheme() -> None:
    groups = sgpd(record(OTHER_KID), record(protected=0, iv_size=0))
    (track,) = parse_init(moov(encv(record()), in_stbl=groups)).tracks
    assert track.groups == (Protection(scheme=Scheme.CENC, kid=OTHER_KID, iv_size=8), None)


@pytest.mark.rule("P002")
def test_adjacent_pssh_boxes_are_one_init_data_and_boxes_apart_are_two() -> None:
    one, other = pssh(KID), pssh(OTHER_KID)
    assert parse_init(moov(encv(record()), beside=one + other)).init_data == (one + other,)
    assert parse_init(moov(encv(record()), beside=one + box(b"free") + other)).init_data == (one, other)


def test_a_broken_pssh_costs_itself() -> None:
    broken = box(b"pssh", bytes(10))
    init = parse_init(moov(encv(record()), beside=broken + pssh()))
    assert init.init_data == (pssh(),)
    assert [warning.partition(":")[0] for warning in init.warnings] == ["bad-pssh"]


def test_what_comes_behind_moov_is_not_looked_at() -> None:
    assert parse_init(moov(CLEAR_ENTRY) + bytes(50)) == parse_init(box(b"ftyp", b"iso6") + moov(CLEAR_ENTRY))


def test_faults_have_a_code_and_a_place() -> None:
    entry = "moov/trak/mdia/minf/stbl/stsd/encv"
    assert code_of(b"") == ("no-init", "/")
    assert code_of(box(b"ftyp", b"iso6")) == ("no-init", "/")
    assert code_of(b"\0\0\0") == ("truncated", "/")
    assert code_of(moov(encv(record(), b"zzzz"))) == ("unsupported", f"{entry}/sinf/schm")
    assert code_of(moov(encv(record()[:10]))) == ("bad-protection", f"{entry}/sinf/schi/tenc")
    assert code_of(moov(box(b"encv", bytes(78)))) == ("bad-protection", entry)
    assert code_of(moov(box(b"encv", bytes(70)))) == ("bad-box", entry)
    assert code_of(box(b"moov", box(b"trak"))) == ("bad-box", "moov/trak")
    assert code_of(moov(CLEAR_ENTRY, beside=box(b"trak"))) == ("bad-box", "moov/trak[1]")
    assert code_of(moov(CLEAR_ENTRY, beside=box(b"free") * MAX_BOXES)) == ("limit", "moov")
    assert code_of(moov(CLEAR_ENTRY).replace(b"stsd" + bytes(4) + u32(1), b"stsd" + bytes(4) + u32(2))) == (
        "bad-table",
        "moov/trak/mdia/minf/stbl/stsd",
    )


@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", moov(encv(record()))[:300], u32(60) + b"moov"]))
def test_any_bytes_are_an_init_segment_or_a_media_error(data: bytes, prefix: bytes) -> None:
    with suppress(MediaError):
        parse_init(prefix + data)


@pytest.mark.parametrize(
    "fields",
    [
        bytes(8),
        bytes(38),
        bytes(8) + b"http://www.w3.org/ns/ttml\0\0\0",
        bytes(8) + b"\0text/plain\0",
        bytes(8) + b"x\0",
    ],
    ids=["wvtt", "tx3g", "stpp", "stxt", "one string"],
)
def test_a_protected_entry_of_text_is_read_wherever_its_boxes_start(fields: bytes) -> None:
    sinf = encv(record())[86:]
    (track,) = parse_init(moov(box(b"enct", fields, sinf.replace(b"avc1", b"stpp")))).tracks
    assert (track.entries[0].fourcc, track.entries[0].protection) == (
        "stpp",
        Protection(scheme=Scheme.CENC, kid=KID, iv_size=8),
    )


def test_a_protected_entry_without_a_sinf_is_one_fault() -> None:
    assert code_of(moov(box(b"enct", bytes(70)))) == ("bad-protection", "moov/trak/mdia/minf/stbl/stsd/enct")
