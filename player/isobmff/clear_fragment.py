"""Clear samples as a fragment of their own, with the times and flags they had (ISO/IEC 14496-12, 8.8)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import pack
from typing import Final, NamedTuple

from player.isobmff.boxes import Box, Walk
from player.isobmff.fragment_boxes import read_tfhd, read_trun
from player.isobmff.sample import Sample
from player.isobmff.writer import box, full_box

_TFHD_FLAGS: Final = 0x20002  # default-base-is-moof, sample description
_TRUN_FLAGS: Final = 0xF01  # data offset; duration, size, flags and time offset of each sample
_TRUN_HEAD: Final = 20  # bytes of trun before its rows


class SampleTable(NamedTuple):
    """Of each sample of a `traf`: its flags, and composition minus decode time as an unsigned number."""

    entry: int  # sample description index
    flags: Sequence[int]
    time_offsets: Sequence[int]


def read_sample_table(traf: bytes, default_entry: int, default_flags: int) -> SampleTable:
    """`traf`: the whole box, which `parse_media` has read before. The defaults are those of `trex`."""
    walk = Walk(traf)
    boxes = walk.enter(Box(b"traf", 0, 8, len(traf)))
    tfhd = read_tfhd(traf, next(child for child in boxes if child.type == b"tfhd"))
    usual = default_flags if tfhd.sample_flags is None else tfhd.sample_flags
    flags: list[int] = []
    offsets: list[int] = []
    for run in (read_trun(traf, child) for child in boxes if child.type == b"trun"):
        row = list(run.sample_flags or [usual] * run.sample_count)
        if run.first_flags is not None and row:
            row[0] = run.first_flags
        flags += row
        offsets += run.time_offsets or [0] * run.sample_count
    entry = default_entry if tfhd.description_index is None else tfhd.description_index
    return SampleTable(entry, flags, offsets)


def fragment(
    sequence: int, track_id: int, decode_time: int, samples: Sequence[Sample], table: SampleTable, data: bytes
) -> bytes:
    """`moof` and `mdat`; `table` is that of these samples, and `data` holds them one after the other."""
    tfhd = full_box(b"tfhd", 0, _TFHD_FLAGS, pack(">II", track_id, table.entry))
    tfdt = full_box(b"tfdt", 1, 0, pack(">Q", decode_time))
    columns = zip(
        (s.duration for s in samples), (s.size for s in samples), table.flags, table.time_offsets, strict=True
    )
    rows = pack(f">{4 * len(samples)}I", *chain.from_iterable(columns))
    mfhd = full_box(b"mfhd", 0, 0, pack(">I", sequence))
    data_start = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + _TRUN_HEAD + len(rows) + 8
    trun = full_box(b"trun", 1, _TRUN_FLAGS, pack(">II", len(samples), data_start), rows)
    return box(b"moof", mfhd, box(b"traf", tfhd, tfdt, trun)) + box(b"mdat", data)
