"""The box tree as it lies in the bytes, for `inspect`: every box with place, size and what its fields say.

It refuses to judge: a fault is data on the box it was met in, and the walk goes on behind that box where it can.
Unlike the readers it descends by type alone, so it keeps limits of its own on depth and on boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from player.errors import MediaError
from player.isobmff.boxes import MAX_BOXES, Box, header_at
from player.isobmff.dump_fields import Field, read_fields
from player.isobmff.sample_entries import fields_before_boxes

MAX_DEPTH: Final = 16
_NO_FIELDS: Final[Mapping[str, Field]] = MappingProxyType({})
_CONTAINERS: Final[Mapping[bytes, int]] = {  # bytes of its own before the children
    **dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta", b"mvex"), 0),
    **dict.fromkeys((b"moof", b"traf", b"mfra", b"sinf", b"schi", b"tref"), 0),
    **dict.fromkeys((b"stsd", b"dref"), 8),
    b"meta": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpedBox:
    """One box. `fields`: what a person wants to know of it, plain values; `fault`: `code: reason`, None where sound.

    `path` is as in a MediaError (`moof/traf[1]/senc`); a fault between boxes stands on a box of size 0 and type "".
    """

    path: str
    type: str
    offset: int  # of the header, in the resource
    size: int  # bytes with the header, as declared
    depth: int  # 0: top level
    fields: Mapping[str, Field]
    fault: str | None


def walk(data: bytes) -> Iterator[DumpedBox]:
    """Every box, parents before children, in the order of the bytes. Raises nothing for any bytes.

    Ends with a fault `limit` behind MAX_BOXES boxes; children deeper than MAX_DEPTH are a fault on their parent.
    """
    for number, box in enumerate(_level(data, 0, len(data), None, 0)):
        if number == MAX_BOXES:
            yield _between(box.path, box.offset, box.depth, f"limit: more than {MAX_BOXES} boxes")
            return
        yield box


def _level(data: bytes, start: int, end: int, parent: Box | None, depth: int) -> Iterator[DumpedBox]:
    counts: dict[bytes, int] = {}
    position = start
    while position < end:
        try:
            kind, body, box_end = header_at(data, position, end, parent)
        except MediaError as fault:
            yield _between(fault.path, position, depth, f"{fault.code}: {fault.reason}")
            return
        box = Box(kind, position, body, box_end, parent, counts.get(kind, 0))
        counts[kind] = box.number + 1
        yield from _box(data, box, end, depth)
        position = box_end


def _box(data: bytes, box: Box, end: int, depth: int) -> Iterator[DumpedBox]:
    fields, fault = _NO_FIELDS, None
    inner_end = min(box.end, end)
    start = _children_start(data, box._replace(end=inner_end))
    is_too_deep = start < inner_end and depth + 1 == MAX_DEPTH
    if box.end > end:
        fault = f"{'bad-box' if box.parent else 'truncated'}: {box.end - end} bytes beyond what holds it"
    elif is_too_deep:
        fault = f"limit: deeper than {MAX_DEPTH} boxes"
    else:
        try:
            fields = read_fields(data, box)
        except MediaError as error:
            fault = f"{error.code}: {error.reason}"
    yield DumpedBox(
        path=box.path,
        type=box.name,
        offset=box.start,
        size=box.end - box.start,
        depth=depth,
        fields=fields,
        fault=fault,
    )
    if start < inner_end and not is_too_deep:
        yield from _level(data, start, inner_end, box, depth + 1)


def _children_start(data: bytes, box: Box) -> int:
    """The end of the box where nobody knows of boxes in it."""
    in_stsd = box.parent is not None and box.parent.type == b"stsd"
    own = fields_before_boxes(data, box) if in_stsd else _CONTAINERS.get(box.type)
    return box.end if own is None else box.body + own


def _between(path: str, offset: int, depth: int, fault: str) -> DumpedBox:
    return DumpedBox(path=path, type="", offset=offset, size=0, depth=depth, fields=_NO_FIELDS, fault=fault)
