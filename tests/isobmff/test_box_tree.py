"""The box tree as `inspect` shows it: every box with its place, and faults as data."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from player.isobmff.boxes import MAX_BOXES
from player.isobmff.dump import MAX_DEPTH, DumpedBox, walk
from tests.isobmff.build import box, u32
from tests.isobmff.seeds import SEEDS


def tree(data: bytes) -> list[tuple[str, int, int, int]]:
    return [(each.path, each.offset, each.size, each.depth) for each in walk(data)]


def faults(data: bytes) -> list[tuple[str, str]]:
    return [(each.path, each.fault.split(":")[0]) for each in walk(data) if each.fault is not None]


def nested(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        data = box(b"moof", data)
    return data


def test_parents_come_before_children_and_everything_has_a_place() -> None:
    data = box(b"moof", box(b"traf", box(b"free")), box(b"traf")) + box(b"mdat", bytes(3))
    assert tree(data) == [
        ("moof", 0, 32, 0),
        ("moof/traf", 8, 16, 1),
        ("moof/traf/free", 16, 8, 2),
        ("moof/traf[1]", 24, 8, 1),
        ("mdat", 32, 11, 0),
    ]


def test_sound_files_have_no_faults() -> None:
    for data in SEEDS.values():
        assert not faults(data)


def test_a_box_beyond_its_parent_is_shown_and_the_walk_goes_on_behind_the_parent() -> None:
    data = box(b"moof", u32(99) + b"free") + box(b"mdat")
    assert faults(data) == [("moof/free", "bad-box")]
    assert tree(data)[-1] == ("mdat", 16, 8, 0)


def test_a_fault_between_boxes_is_an_entry_of_its_own() -> None:
    *_, last = walk(box(b"moof", u32(7) + b"free"))
    assert isinstance(last, DumpedBox)
    assert (last.path, last.type, last.offset, last.size) == ("moof/free", "", 8, 0)
    assert faults(box(b"free") + b"\0") == [("/", "truncated")]
    assert faults(box(b"free", bytes(9))[:-1]) == [("free", "truncated")]


def test_nesting_ends_at_the_depth_limit_with_one_fault() -> None:
    assert not faults(nested(MAX_DEPTH))
    assert [code for _, code in faults(nested(2000))] == ["limit"]
    assert max(each.depth for each in walk(nested(2000))) == MAX_DEPTH - 1


def test_nesting_in_boxes_that_are_cut_ends_too() -> None:
    cut = nested(MAX_DEPTH + 4)[:-1]
    assert max(each.depth for each in walk(cut)) == MAX_DEPTH - 1


def test_a_flood_of_boxes_ends_with_one_fault() -> None:
    flood = list(walk(box(b"free") * (MAX_BOXES + 5)))
    assert len(flood) == MAX_BOXES + 1
    assert flood[-1].fault == f"limit: more than {MAX_BOXES} boxes"


@given(
    data=st.binary(max_size=120),
    cut=st.integers(0, 900),
    base=st.sampled_from(sorted(SEEDS.values())),
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_have_a_tree(data: bytes, cut: int, base: bytes) -> None:
    for each in walk(base[:cut] + data + base[cut + len(data) :]):
        assert each.depth < MAX_DEPTH


def test_fields_are_what_a_person_wants_to_know() -> None:
    said = {each.path: dict(each.fields) for each in walk(SEEDS["rotating"])}
    stbl = "moov/trak/mdia/minf/stbl"
    assert said[f"{stbl}/stsd/encv/sinf/schm"] == {"scheme": "cenc"}
    assert said[f"{stbl}/stsd/encv/sinf/schi/tenc"] == {
        "version": 1,
        "kid": "00000000-0000-0000-0000-000000000000",
        "is_protected": 1,
        "iv_size": 8,
    }
    assert said["moof/traf/trun"]["samples"] == 2
    assert said["moof/traf/senc"]["samples"] == 2
    assert said["moof/traf/sgpd"]["grouping_type"] == "seig"
    assert said["moof/pssh"]["key_ids"] == ("10111213-1415-1617-1819-1a1b1c1d1e1f",)


def test_a_pattern_and_a_constant_iv_are_shown() -> None:
    (tenc,) = (each for each in walk(SEEDS["cbcs"]) if each.type == "tenc")
    assert (tenc.fields["pattern"], tenc.fields["constant_iv"]) == ("1:9", "00" * 16)


def test_fields_that_do_not_fit_are_a_fault_of_their_box() -> None:
    assert faults(box(b"tenc", bytes(7))) == [("tenc", "bad-box")]
    assert faults(box(b"moof", box(b"pssh", bytes(30)))) == [("moof/pssh", "bad-pssh")]
