"""Headers of AV1 written field by field, for what no encoder at hand writes, and tile groups cut out of real frames."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from player.cenc.av1_headers import read_frame_header
from player.cenc.av1_parameters import TileLayout
from player.cenc.av1_references import REFERENCES
from player.cenc.av1_sequence import read_sequence_header
from player.cenc.av1_tiles import Av1Tiles, obus
from player.cenc.bits import BitReader
from player.cenc.subsamples import mapper
from player.isobmff.sample import Scheme
from tests.cenc.bit_writer import in_bytes, u, ue
from tests.cenc.bitstreams import Bitstreams

TILE = bytes(range(0x40, 0x60))
KEY_FRAME, INTER_FRAME, INTRA_ONLY, SWITCH_FRAME = (u(2, each) for each in range(4))
SEQUENCE_HEADER, TEMPORAL_DELIMITER, FRAME_HEADER, TILE_GROUP, FRAME, REDUNDANT_HEADER = 1, 2, 3, 4, 6, 7


def obu(kind: int, payload: bytes, *, extension: bytes = b"") -> bytes:
    """Its size in three bytes of LEB128."""
    size = bytes([len(payload) & 0x7F | 0x80, len(payload) >> 7 & 0x7F | 0x80, len(payload) >> 14])
    return bytes([kind << 3 | 2 | (4 if extension else 0)]) + extension + size + payload


def sequence(
    *,
    size: tuple[int, int] = (64, 64),
    timing: str = "0",
    points: str = u(5, 0) + u(12, 0) + u(5, 4),
    frame_ids: str = "0",
    warped: int = 0,
    order_hint_bits: int = 0,
    superres: int = 0,
    restoration: int = 0,
    color: str = "0" + "0" + "0" + "0" + "00" + "0",
    film_grain: int = 0,
) -> bytes:
    """Frames choose screen content tools and whole motion vectors; neither CDEF nor ref_frame_mvs."""
    start = u(3, 0) + "00" + timing + "0" + points
    sizes = u(4, 15) + u(4, 15) + u(16, size[0] - 1) + u(16, size[1] - 1)
    order = "1" + "00" if order_hint_bits else "0"
    tools = "000" + "00" + u(1, warped) + "0" + order + "1" + "1"
    hints = u(3, order_hint_bits - 1) if order_hint_bits else ""
    rest = u(1, superres) + "0" + u(1, restoration) + color + u(1, film_grain)
    return obu(SEQUENCE_HEADER, in_bytes(start + sizes + frame_ids + tools + hints + rest))


def coding(*, tiles: str = "1", base: int = 30, segmentation: str = "0", lossless: bool = False) -> str:
    """tile_info to tx_mode, with no more than there must be."""
    quantization = u(8, base) + "000" + "0"
    loop_filter = "" if lossless else u(12, 0) + u(3, 0) + "0"
    return tiles + quantization + segmentation + ("0" if base else "") + loop_filter + ("" if lossless else "0")


def key_frame(*, hint: str = "", size: str = "0", render: str = "0", ids: str = "", rest: str | None = None) -> str:
    """From show_existing_frame on, shown, without updates of CDFs; `size`: from frame_size_override_flag's sizes on."""
    start = "0" + KEY_FRAME + "1" + "1" + "0" + ids + size[0] + hint
    return start + size[1:] + render + (coding() if rest is None else rest) + "0"


def inter_frame(
    *,
    hint: str = "",
    primary: str = "111",
    refreshed: int = 0,
    references: str = "000" * 7,
    size: str = "0" + "0",
    rest: str | None = None,
    prediction: str = "0",
) -> str:
    """`size`: frame_size_override_flag, then from the sizes to render_and_frame_size_different."""
    start = "0" + INTER_FRAME + "1" + "0" + "1" + "0" + size[0] + hint + primary + u(8, refreshed)
    motion = "1" + "1" + "0"
    return start + references + size[1:] + motion + (coding() if rest is None else rest) + prediction + "0" + "0" * 7


def assert_read(*headers: str, of: bytes, tile: bytes = TILE) -> None:
    """Each header ends where its last digit does; all frames in one sample."""
    sample = of
    expected = []
    for digits in headers:
        sample += obu(FRAME, in_bytes(digits, "") + tile)
        expected.append((len(sample) - len(tile), len(sample)))
    assert list(Av1Tiles(b"").payloads(sample)) == expected


def test_key_and_inter_frames() -> None:
    assert_read(key_frame(), inter_frame(), inter_frame(), of=sequence())


def test_frame_ids_order_hints_and_sizes_of_their_own() -> None:
    with_ids = sequence(frame_ids="1" + u(4, 3) + u(3, 1), order_hint_bits=4)  # 5 and 7 bits
    assert_read(key_frame(hint=u(4, 9), ids=u(7, 77)), of=with_ids)
    own_size = "1" + u(16, 299) + u(16, 63)
    assert_read(key_frame(size=own_size, render="1" + u(32, 5), rest=coding(tiles="1" + "0")), of=sequence())


def test_a_smaller_frame_of_super_resolution_has_fewer_superblocks() -> None:
    wide = sequence(size=(1088, 64), superres=1, restoration=1)
    no_restoration = u(2, 0) * 3  # before tx_mode
    for superres, tiles in (("0", "1" + "1" * 5), ("1" + "111", "1" + "1" * 4)):  # of 17 superblocks, and of 9
        layout = tiles + u(len(tiles) - 1, 0) + "00"  # context_update_tile_id, tile_size_bytes_minus_1
        rest = coding(tiles=layout)[:-1] + no_restoration + "0"
        header = in_bytes(key_frame(size="0", render=superres + "0", rest=rest), "")
        (first, *_), *others = Av1Tiles(b"").payloads(wide + obu(FRAME, header + bytes(100)))
        assert first == len(wide) + 4 + len(header) + 1 + 1  # flag of the group, size of the first tile
        assert len(others) + 1 == (17 if superres == "0" else 9)


def test_the_size_of_a_reference_is_taken() -> None:
    large, small = "1" + u(16, 1023) + u(16, 63), "0"
    seq = sequence()
    sixteen = coding(tiles="1" + "0")
    taken = inter_frame(size="1" + "0" * 2 + "1", rest=sixteen)  # found_ref of the third
    assert_read(key_frame(size=large, rest=sixteen), taken, of=seq)
    told = inter_frame(size="1" + "0" * 7 + u(16, 63) + u(16, 63) + "0")
    assert_read(key_frame(size=large, rest=sixteen), told, inter_frame(size=small + "0"), of=seq)


def test_skip_mode_is_told_where_references_lie_on_both_sides_or_twice_before() -> None:
    seq = sequence(order_hint_bits=4)
    first = key_frame(hint=u(4, 2))
    forward = inter_frame(hint=u(4, 8), refreshed=0b10, references="0" + "000" * 7)
    selected, single = "1", "0"
    both = inter_frame(hint=u(4, 5), references="0" + "000" * 6 + "001", prediction=selected + "1")
    before = inter_frame(hint=u(4, 5), references="0" + "000" * 7, prediction=selected)
    twice = inter_frame(hint=u(4, 9), references="0" + "001" + "000" * 6, prediction=selected + "0")
    neither = inter_frame(hint=u(4, 9), references="0" + "001" + "000" * 6, prediction=single)
    assert_read(first, forward, both, before, twice, neither, of=seq)


def test_references_named_by_two_of_them() -> None:
    seq = sequence(order_hint_bits=4)
    frames = [key_frame(hint=u(4, 0))]
    frames += [inter_frame(hint=u(4, i), refreshed=1 << i, references="0" + "000" * 7) for i in range(1, 8)]
    short = inter_frame(hint=u(4, 4), references="1" + "011" + "001", prediction="1" + "0")
    assert_read(*frames, short, of=seq)


def test_quantizers_of_segments_are_kept_with_the_frame() -> None:
    """A frame without a base quantizer is lossless, unless a segment of its primary reference has one."""
    minus_30 = "1" + u(9, 512 - 30)
    zero = "1" + "".join(minus_30 + "0" * 7 for _ in range(8))  # each segment 30 below the base of 30
    seq = sequence()
    lossless = key_frame(rest=coding(segmentation=zero, lossless=True))
    kept = inter_frame(primary="000", rest=coding(segmentation="1" + "0" + "0", lossless=True))
    own = inter_frame(primary="000", rest=coding(base=31, segmentation="1" + "0" + "0"))
    off = inter_frame(primary="000", rest=coding(segmentation="0"))
    assert_read(lossless, kept, own, off, of=seq)


def test_lost_references_are_told_in_a_resilient_frame() -> None:
    seq = sequence(order_hint_bits=4)
    start = "0" + INTER_FRAME + "1" + "1" + "1" + "0" + "0" + u(4, 6) + u(8, 0)
    hints = "".join(u(4, each) for each in (0, 1, 2, 3, 4, 5, 6, 7))
    body = "0" + "000" * 6 + "111" + "0" + "1" + "1" + "0" + coding() + "1" + "0" + "0" + "0" * 7
    assert_read(key_frame(hint=u(4, 0)), start + hints + body, of=seq)


def test_film_grain_of_its_own_and_of_another_frame() -> None:
    grain = "1" + u(16, 9) + u(4, 2) + u(32, 0) + "0" + u(4, 1) + u(16, 0) + u(4, 0) + "00" + "01"
    coefficients = u(8, 0) * 4 + u(8, 0) * 5  # luma, and chroma of the one plane that has points
    tail = "00" + "00" + u(25, 0) + "11"
    seq = sequence(film_grain=1)
    repeated = "1" + u(16, 9) + "0" + u(3, 5)
    assert_read(key_frame() + grain + coefficients + tail, inter_frame() + repeated, inter_frame() + "0", of=seq)


def test_global_motion_of_every_kind() -> None:
    """Sub-exponential codes of 2 x 4096 + 1 values, and of 2 x 256 + 1 for translations of low precision."""
    short, middle = "0" + u(3, 7), "1" * 3 + "0" + u(5, 9)
    longest = "1" * 10 + u(12, 4094), "1" * 10 + u(13, 8190)  # of the 4097 values behind 4096, in 12 bits or 13
    assert_read(key_frame(), inter_frame()[:-7] + "11" + short + middle + "".join(longest) + "0" * 6, of=sequence())
    affine = "1" + "0" + "0" + short * 6
    translation = "1" + "0" + "1" + short * 2
    assert_read(key_frame(), inter_frame()[:-7] + affine + translation + "0" * 5, of=sequence())


def test_layers_with_removal_times() -> None:
    """buffer_removal_time is told for each operating point that has a decoder model and the layer of the OBU."""
    timing = "1" + u(32, 1) + u(32, 25) + "0" + "1" + u(5, 9) + u(32, 1) + u(5, 19) + u(5, 29)
    model = "1" + u(10, 0) * 2 + "0"
    point = u(12, 0x101) + u(5, 4) + model
    points = u(5, 2) + point + u(12, 0x102) + u(5, 9) + "0" + model + u(12, 0) + u(5, 4) + "0"
    seq = sequence(timing=timing, points=points)
    start = "0" + KEY_FRAME + "1" + u(30, 3) + "1" + "0" + "0"  # temporal_point_info of 30 bits
    for temporal, times in ((0, 1), (1, 1), (2, 0)):
        header = in_bytes(start + "1" + u(20, 7) * times + "0" + coding() + "0", "")
        sample = seq + obu(FRAME, header + TILE, extension=bytes([temporal << 5]))
        assert list(Av1Tiles(b"").payloads(sample)) == [(len(sample) - len(TILE), len(sample))]


def test_pictures_at_equal_intervals_tell_no_instant() -> None:
    timing = "1" + u(32, 1) + u(32, 25) + "1" + ue(4) + "1" + u(5, 9) + u(32, 1) + u(5, 19) + u(5, 29)
    points = u(5, 0) + u(12, 0) + u(5, 4) + "0"
    start, removal_times = "0" + KEY_FRAME + "1" + "1" + "0" + "0", "0"
    assert_read(start + removal_times + "0" + coding() + "0", of=sequence(timing=timing, points=points))


def test_a_still_picture_of_a_reduced_header() -> None:
    start = u(3, 0) + "11" + u(5, 4) + u(4, 5) + u(4, 5) + u(6, 63) + u(6, 63)
    seq = obu(SEQUENCE_HEADER, in_bytes(start + "000" + "000" + "0000" + "00" + "0" + "0"))
    assert_read("0" + "0" + "0" + coding() + "0", of=seq)


@pytest.mark.parametrize("tiles", [b"", b"\0"])
def test_a_key_frame_shown_again_takes_every_slot(tiles: bytes) -> None:
    hidden = "0" + KEY_FRAME + "0" + "1" + "0" + "1" + "0" + "0" + u(8, 0b1000) + "0" + coding() + "0"
    again = obu(FRAME_HEADER, in_bytes("1" + "011"))
    first = sequence() + obu(FRAME, in_bytes(hidden, "") + TILE)
    sample = first + again + obu(FRAME, in_bytes(inter_frame(), "") + TILE + tiles)
    track = Av1Tiles(b"")
    assert list(track.payloads(sample))[1][1] == len(sample)
    with pytest.raises(ValueError, match="refers to frame 0, which has not come"):
        list(Av1Tiles(b"").payloads(first + obu(FRAME, in_bytes(inter_frame(), "") + TILE)))


# ── tile groups ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.oracle
@pytest.mark.parametrize("tiles_a_group", [1, 3, 5])
def test_tiles_are_the_same_in_groups_of_any_size(tiles_a_group: int, bitstreams: Bitstreams) -> None:
    """Frames of 8 tiles are taken apart into a frame header, a copy of it, and tile groups."""
    codec = bitstreams.track("av1, tiles").codec
    whole, apart = Av1Tiles(codec.config), Av1Tiles(codec.config)
    cut = 0
    for sample in bitstreams.samples("av1, tiles"):
        key_frame_there = next(obus(sample)).type == SEQUENCE_HEADER
        taken_apart = in_groups(sample, codec.config, tiles_a_group) if key_frame_there else sample
        tiles = [sample[start:end] for start, end in whole.payloads(sample)]
        assert [taken_apart[start:end] for start, end in apart.payloads(taken_apart)] == tiles
        cut += len(tiles) * key_frame_there
    assert cut >= 8


def in_groups(sample: bytes, config: bytes, tiles_a_group: int) -> bytes:
    """A sample of a sequence header and one key frame."""
    pieces = []
    first, *_ = obus(sample)
    seq = read_sequence_header(BitReader(sample, first.start, first.end))
    for each in obus(sample):
        payload = sample[each.start : each.end]
        if each.type != FRAME:
            pieces.append(obu(each.type, payload))
            continue
        bits = BitReader(payload)
        layout = read_frame_header(bits, seq, (None,) * REFERENCES, (0, 0)).tiles
        assert layout is not None
        digits = bin(int.from_bytes(b"\1" + payload, "big"))[3 : 3 + bits.position]
        header = obu(FRAME_HEADER, in_bytes(digits))
        tiles = [sample[start:end] for start, end in Av1Tiles(config).payloads(sample)]
        pieces += [header, obu(REDUNDANT_HEADER, in_bytes(digits))]
        pieces += groups(tiles, tiles_a_group, layout)
        pieces.insert(-1, header)  # a header may come again between tile groups
    return b"".join(pieces)


def groups(tiles: Sequence[bytes], tiles_a_group: int, layout: TileLayout) -> list[bytes]:
    found = []
    for first in range(0, len(tiles), tiles_a_group):
        *others, last = tiles[first : first + tiles_a_group]
        ends = "1" + u(layout.number_bits, first) + u(layout.number_bits, first + len(others))
        sized = b"".join((len(each) - 1).to_bytes(layout.size_bytes, "little") + each for each in others)
        found.append(obu(TILE_GROUP, in_bytes(ends, "") + sized + last))
    return found


# ── what is not as it should be ──────────────────────────────────────────────────────────────────────────────────────

TWO_TILES = key_frame(rest=coding(tiles="1" + "1" + "0" + "01"))  # sizes of 2 bytes
WIDE = sequence(size=(128, 64))


def two_tiles(group: str, data: bytes) -> bytes:
    return WIDE + obu(FRAME, in_bytes(TWO_TILES, "") + in_bytes(group, "") + data)


def test_sizes_between_tiles_are_clear_and_a_small_tile_has_its_subsample_in_cbcs() -> None:
    sample = two_tiles("0", (4).to_bytes(2, "little") + b"small" + TILE)
    at = len(sample) - len(TILE)
    assert list(Av1Tiles(b"").payloads(sample)) == [(at - 5, at), (at, len(sample))]
    assert mapper("av01", b"").ranges(sample, Scheme.CBCS) == ((at - 5, 5), (0, len(TILE)))
    assert mapper("av01", b"").ranges(sample, Scheme.CENC) == ((at, len(TILE)),)


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        (bytes([FRAME << 3 | 2, 5, 0]), "ends outside its sample"),
        (bytes([FRAME << 3 | 2]) + b"\xff" * 9, "does not end in it"),
        (bytes([FRAME << 3 | 6]), "does not end in it"),
        (obu(FRAME, in_bytes(key_frame(), "") + TILE), "before its sequence header"),
        (sequence() + obu(TILE_GROUP, TILE), "without a frame header"),
        (sequence() + obu(FRAME_HEADER, in_bytes(key_frame())), "ends before tile 0"),
        (sequence() + obu(FRAME, in_bytes(key_frame(), "")), "0 bytes for its last tile"),
        (sequence() + obu(FRAME_HEADER, in_bytes(key_frame())) + obu(FRAME, b"\0" * 30), "last tile of another"),
        (sequence() + obu(FRAME, in_bytes("1" + "000", "")), "frame 0, which has not come"),
        (two_tiles("0", b"\xff\xff" + TILE), "ends outside its group"),
        (two_tiles("1" + "1" + "1", TILE), "tiles 1 to 1, expected 0 of 2"),
        (two_tiles("1" + "0" + "0", TILE), "ends before tile 1"),
        (sequence()[:-3], "outside its sample"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(sample: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        list(Av1Tiles(b"").payloads(sample))


def test_a_tile_group_without_a_size_ends_with_its_sample() -> None:
    sample = sequence() + obu(FRAME_HEADER, in_bytes(key_frame())) + bytes([TILE_GROUP << 3]) + TILE
    assert list(Av1Tiles(b"").payloads(sample)) == [(len(sample) - len(TILE), len(sample))]
