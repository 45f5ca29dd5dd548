"""`pssh` boxes in both readings, ours and pymp4's; the wrapped keys of our own hierarchy are named, never opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from player.cli.inspected.report import Line, Report, count, escaped, fault_lines, fitted, heading, instant, wrapped
from player.cli.inspected.systems import name_of
from player.errors import LicenseError
from player.ids import HIERARCHY_SYSTEM, KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.inspection import CLAUSES, Fault, PlacedBox
from player.isobmff.pymp4_adapter import read_pssh
from player.wire import blob

_BAD: Final = "bad-pssh"
_SHOWN_HEX: Final = 32  # bytes of a foreign system's Data on the page
_MAX_BOXES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reader says of a box."""

    version: int
    system_id: SystemId
    system: str
    key_ids: tuple[KeyId, ...]
    data_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """`end_ms` 0: open. The key itself is not told, wrapped or not."""

    kid: KeyId
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    root_kid: KeyId
    keys: tuple[WrappedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPssh:
    """`reading` and `pymp4` are None where that reader refuses; `differs` says how they disagree, "" if they do not."""

    path: str
    offset: int
    size: int
    reading: Reading | None
    pymp4: Reading | None
    differs: str
    data: str  # hex, of systems whose Data is not ours to read
    blob: Blob | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PsshFacts:
    pssh: tuple[InspectedPssh, ...]


def inspect(data: bytes) -> Report:
    """One or more concatenated boxes."""
    boxes = inspect_boxes(_split(data))
    faults = tuple(fault for box in boxes for fault in box.faults)
    return Report(
        kind="pssh",
        facts=PsshFacts(pssh=boxes),
        page=(*pssh_lines(boxes), *fault_lines(faults)),
        faults=faults,
    )


def inspect_boxes(boxes: Iterable[PlacedBox]) -> tuple[InspectedPssh, ...]:
    """Every segment repeats its boxes: each different one is read once."""
    read: dict[bytes, InspectedPssh] = {}
    found: list[InspectedPssh] = []
    for placed in boxes:
        if placed.data not in read:
            read[placed.data] = inspect_box(placed)
        faults = tuple(replace(fault, path=placed.path, offset=placed.offset) for fault in read[placed.data].faults)
        found.append(replace(read[placed.data], path=placed.path, offset=placed.offset, faults=faults))
    return tuple(found)


def inspect_box(placed: PlacedBox) -> InspectedPssh:
    faults: list[Fault] = []
    ours = theirs = None
    try:
        ours = pssh.read(placed.data)[0]
    except ValueError as error:
        faults.append(_fault(placed, str(error)))
    try:
        theirs, refusal = read_pssh(placed.data), ""
    except ValueError as error:
        refusal = str(error)
    wrapped_keys = None
    if ours is not None and ours.system_id == HIERARCHY_SYSTEM and ours.data:
        try:
            wrapped_keys = _blob(ours)
        except LicenseError as error:
            faults.append(Fault(code=error.code, path=placed.path, offset=placed.offset, reason=str(error), clause=""))
    return InspectedPssh(
        path=placed.path,
        offset=placed.offset,
        size=len(placed.data),
        reading=None if ours is None else _reading(ours),
        pymp4=None if theirs is None else _reading(theirs),
        differs=_difference(ours, theirs, refusal),
        data=ours.data.hex() if ours is not None and ours.system_id != HIERARCHY_SYSTEM else "",
        blob=wrapped_keys,
        faults=tuple(faults),
    )


def pssh_lines(boxes: Iterable[InspectedPssh]) -> Iterator[Line]:
    """Boxes of the same bytes are shown once, at their first place."""
    yield from heading("pssh")
    places: dict[InspectedPssh, list[InspectedPssh]] = {}
    for box in boxes:
        places.setdefault(replace(box, path="", offset=0, faults=()), []).append(box)
    for alike in places.values():
        yield from _box_lines(alike[0], len(alike) - 1)


def _split(data: bytes) -> Iterator[PlacedBox]:
    """Box by box, so that a broken one hides no other; one whose size means nothing goes to the end."""
    position = 0
    for number in range(_MAX_BOXES):
        if position >= len(data):
            return
        size = int.from_bytes(data[position : position + 4], "big")
        if not 8 <= size <= len(data) - position or number == _MAX_BOXES - 1:
            size = len(data) - position
        name = f"pssh[{number}]" if number else "pssh"
        yield PlacedBox(name, position, data[position : position + size])
        position += size


def _fault(placed: PlacedBox, reason: str) -> Fault:
    return Fault(code=_BAD, path=placed.path, offset=placed.offset, reason=reason, clause=CLAUSES[_BAD])


def _reading(box: pssh.Pssh) -> Reading:
    return Reading(
        version=box.version,
        system_id=box.system_id,
        system=name_of(box.system_id),
        key_ids=box.key_ids,
        data_bytes=len(box.data),
    )


def _blob(box: pssh.Pssh) -> Blob:
    """Raises: LicenseError; `kid-mismatch` where box and blob name different keys."""
    found = blob.read(box.data)
    kids = tuple(entry.kid for entry in found.entries)
    if kids != box.key_ids:
        raise LicenseError("kid-mismatch", "the box lists other KIDs than its wrapped-key blob")
    keys = tuple(WrappedKey(kid=each.kid, start_ms=each.start_ms, end_ms=each.end_ms) for each in found.entries)
    return Blob(root_kid=found.root_kid, keys=keys)


def _difference(ours: pssh.Pssh | None, theirs: pssh.Pssh | None, refusal: str) -> str:
    if ours is None:
        return "" if theirs is None else "pymp4 reads what is refused here"
    if theirs is None:
        return f"pymp4 refuses it: {refusal}"
    names = [
        name for name in ("version", "system_id", "key_ids", "data") if getattr(ours, name) != getattr(theirs, name)
    ]
    return f"pymp4 reads another {', '.join(names)}" if names else ""


def _box_lines(box: InspectedPssh, repeated: int) -> Iterator[Line]:
    again = f", and {count(repeated, 'time')} more" if repeated else ""
    place = f"{escaped(box.path)} @ {box.offset}{again}, {count(box.size, 'byte')}"
    theirs = "" if box.differs else "; pymp4 " + ("reads the same" if box.reading else "refuses it as well")
    if box.reading is None:
        yield Line(fitted(f"  {place}: cannot be read{theirs}"))
    else:
        yield Line(fitted(f"  {place}: {box.reading.system}, version {box.reading.version}{theirs}"))
        yield from _reading_lines(box, box.reading)
    if box.differs:
        yield from wrapped(escaped(box.differs), indent="    ")


def _reading_lines(box: InspectedPssh, reading: Reading) -> Iterator[Line]:
    yield Line(f"    SystemID  {reading.system_id}")
    if box.blob is None:
        yield from (Line(f"    KID       {kid}") for kid in reading.key_ids)
        if box.data:
            shown = box.data[: 2 * _SHOWN_HEX] + ("…" if len(box.data) > 2 * _SHOWN_HEX else "")
            yield Line(f"    Data      {count(reading.data_bytes, 'byte')}: {shown}")
        return
    yield Line(f"    root KID  {box.blob.root_kid}  wraps {count(len(box.blob.keys), 'key')}")
    for key in box.blob.keys:
        yield Line(f"    KID       {key.kid}  {window(key.start_ms or None, key.end_ms or None)}")


def window(start_ms: int | None, end_ms: int | None) -> str:
    """A validity in ms since the epoch; None: no bound."""
    start = "at once" if start_ms is None else f"from {instant(start_ms * 1000)}"
    return start if end_ms is None else f"{start} to {instant(end_ms * 1000)}"
