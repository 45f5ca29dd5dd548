"""Slice segment headers of HEVC that no encoder at hand writes, and those that are not followed."""

from __future__ import annotations

import pytest

from player.cenc.hevc_slices import FIXED_LEAD_BYTES, HevcSlices
from tests.cenc.bit_writer import escaped, in_bytes, in_sample, se, u, ue

DATA = bytes(range(0x80, 0xA0))
B, P, I = range(3)  # noqa: E741 - slice_type (H.265, table 7-7)
TRAIL, RASL_R, BLA, IDR, CRA = 1, 9, 16, 19, 21  # nal_unit_type (table 7-1)
MAIN = u(2, 0) + "0" + u(5, 1) + u(32, 0x60000000) + u(48, 0) + u(8, 93)
NO_SETS = ue(0)
LSB = u(5, 9)


def nal(kind: int, digits: str, *, layer: int = 0, stop: str = "1") -> bytes:
    return (kind << 9 | layer << 3 | 1).to_bytes(2, "big") + escaped(in_bytes(digits, stop))


def sequence_set(
    *,
    profile: str = MAIN,
    layers: str = u(3, 0),
    chroma: str = ue(1),
    size: tuple[int, int] = (416, 240),
    scaling: str = "0",
    offset: int = 0,
    sets: str = NO_SETS,
    long_term: str = "0",
    temporal_mvp: int = 0,
) -> bytes:
    """Coding tree blocks of 64 samples: 7 times 4 of them; pic_order_cnt_lsb has 5 bits."""
    start = u(4, 0) + layers + "1" + profile + ue(0) + chroma + ue(size[0]) + ue(size[1])
    window = "1" + ue(0) * 4
    depths = ue(0) * 2 + ue(1) + "0" + ue(4) + ue(2) + ue(5)
    blocks = ue(0) + ue(3) + ue(0) + ue(3) + ue(1) + ue(1)
    pcm = "1" + u(4, 7) + u(4, 7) + ue(0) + ue(2) + "1"
    return nal(
        33,
        start + window + depths + blocks + scaling + "0" + u(1, offset) + pcm + sets + long_term + u(1, temporal_mvp),
    )


def picture_set(
    *,
    dependent: int = 0,
    output: int = 0,
    extra: int = 0,
    cabac_init: int = 0,
    chroma_offsets: int = 0,
    weighted: str = "00",
    tiles: str = "0",
    wavefronts: int = 0,
    across: int = 0,
    deblocking: str = "0",
    modification: int = 0,
    extension: int = 0,
    extensions: str = "0",
) -> bytes:
    """Two references in list 0, three in list 1."""
    start = ue(0) + ue(0) + u(1, dependent) + u(1, output) + u(3, extra) + "0" + u(1, cabac_init) + ue(1) + ue(2)
    quantizers = se(-3) + "0" + "1" + "1" + ue(1) + se(1) + se(-1) + u(1, chroma_offsets) + weighted + "0"
    split = tiles[0] + u(1, wavefronts) + tiles[1:]
    rest = u(1, across) + deblocking + "0" + u(1, modification) + ue(0) + u(1, extension) + extensions
    return nal(34, start + quantizers + split + rest)


def config(*sets: bytes) -> bytes:
    arrays = b"".join(b"\x20\x00\x01" + len(each).to_bytes(2, "big") + each for each in sets)
    return bytes(21) + bytes([3, len(sets)]) + arrays


def assert_read(digits: str, sequence: bytes, picture: bytes, *, kind: int = TRAIL) -> None:
    """The header ends with its last digit and the alignment behind it (one bit set, then zeros)."""
    lead = nal(kind, digits)
    sample = in_sample(b"\x46\x01\x50", lead + DATA)
    found = list(HevcSlices(config(sequence, picture)).payloads(sample))
    assert found == [(len(sample) - len(DATA), len(sample))]


FIRST = "1" + ue(0)  # first_slice_segment_in_pic_flag, slice_pic_parameter_set_id
EMPTY_SET = "0" + ue(0) + ue(0)  # short_term_ref_pic_set_sps_flag, none before, none behind
ONE_BEFORE = "0" + ue(1) + ue(0) + ue(0) + "1"
MERGE = ue(2)


def test_intra_slices_of_every_kind_of_picture() -> None:
    sets = sequence_set(), picture_set()
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + se(4), *sets)
    assert_read("1" + "0" + ue(0) + ue(I) + se(4), *sets, kind=IDR)
    assert_read("1" + "1" + ue(0) + ue(I) + LSB + EMPTY_SET + se(4), *sets, kind=CRA)
    assert_read("1" + "1" + ue(0) + ue(I) + LSB + EMPTY_SET + se(4), *sets, kind=BLA)
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + se(4), *sets, kind=RASL_R)


def test_segments_behind_the_first_tell_their_address() -> None:
    """28 coding tree blocks: 5 bits."""
    sets = sequence_set(), picture_set(dependent=1)
    assert_read("0" + ue(0) + "1" + u(5, 27), *sets)
    assert_read("0" + ue(0) + "0" + u(5, 3) + ue(I) + LSB + EMPTY_SET + se(0), *sets)


def test_entry_points_and_the_extension_of_a_header() -> None:
    points = ue(3) + ue(31) + u(32, 9) * 3
    tiles = "1" + ue(1) + ue(2) + "0" + ue(3) + ue(0) + ue(1) + "0"
    picture = picture_set(dependent=1, tiles=tiles, wavefronts=1, extension=1)
    assert_read("0" + ue(0) + "1" + u(5, 27) + points + ue(2) + u(16, 7), sequence_set(), picture)
    assert_read("0" + ue(0) + "1" + u(5, 27) + ue(0) + ue(0), sequence_set(), picture)


def test_bits_that_the_picture_set_asks_for() -> None:
    across = picture_set(output=1, extra=2, chroma_offsets=1, across=1, deblocking="1" + "1" + "0" + se(1) + se(1))
    body = "10" + ue(I) + "1" + LSB + EMPTY_SET
    assert_read(FIRST + body + se(4) + se(1) + se(-1) + "0" + "1", sequence_set(), across)
    assert_read(FIRST + body + se(4) + se(1) + se(-1) + "1" + "0" + se(2) + se(-2) + "0", sequence_set(), across)
    assert_read(FIRST + body + se(4) + se(1) + se(-1) + "1" + "1", sequence_set(), across)


def test_deblocking_that_the_picture_set_turned_off_is_off_in_its_slices() -> None:
    """Then, and without sample adaptive offset, no flag says whether to filter across slices (7.4.7.1)."""
    off = picture_set(across=1, deblocking="1" + "0" + "1")
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + se(4), sequence_set(), off)
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + "0" + "1" + se(4) + "1", sequence_set(offset=1), off)
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + "0" + "0" + se(4), sequence_set(offset=1), off)


def test_planes_apart_have_their_id() -> None:
    apart = sequence_set(chroma=ue(3) + "1", offset=1)
    assert_read(FIRST + ue(I) + "10" + LSB + EMPTY_SET + "1" + se(4), apart, picture_set())


def test_sets_predicted_from_sets() -> None:
    """-1, -3 | 2; moved by -1: itself at -1, -2, -4 | 1; the third entry is dropped, the fourth not used."""
    told = ue(2) + ue(1) + ue(0) + "1" + ue(1) + "1" + ue(1) + "1"
    predicted = "1" + "1" + ue(0) + "1" + "1" + "0" + "0" + "0" + "1"
    sets = ue(2) + told + predicted
    sequence = sequence_set(sets=sets)
    modified = picture_set(modification=1)
    entries = "1" + u(2, 2) * 2  # of 3 in use: 2 bits each
    assert_read(FIRST + ue(P) + LSB + "1" + "0" + "0" + entries + MERGE + se(1), sequence, modified)
    two_used = "1" + u(1, 1) * 2
    assert_read(FIRST + ue(P) + LSB + "1" + "1" + "0" + two_used + MERGE + se(1), sequence, modified)
    in_slice = "0" + "1" + ue(1) + "0" + ue(4) + "1" + "1" + "1" + "1"  # from the first set, moved by 5: 4 in use
    four_used = "1" + u(2, 1) * 2
    assert_read(FIRST + ue(P) + LSB + in_slice + "0" + four_used + MERGE + se(1), sequence, modified)


def test_long_term_references_of_both_kinds_count() -> None:
    """Three candidates in the sequence set; one of them and one of the slice's own are in use."""
    candidates = "1" + ue(3) + (u(5, 1) + "1") + (u(5, 2) + "0") + (u(5, 3) + "1")
    sequence = sequence_set(long_term=candidates, temporal_mvp=1)
    long_term = ue(2) + ue(1) + (u(2, 2) + "0") + (u(2, 1) + "1" + ue(5)) + (u(5, 7) + "1" + "0")
    modification = "1" + u(1, 1) * 2
    body = LSB + EMPTY_SET + long_term + "1" + "0" + modification + ue(1) + MERGE + se(0)
    assert_read(FIRST + ue(P) + body, sequence, picture_set(modification=1))
    nothing_modified = LSB + EMPTY_SET + ue(0) + ue(1) + (u(5, 7) + "1" + "0") + "0" + "0" + MERGE + se(0)
    assert_read(FIRST + ue(P) + nothing_modified, sequence, picture_set(modification=1))


def test_weights_and_collocated_pictures_of_both_lists() -> None:
    sequence = sequence_set(temporal_mvp=1)
    picture = picture_set(weighted="11", cabac_init=1)
    luma, chroma = se(-128) + se(127), se(1) * 4
    list_0 = "10" + "01" + luma + chroma
    list_1 = "110" + "000" + luma * 2
    start = LSB + ONE_BEFORE + "1"
    counts = "0"
    from_list_1 = "0" + "1" + "0" + ue(2)
    both = counts + from_list_1 + ue(7) + se(-1) + list_0 + list_1 + MERGE
    assert_read(FIRST + ue(B) + start + both + se(0), sequence, picture)
    single = "1" + ue(0) + ue(0) + "0" + "1" + "1" + ue(0) + se(0) + "00" + "00" + MERGE
    assert_read(FIRST + ue(B) + start + single + se(0), sequence, picture)
    of_p = "1" + ue(1) + "1" + ue(1) + ue(0) + se(0) + "00" + "00" + MERGE
    assert_read(FIRST + ue(P) + start + of_p + se(0), sequence, picture)


def test_sub_layers_and_scaling_lists_are_read_over() -> None:
    layers = u(3, 2)
    present = "11" + "01" + u(12, 0)
    told = MAIN + present + u(88, 1) + u(8, 30) + u(8, 60)
    lists = "1" + "1" + ("0" + ue(0)) * 6 + ("1" + ue(0) * 64) * 6 + ("1" + ue(0) * 65) * 6 + ("0" + ue(1)) * 2
    sequence = sequence_set(profile=told, layers=layers, scaling=lists)
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + se(4), sequence, picture_set())


def test_the_range_extension_is_followed() -> None:
    ranges = "1" + "1" + u(7, 0) + ue(0) + "0" + "1"  # transform skip size, cross-component prediction, offset list
    assert_read(FIRST + ue(I) + LSB + EMPTY_SET + se(4) + "1", sequence_set(), picture_set(extensions=ranges))


SCREEN = u(2, 0) + "0" + u(5, 9) + u(32, 0x00400000) + u(48, 0) + u(8, 93)
COMPATIBLE = u(2, 0) + "0" + u(5, 4) + u(32, 0x08500000) + u(48, 0) + u(8, 93)


@pytest.mark.parametrize(
    ("sequence", "picture", "layer"),
    [
        (sequence_set(profile=SCREEN), picture_set(), 0),
        (sequence_set(profile=COMPATIBLE), picture_set(), 0),
        (sequence_set(), picture_set(extensions="1" + "0" + u(7, 0b0010000)), 0),  # screen content coding
        (sequence_set(), picture_set(extensions="1" + "0" + u(7, 0b1000000)), 0),  # several layers
        (sequence_set(), picture_set(), 1),
    ],
)
def test_headers_that_are_not_followed_get_a_lead_of_fixed_length(sequence: bytes, picture: bytes, layer: int) -> None:
    digits = FIRST + ue(I) + LSB + EMPTY_SET + se(4)
    sample = in_sample(nal(TRAIL, digits, layer=layer) + DATA * 8)
    track = HevcSlices(config(sequence, picture))
    assert list(track.payloads(sample)) == [(4 + FIXED_LEAD_BYTES, len(sample))]
    small = in_sample(nal(TRAIL, digits, layer=layer) + DATA)
    assert list(track.payloads(small)) == []


def test_reserved_types_and_all_that_is_no_slice_stay_clear() -> None:
    track = HevcSlices(config(sequence_set(), picture_set()))
    for kind in (10, 15, 22, 31, 32, 39, 63):
        assert list(track.payloads(in_sample(nal(kind, "1" * 30) + DATA))) == []


@pytest.mark.parametrize(
    ("digits", "sequence", "match"),
    [
        ("1" + ue(9), sequence_set(), "without its parameter sets, picture set 9"),
        (FIRST + ue(I) + LSB + "1" + se(0), sequence_set(), "reference picture set of none"),
        (FIRST + ue(I) + LSB + "1" + "11", sequence_set(sets=ue(3) + ue(0) * 2 + ("0" + ue(0) * 2) * 2), "set 3 of 3"),
        (FIRST + ue(I) + LSB + "0" + ue(9) + ue(9), sequence_set(), "18 short-term reference pictures"),
        (FIRST + ue(I), sequence_set(), "ends behind its"),
    ],
)
def test_a_broken_header_is_refused(digits: str, sequence: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        list(HevcSlices(config(sequence, picture_set())).payloads(in_sample(nal(TRAIL, digits, stop=""))))
    with pytest.raises(ValueError, match="within its header"):
        list(HevcSlices(config(sequence, picture_set())).payloads(in_sample(b"\x02")))
