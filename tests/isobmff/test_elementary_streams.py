"""Annex B and ADTS by hand: parameter sets, delimiters, records that are cut short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import MediaError
from player.isobmff import adts, annexb

SPS, PPS, DELIMITER, IDR, SLICE = b"\x67sps", b"\x68pps", b"\x09\xf0", b"\x65idr", b"\x41slice"
AVCC = b"\1\x42\0\x0a\xff\xe1" + b"\0\4" + SPS + b"\1\0\4" + PPS
HVCC = bytes(21) + b"\3\1" + b"\xa0\0\1\0\3\x40\1v"
ESDS = bytes(4) + b"\3\x19\0\0\0\4\x11\x40\x15" + bytes(11) + b"\5\2\x11\x90\6\1\2"  # AAC-LC, 48 kHz, stereo


def avc(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def stream(*units: bytes) -> bytes:
    return b"".join(annexb.START_CODE + unit for unit in units)


@pytest.mark.parametrize(
    ("units", "first", "expected"),
    [
        ((SLICE,), False, (SLICE,)),
        ((SLICE,), True, (SPS, PPS, SLICE)),
        ((IDR,), False, (SPS, PPS, IDR)),
        ((DELIMITER, IDR), False, (DELIMITER, SPS, PPS, IDR)),
        ((), False, ()),
    ],
)
def test_parameter_sets_stand_where_decoding_can_begin(
    units: tuple[bytes, ...], first: bool, expected: tuple[bytes, ...]
) -> None:
    assert annexb.access_unit(avc(*units), annexb.read_avcc(AVCC), first=first) == stream(*expected)


def test_the_record_of_hevc_has_arrays() -> None:
    configuration = annexb.read_hvcc(HVCC)
    assert configuration == (annexb.HEVC, 4, stream(b"\x40\1v"))
    irap = bytes([19 << 1, 1])
    assert annexb.access_unit(avc(irap), configuration, first=False) == stream(b"\x40\1v", irap)


@pytest.mark.parametrize("sample", [b"\0", b"\0\0\0\0", b"\0\0\0\5abcd", b"\xff\xff\xff\xffa"])
def test_nal_units_must_fill_their_sample(sample: bytes) -> None:
    with pytest.raises(MediaError, match="NAL unit") as caught:
        annexb.access_unit(sample, annexb.read_avcc(AVCC), first=False)
    assert caught.value.code == "bad-table"


def test_adts_says_profile_frequency_channels_and_size() -> None:
    configuration = adts.read_esds(ESDS)
    assert configuration == (2, 3, 2)
    assert adts.frame(b"abc", configuration) == bytes.fromhex("fff14c80015ffc") + b"abc"


def test_an_extended_object_type_names_the_one_underneath() -> None:
    specific = (5 << 19 | 6 << 15 | 2 << 11 | 3 << 7 | 2 << 2).to_bytes(3, "big")
    esds = ESDS.replace(b"\x19", b"\x1a", 1).replace(b"\4\x11", b"\4\x12").replace(b"\5\2\x11\x90", b"\5\3" + specific)
    assert adts.read_esds(esds) == (2, 6, 2)


@pytest.mark.parametrize("specific", [b"\xf8\0", b"\x17\x90", b"\x11\x80"])
def test_what_adts_cannot_say_is_refused(specific: bytes) -> None:
    with pytest.raises(MediaError, match="no ADTS form") as caught:
        adts.read_esds(ESDS.replace(b"\x11\x90", specific))
    assert caught.value.code == "unsupported"


def test_a_frame_has_thirteen_bits_for_its_size() -> None:
    assert len(adts.frame(bytes(adts.MAX_FRAME_BYTES - 7), adts.read_esds(ESDS))) == adts.MAX_FRAME_BYTES
    with pytest.raises(MediaError, match="8192 bytes"):
        adts.frame(bytes(adts.MAX_FRAME_BYTES - 6), adts.read_esds(ESDS))


@given(st.sampled_from([AVCC, HVCC, ESDS]), st.integers(0, 60), st.binary(max_size=4))
def test_records_cut_short_or_changed_end_in_one_kind_of_error(record: bytes, at: int, other: bytes) -> None:
    for data in (record[:at], record[:at] + other + record[at + len(other) :]):
        for read in (annexb.read_avcc, annexb.read_hvcc, adts.read_esds):
            try:
                read(data)
            except MediaError:
                continue
