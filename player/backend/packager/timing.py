"""Which samples are sync samples, and how far composition is from decoding: what a packager keeps and no player asks.

From `tfhd` and `trun` of a fragmented file, from `stss` and `ctts` of another (ISO/IEC 14496-12, 8.8 and 8.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from player.isobmff.boxes import Box, Walk, full_header, require, require_table, top_level
from player.isobmff.fragment_boxes import read_tfhd, read_trun

_NON_SYNC: Final = 0x00010000  # sample_is_non_sync_sample (14496-12, 8.8.3.1)
_TREX_BYTES: Final = 24
_COUNT_AT: Final = 4  # behind version and flags
_ROW: Final = Struct(">II")  # of ctts: samples, offset


class Timing(NamedTuple):
    """`time_offset`: composition minus decode time, in ticks."""

    sync: bool
    time_offset: int


def of_fragments(walk: Walk, moov_children: Sequence[Box]) -> dict[int, list[Timing]]:
    """By track, in the order of the fragments. Raises: MediaError."""
    defaults = dict(_trex_flags(walk, moov_children))
    found: dict[int, list[Timing]] = {}
    for moof in top_level(walk.data):
        if moof.type == b"moof":
            for traf in walk.enter(moof):
                if traf.type == b"traf":
                    _read_traf(walk, traf, defaults, found)
    return found


def of_tables(walk: Walk, tables: Sequence[Box], count: int) -> list[Timing]:
    """Of the `count` samples of one track, from the boxes of its `stbl`. Raises: MediaError."""
    boxes = {box.type: box for box in reversed(tables)}
    sync = _sync_samples(walk.data, boxes[b"stss"]) if b"stss" in boxes else None
    offsets = _time_offsets(walk.data, boxes[b"ctts"], count) if b"ctts" in boxes else ()
    padded = islice(chain(offsets, repeat(0)), count)
    return [Timing(sync is None or number in sync, offset) for number, offset in enumerate(padded, 1)]


def _sync_samples(data: bytes, stss: Box) -> frozenset[int]:
    """Numbers from 1."""
    full_header(data, stss, 8)
    count = _u32(data, stss, _COUNT_AT)
    require_table(stss, stss.body + 8, count, 4)
    return frozenset(unpack_from(f">{count}I", data, stss.body + 8))


def _time_offsets(data: bytes, ctts: Box, count: int) -> Iterator[int]:
    """As many as the table has, at most `count`."""
    full_header(data, ctts, 8)
    rows = _u32(data, ctts, _COUNT_AT)
    start = ctts.body + 8
    require_table(ctts, start, rows, _ROW.size)
    for samples, offset in _ROW.iter_unpack(data[start : start + rows * _ROW.size]):
        yield from repeat(_signed(offset), min(samples, count))


def _read_traf(walk: Walk, traf: Box, defaults: Mapping[int, int], found: dict[int, list[Timing]]) -> None:
    boxes = walk.children(traf)
    header = next((box for box in boxes if box.type == b"tfhd"), None)
    if header is None:
        raise traf.fault("bad-box", "no tfhd", "14496-12, 8.8.7")
    tfhd = read_tfhd(walk.data, header)
    default = defaults.get(tfhd.track_id, 0) if tfhd.sample_flags is None else tfhd.sample_flags
    for box in boxes:
        if box.type == b"trun":
            found.setdefault(tfhd.track_id, []).extend(_read_run(walk.data, box, default))


def _read_run(data: bytes, box: Box, default: int) -> Iterator[Timing]:
    trun = read_trun(data, box)
    for i in range(trun.sample_count):
        flags = default if trun.sample_flags is None else trun.sample_flags[i]
        if i == 0 and trun.first_flags is not None:
            flags = trun.first_flags
        offset = 0 if trun.time_offsets is None else trun.time_offsets[i]
        yield Timing(not flags & _NON_SYNC, _signed(offset))


def _trex_flags(walk: Walk, moov_children: Sequence[Box]) -> Iterator[tuple[int, int]]:
    for mvex in moov_children:
        if mvex.type == b"mvex":
            for box in walk.children(mvex):
                if box.type == b"trex":
                    require(box, _TREX_BYTES)
                    yield _u32(walk.data, box, 4), _u32(walk.data, box, 20)


def _signed(offset: int) -> int:
    """In version 0 too: writers put negative ones there, and no real one is above 2**31 (14496-12, 8.6.1.3)."""
    return offset - 2**32 if offset >= 2**31 else offset


def _u32(data: bytes, box: Box, at: int) -> int:
    return int.from_bytes(data[box.body + at : box.body + at + 4], "big")
