"""What pymp4 reads right, our readers read the same: two readings of one file that share no code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import pytest

from player.ids import KeyId
from player.isobmff import pssh
from player.isobmff.boxes import Box, Walk, top_level
from player.isobmff.dump import walk
from player.isobmff.events import read_brands
from player.isobmff.fragment_boxes import read_tfdt, read_tfhd, read_trun
from player.isobmff.init import parse_init
from player.isobmff.pymp4_adapter import MAX_READ_BYTES, Plain, read_boxes
from player.isobmff.sidx import parse_sidx
from tests.isobmff.build import KID, OTHER_KID, box, encv, full, moof, moov, record, traf, u32
from tests.isobmff.build import pssh as pssh_box
from tests.isobmff.seeds import SEEDS

Fields = Mapping[str, Plain]


def found(data: bytes, kind: bytes) -> Fields:
    """The first box of a type that pymp4 finds, at any depth."""
    return next(each for each in everything(read_boxes(data)) if each["type"] == kind)


def everything(boxes: Plain) -> Iterator[Fields]:
    for each in cast("tuple[Fields, ...]", boxes or ()):
        yield each
        yield from everything(each.get("children"))


def test_brands() -> None:
    data = box(b"ftyp", b"iso6", u32(1), b"cmfcdash")
    (theirs,) = read_boxes(data)
    ours = read_brands(data, next(top_level(data)))
    assert ours == tuple(bytes(cast("bytes", each)).decode() for each in (theirs["major_brand"], *list_of(theirs)))


def list_of(ftyp: Fields) -> tuple[Plain, ...]:
    return cast("tuple[Plain, ...]", ftyp["compatible_brands"])


def test_the_segment_index() -> None:
    theirs = found(SEEDS["sidx"], b"sidx")
    ours = parse_sidx(SEEDS["sidx"], 0)
    references = cast("tuple[Fields, ...]", theirs["references"])
    assert ours.timescale == theirs["timescale"]
    assert [(each.size, each.duration) for each in ours.segments] == [
        (each["referenced_size"], each["segment_duration"]) for each in references
    ]


@pytest.mark.parametrize("kids", [(), (KID, OTHER_KID)], ids=["version 0", "version 1"])
def test_pssh(kids: tuple[KeyId, ...]) -> None:
    data = b"".join(map(pssh_box, kids)) or pssh.write(
        pssh.Pssh(version=0, system_id=pssh.read(pssh_box())[0].system_id, data=b"payload")
    )
    for ours, theirs in zip(pssh.read(data), read_boxes(data), strict=True):
        assert (ours.version, ours.system_id, ours.data) == (
            theirs["version"],
            theirs["system_ID"],
            theirs["init_data"],
        )
        assert ours.key_ids == (theirs["key_IDs"] or ())


@pytest.mark.parametrize(
    "protection",
    [record(), record(iv_size=16), record(pattern=0x19, iv_size=0, constant=bytes(range(16)))],
    ids=["8 bytes", "16 bytes", "constant"],
)
def test_tenc(protection: bytes) -> None:
    data = moov(encv(protection, b"cbcs"))
    (entry,) = parse_init(data).tracks[0].entries
    assert entry.protection is not None
    at = next(each.offset for each in walk(data) if each.type == "tenc")
    theirs = found(data[at : at + int.from_bytes(data[at : at + 4], "big")], b"tenc")
    assert (entry.protection.kid, entry.protection.iv_size) == (theirs["key_ID"], theirs["iv_size"])
    assert entry.protection.constant_iv == bytes(cast("tuple[int, ...]", theirs["constant_iv"] or ()))


def test_the_tables_of_a_track_fragment() -> None:
    tables = (
        full(b"trun", 0, 0xF05, u32(2, 100, 0x02000000), u32(10, 40, 0, 3, 20, 50, 0, 4)),
        full(b"saiz", 0, 0, bytes([0]), u32(2), bytes([16, 22])),
        full(b"saio", 1, 0, u32(1), (500).to_bytes(8, "big")),
    )
    data = moof(traf(*tables, entry=1, time=1 << 40))
    boxes = tables_of(data)
    tfhd, tfdt, theirs = (found(data, kind) for kind in (b"tfhd", b"tfdt", b"trun"))
    ours = read_trun(data, boxes[b"trun"])
    rows = cast("tuple[Fields, ...]", theirs["sample_info"])
    assert (ours.data_offset, list(ours.sizes or ()), list(ours.durations or ())) == (
        theirs["data_offset"],
        [each["sample_size"] for each in rows],
        [each["sample_duration"] for each in rows],
    )
    read = read_tfhd(data, boxes[b"tfhd"])
    assert (read.track_id, read.description_index) == (tfhd["track_ID"], tfhd["sample_description_index"])
    assert read_tfdt(Walk(data), boxes[b"tfdt"]) == tfdt["baseMediaDecodeTime"]
    assert found(data, b"saiz")["sample_info_sizes"] == (16, 22)
    assert found(data, b"saio")["offsets"] == (500,)


def tables_of(data: bytes) -> Mapping[bytes, Box]:
    reader = Walk(data)
    (parent,) = (each for each in reader.enter(next(top_level(data))) if each.type == b"traf")
    return {each.type: each for each in reader.children(parent)}


def test_what_pymp4_is_not_shown() -> None:
    with pytest.raises(ValueError, match="bad-box"):
        read_boxes(box(b"moof", u32(7) + b"free"))
    with pytest.raises(ValueError, match="at most"):
        read_boxes(box(b"free", bytes(MAX_READ_BYTES)))
