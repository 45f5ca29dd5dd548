"""Init segments, media segments and whole files: the box tree, and what their samples say of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from player.cli.inspected.pssh import InspectedPssh, inspect_boxes, pssh_lines
from player.cli.inspected.report import FAULT as FAULT_STYLE
from player.cli.inspected.report import HEADING, PLAIN, Line, Report, escaped, fault_lines, fitted, heading, table
from player.cli.inspected.systems import name_of
from player.errors import MediaError, UsageError
from player.ids import SystemId
from player.isobmff.dump import DumpedBox, walk
from player.isobmff.dump_fields import Field
from player.isobmff.init import parse_init
from player.isobmff.inspection import (
    CLAUSES,
    CryptoPeriod,
    Fault,
    FragmentKeys,
    Inspection,
    pssh_boxes,
)
from player.isobmff.inspection import inspect as inspect_samples
from player.isobmff.model import InitSegment, SampleEntry, Track
from player.isobmff.sample import Protection

_DRAWN_ALIKE: Final = 3  # leaf boxes of one type in a row; further ones are counted
_DRAWN_BOXES: Final = 400  # further ones are drawn only where something is wrong; --json has them all
_DRAWN_FRAGMENTS: Final = 50
_BAD_SIZES: Final = frozenset({"bad-box", "limit", "truncated"})
_UNSAID: Final[Mapping[str, frozenset[str]]] = {
    "pssh": frozenset({"version", "data_bytes", "key_ids"}),  # told below the tree
    "tenc": frozenset({"version", "is_protected"}),
}
_SHORT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("brands", "format", "grouping_type", "handler_type", "kid", "scheme", "scheme_id_uri"), ""),
    "system_id": "",
    "default_sample_duration": "duration",
    "default_sample_size": "size",
    "iv_size": "IV",
    "constant_iv": "constant IV",
    "sample_description_index": "entry",
    "sequence_number": "number",
    "track_id": "track",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """`all_boxes` False: the file has more than the walk goes through; its samples are read all the same."""

    boxes: tuple[DumpedBox, ...]
    all_boxes: bool
    tracks: tuple[Track, ...]
    fragments: tuple[FragmentKeys, ...]
    crypto_periods: tuple[CryptoPeriod, ...]
    pssh: tuple[InspectedPssh, ...]


def inspect(data: bytes, init: bytes | None = None) -> Report:
    """`init`: the init segment that explains a media segment.

    Raises: UsageError where not one box can be read, of either.
    """
    boxes, drawn_to_the_end = _walked(data)
    if not any(box.type and box.fault is None for box in boxes):
        raise _unreadable(data, boxes)
    inspected = inspect_samples(data, None if init is None else _init(init))
    own_pssh = inspect_boxes(pssh_boxes(data))
    faults = tuple(_once(boxes, inspected.faults, [fault for box in own_pssh for fault in box.faults]))
    facts = MediaFacts(
        boxes=boxes,
        all_boxes=drawn_to_the_end,
        tracks=inspected.tracks,
        fragments=inspected.fragments,
        crypto_periods=inspected.crypto_periods,
        pssh=own_pssh,
    )
    return Report(kind="media", facts=facts, page=(*_page(facts, inspected), *fault_lines(faults)), faults=faults)


def _walked(data: bytes) -> tuple[tuple[DumpedBox, ...], bool]:
    """The boxes, and whether they are all: a long file has more than the walk's limit, which is no fault of its."""
    boxes = tuple(walk(data))
    cut = bool(boxes) and not boxes[-1].type and (boxes[-1].fault or "").startswith("limit: ")
    return (boxes[:-1], False) if cut else (boxes, True)


def _init(data: bytes) -> InitSegment:
    """Raises: UsageError."""
    try:
        return parse_init(data)
    except MediaError as error:
        raise UsageError(f"--init: {error}", code=error.code) from None


def _unreadable(data: bytes, boxes: Sequence[DumpedBox]) -> UsageError:
    if not data:
        return UsageError("nothing at all", code="no-init")
    code, _, reason = (boxes[0].fault or "").partition(": ")
    return UsageError(f"no MPD, no JSON, no pssh, and as media: {boxes[0].path} @ 0: {reason}", code=code)


def _faulty(boxes: Iterable[DumpedBox]) -> Iterator[DumpedBox]:
    return (box for box in boxes if box.fault is not None)


def _of_dump(box: DumpedBox) -> Fault:
    code, _, reason = (box.fault or "").partition(": ")
    return Fault(code=code, path=box.path, offset=box.offset, reason=reason, clause=CLAUSES.get(code, ""))


def _once(boxes: Sequence[DumpedBox], read: Iterable[Fault], of_pssh: Iterable[Fault]) -> Iterator[Fault]:
    """In the order of the bytes, each place once, with the number of its moof in the path.

    What the readers say of a place goes before what the walk does; what the walk meets inside a box whose size is wrong
    follows from that.
    """
    paths = {box.offset: box.path for box in boxes if box.type}
    told: dict[tuple[str, int | None], Fault] = {}
    for fault in [*read, *of_pssh]:
        path = fault.path if fault.offset is None else paths.get(fault.offset, fault.path)
        told.setdefault((fault.code, fault.offset), replace(fault, path=path))
    for fault in map(_of_dump, _faulty(boxes)):
        if not any(_follows(fault, other) for other in told.values()):
            told[fault.code, fault.offset] = fault
    yield from sorted(told.values(), key=lambda fault: -1 if fault.offset is None else fault.offset)


def _follows(fault: Fault, other: Fault) -> bool:
    inside = fault.path == other.path or fault.path.startswith(f"{other.path}/")
    return fault.offset == other.offset or (inside and other.code in _BAD_SIZES)


def _page(facts: MediaFacts, inspected: Inspection) -> Iterator[Line]:
    yield Line("")
    yield from _tree(facts.boxes)
    if not facts.all_boxes:
        yield Line(f"  … and more: only the first {len(facts.boxes):,} boxes are gone through")
    if facts.tracks:
        yield from heading("tracks")
        for track in facts.tracks:
            yield from _track_lines(track)
    if facts.fragments:
        yield from heading("fragments")
        yield from _fragment_lines(facts.fragments)
        yield from heading("crypto periods")
        yield from _period_lines(inspected)
    elif any(box.type == "moof" for box in facts.boxes) and not facts.tracks:
        yield from heading("samples")
        yield Line("  not read: they need the init segment of this stream (--init FILE)")
    if facts.pssh:
        yield from pssh_lines(facts.pssh)


def _tree(boxes: Sequence[DumpedBox]) -> Iterator[Line]:
    """Offsets and sizes on the left, the tree with its fields on the right."""
    width = max((len(f"{max(box.offset, box.size):,}") for box in boxes), default=0)
    width = max(width, len("offset"))
    yield Line(f"  {'offset':>{width}}  {'size':>{width}}  box", HEADING)
    left = " " * (2 * width + 6)
    left_out = 0
    for number, (rails, box, more) in enumerate(_drawn(boxes)):
        if number >= _DRAWN_BOXES and box.fault is None:
            left_out += max(1, more)
        elif more:
            yield Line(f"{left}{rails}… {more:,} more {escaped(box.type)}")
        else:
            numbers = f"  {box.offset:>{width},}  {box.size:>{width},}  " if box.type else left
            said = f"{numbers}{rails}{escaped(box.type) or '?'}  {_said(box)}".rstrip()
            yield Line(fitted(said), FAULT_STYLE if box.fault else PLAIN)
            if box.fault:
                yield Line(fitted(f"{left}{_below(rails)}! {escaped(box.fault)}"), FAULT_STYLE)
    if left_out:
        yield Line(f"{left}… {left_out:,} more, drawn with --json")


def _drawn(boxes: Sequence[DumpedBox]) -> Iterator[tuple[str, DumpedBox, int]]:
    """Rails, box, and how many like it stand for it; the rails know which boxes come after on each level."""
    rows = list(_rows(boxes))
    last = _last_of_parent([box.depth for box, _ in rows])
    open_levels: list[bool] = []  # by depth: whether the box there has a later sibling
    for (box, more), is_last in zip(rows, last, strict=True):
        del open_levels[box.depth :]
        rails = "".join("│  " if is_open else "   " for is_open in open_levels) + ("└─ " if is_last else "├─ ")
        open_levels.append(not is_last)
        yield rails, box, more


def _rows(boxes: Sequence[DumpedBox]) -> Iterator[tuple[DumpedBox, int]]:
    """All boxes, but of many leaves alike in a row only the first ones and their number."""
    depths = [box.depth for box in boxes[1:]] + [0]
    leaves = [(box, after <= box.depth and box.fault is None) for box, after in zip(boxes, depths, strict=True)]
    for (_, _, is_leaf), group in groupby(leaves, lambda it: (it[0].depth, it[0].type, it[1])):
        alike = [box for box, _ in group]
        drawn = _DRAWN_ALIKE if is_leaf and len(alike) > _DRAWN_ALIKE + 1 else len(alike)
        yield from ((box, 0) for box in alike[:drawn])
        if drawn < len(alike):
            yield alike[-1], len(alike) - drawn


def _last_of_parent(depths: Sequence[int]) -> list[bool]:
    """For each row whether no later one stands on its level under the same parent."""
    last: list[bool] = []
    met: set[int] = set()  # levels that have a row further down under the parents still open
    for depth in reversed(depths):
        met = {level for level in met if level <= depth}
        last.append(depth not in met)
        met.add(depth)
    return last[::-1]


def _below(rails: str) -> str:
    return rails.replace("├─", "│ ").replace("└─", "  ")


def _said(box: DumpedBox) -> str:
    """The fields in few words: on a board nobody writes `sample_description_index`."""
    unsaid = _UNSAID.get(box.type, frozenset())
    words = (_word(name, value) for name, value in box.fields.items() if name not in unsaid)
    return ", ".join(word for word in words if word)


def _word(name: str, value: Field) -> str:
    short = _SHORT.get(name, escaped(name).replace("_", " "))
    if value is True or value is False:
        return short if value else ""
    return f"{short} {_value(name, value)}".strip()


def _value(name: str, value: Field) -> str:
    match value:
        case int():
            return f"{value:,}"
        case str():
            return name_of(SystemId.parse(value)) if name == "system_id" else escaped(value)
        case tuple():
            return " ".join(_value(name, each) for each in value)
        case _:
            return "(" + ", ".join(_word(inner, each) for inner, each in value.items()) + ")"


def _track_lines(track: Track) -> Iterator[Line]:
    yield Line(f"  {track.id}  {track.kind}, {track.timescale:,} ticks a second")
    for number, entry in enumerate(track.entries, 1):
        yield Line(fitted(f"     entry {number}  {escaped(entry.fourcc)}, {_entry(entry)}"))
    for number, group in enumerate(track.groups, 1):
        told = "clear" if group is None else f"KID {group.kid}, {_iv(group)}"
        yield Line(fitted(f"     group {number}  {told}"))


def _entry(entry: SampleEntry) -> str:
    if entry.protection is None:
        return "clear"
    kid = "no default KID: the groups name it" if entry.protection.kid.is_zero else f"KID {entry.protection.kid}"
    return f"{entry.protection.scheme}, {kid}, {_iv(entry.protection)}, {_pattern(entry.protection)}"


def _iv(protection: Protection) -> str:
    if protection.iv_size:
        return f"IV {protection.iv_size} bytes"
    return f"constant IV {len(protection.constant_iv)} bytes"


def _pattern(protection: Protection) -> str:
    return f"pattern {protection.crypt}:{protection.skip}" if protection.crypt else "no pattern"


def _fragment_lines(fragments: Sequence[FragmentKeys]) -> Iterator[Line]:
    rows = [
        (
            f"{each.at:,}",
            str(each.track_id),
            _s(each.start, each.timescale),
            _s(each.end, each.timescale),
            f"{each.samples:,}",
            f"{each.subsamples:,}",
            f"{each.clear_bytes:,}",
            f"{each.protected_bytes:,}",
        )
        for each in fragments[:_DRAWN_FRAGMENTS]
    ]
    yield from table(">at >track >from_s >to_s >samples >subsamples >clear_bytes >protected_bytes", rows)
    if len(fragments) > _DRAWN_FRAGMENTS:
        yield Line(f"  … {len(fragments) - _DRAWN_FRAGMENTS:,} more")


def _period_lines(inspected: Inspection) -> Iterator[Line]:
    rows = [
        (
            str(each.track_id),
            str(each.first) if each.first == each.last else f"{each.first}–{each.last}",
            _s(each.start, each.timescale),
            _s(each.end, each.timescale),
            "clear" if each.kid is None else str(each.kid),
            _how(each, inspected),
            *_iv_and_pattern(each.protection),
        )
        for each in inspected.crypto_periods
    ]
    yield from table(">track fragments >from_s >to_s KID by IV pattern", rows)


def _iv_and_pattern(protection: Protection | None) -> tuple[str, str]:
    if protection is None:
        return "", ""
    iv = str(protection.iv_size) if protection.iv_size else f"const {len(protection.constant_iv)}"
    return iv, f"{protection.crypt}:{protection.skip}" if protection.crypt else "none"


def _how(period: CryptoPeriod, inspected: Inspection) -> str:
    """Where the KID stands: in the sample entry (`tenc`) or in a sample group (`seig`)."""
    entries = [entry.protection for track in inspected.tracks if track.id == period.track_id for entry in track.entries]
    if period.kid is None:
        return ""
    return "tenc" if any(entry is not None and entry.kid == period.kid for entry in entries) else "seig"


def _s(ticks: int, timescale: int) -> str:
    return f"{ticks / timescale:,.3f}" if ticks < 1 << 60 else f"{ticks} ticks"
