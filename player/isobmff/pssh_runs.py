"""Init data of a `moov` or `moof`: its `pssh` boxes, one value per run of adjacent ones ("cenc" Initialization Data).

A packager may put them behind the `traf`, so the whole parent is looked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from player.isobmff import pssh
from player.isobmff.boxes import Box, Walk


def init_data_of(walk: Walk, children: Sequence[Box]) -> tuple[bytes, ...]:
    """A box that cannot be read costs itself: a warning `bad-pssh`, and it is in no value."""
    runs = (run for is_pssh, run in groupby(children, lambda box: box.type == b"pssh") if is_pssh)
    values = (b"".join(walk.data[box.start : box.end] for box in run if _is_sound(walk, box)) for run in runs)
    return tuple(value for value in values if value)


def _is_sound(walk: Walk, box: Box) -> bool:
    try:
        pssh.read(walk.data[box.start : box.end])
    except ValueError as fault:
        walk.warn("bad-pssh", box, str(fault))
        return False
    return True
