"""Every form a segment may take: large sizes, flags of trun and tfhd, several trafs and fragments, boxes between."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import MediaError
from player.isobmff.boxes import top_level
from player.isobmff.fragment_boxes import read_trun
from player.isobmff.init import parse_init
from player.isobmff.model import Fragment
from player.isobmff.samples import Samples
from player.isobmff.segment import parse_media
from tests.isobmff.build import (
    KID,
    OTHER_KID,
    box,
    emsg,
    encv,
    full,
    moof,
    moov,
    prft,
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

CLEAR_ENTRY = box(b"avc1", bytes(78))
STYP = box(b"styp", b"msdh", bytes(4), b"msdhcmfs")
TRUN_FLAGS = {"offset": 0x1, "first": 0x4, "duration": 0x100, "size": 0x200, "flags": 0x400, "time": 0x800}
COUNT = 3


def large(data: bytes) -> bytes:
    """The same box with a size of 64 bits."""
    return u32(1) + data[4:8] + (len(data) + 8).to_bytes(8, "big") + data[8:]


def places(fragment: Fragment) -> list[tuple[int, int]]:
    """Start and end of each sample, in the resource."""
    return [(fragment.data[0] + at.offset, fragment.data[0] + at.offset + at.size) for at in fragment.samples]


# ── sizes of 64 bits ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("grown", ["moov", "moof", "mdat", "all", "traf"])
def test_a_size_of_64_bits_is_a_size(grown: str) -> None:
    def build(offset: int) -> bytes:
        inner = traf(trun([4, 5], offset), senc(*[bytes([7] * 8)] * 2))
        outer = moof(large(inner) if grown == "traf" else inner)
        return large(outer) if grown in ("moof", "all") else outer

    init = moov(encv(record()), beside=pssh())
    payload = box(b"mdat", b"abcdefghi")
    payload = large(payload) if grown in ("mdat", "all") else payload
    moof_bytes = build(len(build(0)) + len(payload) - 9)
    data = (large(init) if grown in ("moov", "all") else init) + moof_bytes + payload
    (fragment,) = parse_media(data).fragments
    assert [data[start:end] for start, end in places(fragment)] == [b"abcd", b"efghi"]
    assert (fragment.kids, parse_init(data).init_data) == ((KID,), (pssh(),))


@pytest.mark.parametrize("size", [0, 15, 1 << 33, 1 << 62, (1 << 64) - 1])
@pytest.mark.parametrize("kind", [b"moov", b"moof", b"mdat", b"free"])
def test_a_size_of_64_bits_that_cannot_be_is_one_fault(kind: bytes, size: int) -> None:
    with pytest.raises(MediaError) as caught:
        parse_media(moov(CLEAR_ENTRY) + u32(1) + kind + size.to_bytes(8, "big") + bytes(40))
    assert (caught.value.code, caught.value.path) == ("bad-box" if size < 16 else "limit", kind.decode())


# ── flags of trun and tfhd, defaults of tfhd and trex ────────────────────────────────────────────────────────────────


def trun_of(names: frozenset[str], sizes: list[int], durations: list[int], offset: int) -> bytes:
    head = [offset] * ("offset" in names) + [0x02000000] * ("first" in names)
    columns = {"duration": durations, "size": sizes, "flags": [0x01010000] * COUNT, "time": [-1, 0, 1]}
    rows = [column[i] for i in range(COUNT) for name, column in columns.items() if name in names]
    return full(b"trun", 1, sum(TRUN_FLAGS[name] for name in names), u32(COUNT, *head, *rows))


@pytest.mark.parametrize("bits", range(64))
@pytest.mark.parametrize("tfhd_flags", [0, 0x8, 0x10, 0x38])
def test_every_combination_of_trun_flags_is_read_with_the_defaults(bits: int, tfhd_flags: int) -> None:
    names = frozenset(name for i, name in enumerate(TRUN_FLAGS) if bits >> i & 1)
    in_tfhd = [value for flag, value in ((0x8, 11), (0x10, 7), (0x20, 0x01010000)) if tfhd_flags & flag]
    sizes = [3, 0, 4] if "size" in names else [7 if tfhd_flags & 0x10 else 5] * COUNT
    durations = [1, 2, 0] if "duration" in names else [11 if tfhd_flags & 0x8 else 9] * COUNT
    tfhd = full(b"tfhd", 0, 0x20000 | tfhd_flags, u32(1, *in_tfhd))
    init = moov(CLEAR_ENTRY, size=5)
    trex = init.index(b"trex") + 16
    init = init[:trex] + u32(9) + init[trex + 4 :]  # the default duration

    def build(offset: int) -> bytes:
        return moof(box(b"traf", tfhd, trun_of(names, sizes, durations, offset)))

    moof_bytes = build(len(build(0)) + 8)
    mdat = box(b"mdat", bytes(range(sum(sizes))))
    data = init + mdat + moof_bytes + mdat
    if "offset" not in names:  # samples begin where the base is: at the moof itself, which is no mdat
        with pytest.raises(MediaError) as caught:
            parse_media(data)
        assert (caught.value.code, caught.value.path) == ("bad-reference", "moof/traf/trun")
        return
    (fragment,) = parse_media(data).fragments
    starts = accumulate(sizes[:-1], initial=len(data) - sum(sizes))
    assert places(fragment) == [(at, at + size) for at, size in zip(starts, sizes, strict=True)]
    assert (fragment.samples.sizes, fragment.samples.durations) == (tuple(sizes), tuple(durations))
    assert fragment.duration == sum(durations)


@given(st.frozensets(st.sampled_from([*TRUN_FLAGS])), st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3))
def test_columns_of_trun_are_told_apart(names: frozenset[str], values: list[int]) -> None:
    data = trun_of(names, values, values[::-1], -5)
    run = read_trun(data, next(iter(top_level(data))))
    assert (run.sample_count, run.data_offset) == (COUNT, -5 if "offset" in names else None)
    assert (run.sizes, run.durations) == (
        tuple(values) if "size" in names else None,
        tuple(values[::-1]) if "duration" in names else None,
    )
    assert run.first_flags == (0x02000000 if "first" in names else None)
    assert run.sample_flags == ((0x01010000,) * COUNT if "flags" in names else None)
    assert run.time_offsets == ((2**32 - 1, 0, 1) if "time" in names else None)


def test_a_base_of_tfhd_goes_before_the_moof() -> None:
    init, payload = moov(CLEAR_ENTRY), b"abcdefgh"
    tfhd = full(b"tfhd", 0, 0x20001, u32(1), (len(init) + 100).to_bytes(8, "big"))

    def build(offset: int) -> bytes:
        return init + moof(box(b"traf", tfhd, trun([3, 5], offset)))

    start = len(build(0)) + 8
    data = build(start - len(init) - 100) + box(b"mdat", payload)
    (fragment,) = parse_media(data).fragments
    assert fragment.data == (start, start + 8)


# ── several of them ──────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def layouts(draw: st.DrawFn) -> list[list[list[int]]]:
    """Fragments of trafs of sample sizes."""
    sizes = st.lists(st.integers(0, 6), max_size=4)
    return draw(st.lists(st.lists(sizes, min_size=1, max_size=4), min_size=1, max_size=4))


@given(layouts(), st.booleans())
def test_several_trafs_in_several_fragments_name_every_byte_once(layout: list[list[list[int]]], explicit: bool) -> None:
    data, expected = moov(CLEAR_ENTRY), []
    for trafs in layout:
        payload = bytes(range(sum(map(sum, trafs))))

        def build(start: int, trafs: list[list[int]] = trafs) -> bytes:
            ends = list(accumulate(map(sum, trafs), initial=start))
            if explicit:
                return moof(*(traf(trun(sizes, at)) for sizes, at in zip(trafs, ends, strict=False)))
            later = (traf(trun(sizes, 0), base_is_moof=False) for sizes in trafs[1:])
            return moof(traf(trun(trafs[0], start), base_is_moof=False), *later)

        data += STYP + emsg(0) + prft(1) + emsg(1) + build(len(build(0)) + 8) + box(b"mdat", payload) + box(b"free")
        expected += [payload[sum(map(sum, trafs[:i])) :][: sum(sizes)] for i, sizes in enumerate(trafs)]
    fragments = parse_media(data).fragments
    assert [b"".join(data[start:end] for start, end in places(each)) for each in fragments] == expected
    assert [list(each.samples.sizes) for each in fragments] == [sizes for trafs in layout for sizes in trafs]


def test_fragments_go_on_in_time_where_no_tfdt_says_when() -> None:
    one = segment([1, 2], time=7)
    tfdt = full(b"tfdt", 1, 0, (7).to_bytes(8, "big"))
    without = one.replace(tfdt, box(b"free", bytes(12)))
    fragments = parse_media(moov(CLEAR_ENTRY) + STYP + one + prft(0) + without + emsg(1) + without).fragments
    assert [each.decode_time for each in fragments] == [7, 9, 11]


# ── groups of the traf ───────────────────────────────────────────────────────────────────────────────────────────────


def samples_in(*groups: int, descriptions: int = 3) -> Samples:
    kids = [bytes([number]) * 16 for number in range(1, descriptions + 1)]
    runs = sbgp(*((1, group) for group in groups))
    ivs = [bytes(8)] * len(groups)
    init = moov(encv(record()), in_stbl=sgpd(record(OTHER_KID)))
    data = init + segment([2] * len(groups), runs, sgpd(*map(record, kids)), senc(*ivs))
    return parse_media(data).fragments[0].samples


def test_a_group_above_0x10000_counts_in_the_traf_and_below_in_the_track() -> None:
    found = samples_in(0x10001, 0x10003, 1, 0, 0x10002)
    kids = [protection.kid for count, protection in found.protections if protection is not None]
    assert kids == [b"\1" * 16, b"\3" * 16, OTHER_KID, KID, b"\2" * 16]


@pytest.mark.parametrize("group", [2, 0x10000, 0x10004, 0xFFFFFFFF])
def test_a_group_that_nobody_describes_is_one_fault(group: int) -> None:
    with pytest.raises(MediaError) as caught:
        samples_in(group)
    assert (caught.value.code, caught.value.path) == ("bad-reference", "moof/traf/sbgp")


@pytest.mark.parametrize("version", [0, 1, 2])
def test_descriptions_of_every_version_are_read(version: int) -> None:
    entries = (record(KID), record(OTHER_KID))
    length = u32(len(entries[0])) if version else b""
    default = u32(0) if version == 2 else b""
    described = full(b"sgpd", version, 0, b"seig", length, default, u32(2), *entries)
    data = moov(encv(record())) + segment([2], sbgp((1, 0x10002)), described, senc(bytes(8)))
    assert parse_media(data).fragments[0].kids == (OTHER_KID,)
    one_by_one = full(b"sgpd", 1, 0, b"seig", u32(0, 2), *(u32(len(each)) + each for each in entries))
    data = moov(encv(record())) + segment([2], sbgp((1, 0x10002)), one_by_one, senc(bytes(8)))
    assert parse_media(data).fragments[0].kids == (OTHER_KID,)
