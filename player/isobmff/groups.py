"""Sample groups of type `seig`: which samples another protection than that of `tenc` applies to.

`sgpd` describes the groups (ISO/IEC 14496-12, 8.9.3; 23001-7, 6), `sbgp` maps runs of samples to them (8.9.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from player.isobmff.boxes import Box, Walk, full_header, require, require_table
from player.isobmff.sample import Protection, Scheme
from player.isobmff.samples import Applied
from player.isobmff.tenc import RECORD_BYTES, read_record

SEIG: Final = b"seig"
FRAGMENT_LOCAL: Final = 0x10000  # indices above it count in the sgpd of the same traf (14496-12, 8.9.4)
_RUN: Final = Struct(">II")
_U32: Final = Struct(">I")
_GROUPING_TYPE_AT: Final = 4  # bytes into the payload of sgpd and sbgp alike

Groups = tuple[Protection | None, ...]
"""Descriptions in order; None: a group of unprotected samples."""


def is_seig(walk: Walk, box: Box) -> bool:
    """Whether an `sgpd` or `sbgp` is of this grouping type: others, such as `roll`, are normal beside it."""
    require(box, _GROUPING_TYPE_AT + 4)
    return walk.data[box.body + _GROUPING_TYPE_AT : box.body + _GROUPING_TYPE_AT + 4] == SEIG


def read_sgpd(walk: Walk, box: Box, scheme: Scheme) -> Groups:
    """The group descriptions of a `seig` sgpd.

    Raises: MediaError `bad-table` for a count or length that does not fit, `bad-protection` as for `tenc`.
    """
    data = walk.data
    version, _ = full_header(data, box, 8)
    position = box.body + 8
    length = 0
    if version > 0:
        length, position = _u32(data, box, position)
    if version > 1:  # default_group_description_index: a default other than tenc is not followed
        walk.warn("unknown-version", box, f"version {version} read as 1")
        position += _U32.size
    count, position = _u32(data, box, position)
    require_table(box, position, count, length or RECORD_BYTES)
    if version == 0 and count:  # deprecated: no lengths at all
        length = (box.end - position) // count
    found: list[Protection | None] = []
    for _ in range(count):
        size = length
        if not size:
            size, position = _u32(data, box, position)
        require_table(box, position, 1, size)
        found.append(read_record(data, box, position, position + size, scheme))
        position += size
    return tuple(found)


def read_sbgp(walk: Walk, box: Box, sample_count: int) -> list[tuple[int, int]]:
    """Runs of (samples, group index) of a `seig` sbgp, cut at the last sample.

    Raises: MediaError `bad-table` for a count that does not fit.
    """
    version, _ = full_header(walk.data, box, 12)
    start = box.body + (12 if version == 1 else 8)  # version 1 has a grouping_type_parameter
    count, start = _u32(walk.data, box, start)
    require_table(box, start, count, _RUN.size)
    runs: list[tuple[int, int]] = []
    left = sample_count
    for size, index in _RUN.iter_unpack(walk.data[start : start + count * _RUN.size]):
        if size > left:
            walk.warn("group-overrun", box, f"{size} samples where {left} are left")
        if not left:
            break
        runs.append((min(size, left), index))
        left -= min(size, left)
    return runs


def protections(
    box: Box, runs: Sequence[tuple[int, int]], default: Protection | None, in_track: Groups, in_traf: Groups, count: int
) -> list[Applied]:
    """What applies to `count` samples, run by run: the entry of a group, or the default of `tenc` for index 0.

    Raises: MediaError `bad-reference` for an index that names no description.
    """
    found = [(size, _group(box, index, in_track, in_traf) if index else default) for size, index in runs]
    rest = count - sum(size for size, _ in runs)
    return [*found, (rest, default)] if rest else found


def _group(box: Box, index: int, in_track: Groups, in_traf: Groups) -> Protection | None:
    groups, number = (in_traf, index - FRAGMENT_LOCAL) if index > FRAGMENT_LOCAL else (in_track, index)
    if not 1 <= number <= len(groups):
        raise box.fault("bad-reference", f"group index {index:#x}, {len(groups)} descriptions there", "14496-12, 8.9.4")
    return groups[number - 1]


def _u32(data: bytes, box: Box, position: int) -> tuple[int, int]:
    """The number at `position`, and the position behind it."""
    require_table(box, position, 1, _U32.size)
    return _U32.unpack_from(data, position)[0], position + _U32.size
