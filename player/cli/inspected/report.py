"""What an inspection hands to the command: facts for `--json`, lines for a person, faults for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final, NamedTuple, cast

from player.ids import KeyId, SystemId
from player.isobmff.inspection import Fault

WIDTH: Final = 100  # columns
HEADING: Final = "bold"
FAULT: Final = "red"
PLAIN: Final = ""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """One line of the page; `style` is how a terminal shows it."""

    text: str
    style: str = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`facts` is a dataclass of plain values; its fields are the members of the JSON object."""

    kind: str  # "media", "mpd", "pssh", "license", "license-request", "keyids"
    facts: object
    page: Sequence[Line]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The facts of a document that could not be read."""


def heading(text: str) -> tuple[Line, Line]:
    return Line(""), Line(text, HEADING)


def escaped(text: str) -> str:
    """What a file says, with everything that could steer a terminal made visible."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def fitted(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def table(head: str, rows: Iterable[Sequence[str]], *, indent: str = "  ") -> Iterator[Line]:
    """Aligned columns; `head` names them, with a `>` before the name of those aligned to the right."""
    names = head.split()
    cells = [[name.strip(">").replace("_", " ") for name in names], *rows]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    for row in cells:
        aligned = (_aligned(cell, width, name) for cell, width, name in zip(row, widths, names, strict=False))
        yield Line(fitted((indent + "  ".join(aligned)).rstrip()))


def _aligned(cell: str, width: int, name: str) -> str:
    return cell.rjust(width) if name.startswith(">") else cell.ljust(width)


def fault_lines(faults: Sequence[Fault]) -> Iterator[Line]:
    """`code  place: reason (clause)`, each on as many lines as it needs."""
    yield from heading("faults" if faults else "faults: none")
    for fault in faults:
        place = escaped(fault.path) + ("" if fault.offset is None else f" @ {fault.offset}")
        clause = f" ({fault.clause})" if fault.clause else ""
        reason = f": {escaped(fault.reason)}" if fault.reason else ""
        yield from wrapped(f"{fault.code}  {place}{reason}{clause}", FAULT)


def wrapped(text: str, style: str = PLAIN, *, indent: str = "  ") -> Iterator[Line]:
    """Lines of at most WIDTH columns; those after the first are set in further."""
    room = WIDTH - len(indent) - 2
    start = indent
    while text:
        end = len(text) if len(text) <= room else (text.rfind(" ", 1, room + 1) + 1 or room)
        yield Line((start + text[:end]).rstrip(), style)
        text, start = text[end:], indent + "  "


def count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def instant(wall_us: int, to: str = "milliseconds") -> str:
    """µs since 1970 as a person writes it, cut to milliseconds or seconds."""
    try:
        return (_EPOCH + timedelta(microseconds=wall_us)).isoformat(timespec=to).replace("+00:00", "Z")
    except OverflowError:
        return f"{wall_us} µs since 1970"


def plain(value: object) -> object:
    """What JSON can hold: dataclasses and named tuples by their names, key ids as they are written, bytes as hex."""
    if isinstance(value, (KeyId, SystemId)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(member) for name, member in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in cast(Mapping[object, object], value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return value
