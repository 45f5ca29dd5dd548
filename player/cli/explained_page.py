"""What `keystorm trace explain` prints: one JSON object, or two tables for a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from player.cli.explained import Explained, Key, Request, Told
from player.cli.inspected.report import count, escaped, plain
from player.ids import KeyId
from player.trace.encode import Header

FORMAT: Final = 1
_NOTHING: Final = "-"
_KIDS_SHOWN: Final = 2
_KID_WIDTH: Final = 36  # a UUID on one line
_ROOMY: Final = 140  # columns; a narrower terminal folds key ids, so that no column is lost
_KID_COLUMNS: Final = ("key", "keys")


class Table(NamedTuple):
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def document(found: Explained, header: Header, name: str) -> object:
    told = plain(found)
    assert isinstance(told, dict)  # noqa: S101 (it is a dataclass)
    trace = {field: getattr(header, field) for field in header.__struct_fields__}
    return {"format": FORMAT, "source": name, "trace": trace, **told}


def show(found: Explained, header: Header, name: str) -> None:
    """Write the page to stdout: with rich on a terminal, as aligned text elsewhere."""
    title, tables = _title(found, header, name), (_requests(found), _keys(found))
    if sys.stdout.isatty():
        _draw(title, tables)
        return
    lines = (title, *(line for table in tables for line in _aligned(table)))
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))


def _title(found: Explained, header: Header, name: str) -> str:
    chance = "chance from the system" if header.seed is None else f"seed {header.seed}"
    scenario = "" if header.scenario is None else f", scenario {header.scenario}"
    counts = f"{count(found.clients, 'client')}, {count(found.usable, 'key')} usable at the end"
    return escaped(f"{name}: keystorm {header.version}{scenario}, {chance}, {header.clock} clock: {counts}")


def _requests(found: Explained) -> Table:
    head = ("line", "at s", "client", "session", "attempt", "cause", "init data", "rule", "keys", "answer")
    return _table("license requests", head, [_request(each) for each in found.requests])


def _request(request: Request) -> tuple[str, ...]:
    return (
        str(request.line),
        f"{request.at_s:.3f}",
        request.who,
        str(request.session),
        str(request.attempt),
        _cause(request),
        request.init_data or _NOTHING,
        request.rule or _NOTHING,
        _kids(request.kids),
        request.outcome or "none in the trace",
    )


def _cause(request: Request) -> str:
    of = "" if request.origin is request.cause else f" of {request.origin.value}"
    after = "" if request.after is None else f" after {request.after}"
    return f"{request.cause.value}{of}{after}"


def _keys(found: Explained) -> Table:
    head = ("key", "client", "status", "rule", "since s", "line", "asked", "because of")
    return _table("keys that are not usable", head, [_key(each) for each in found.keys])


def _key(key: Key) -> tuple[str, ...]:
    since = f"{key.at_s:.3f}"
    return (str(key.kid), key.who, key.status, key.rule, since, str(key.line), str(key.requests), _because(key.event))


def _because(told: Told | None) -> str:
    if told is None:
        return _NOTHING
    return f"{told.name} in line {told.line}" + (f": {told.says}" if told.says else "")


def _kids(kids: tuple[KeyId, ...]) -> str:
    more = f" and {len(kids) - _KIDS_SHOWN} more" if len(kids) > _KIDS_SHOWN else ""
    return ", ".join(map(str, kids[:_KIDS_SHOWN])) + more or _NOTHING


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    """Whatever a cell repeats of the file cannot steer a terminal."""
    safe = tuple(tuple(map(escaped, row)) for row in rows)
    return Table(f"{title}: {len(rows):,}" if rows else f"{title}: none", head, safe)


# ── two ways to draw it ──────────────────────────────────────────────────────────────────────────────────────────────


def _aligned(table: Table) -> Iterator[str]:
    """Nothing is cut: who reads it from a file may search it for a key id."""
    yield ""
    yield table.title
    if table.rows:
        cells = (table.head, *table.rows)
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            columns = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield ("  " + "  ".join(columns)).rstrip()


def _draw(title: str, tables: Sequence[Table]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title))
    for table in tables:
        console.print(Text(f"\n{table.title}", "bold"))
        if table.rows:
            drawn = Drawn(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
            for name in table.head:
                whole = name in _KID_COLUMNS and console.width >= _ROOMY
                drawn.add_column(name, overflow="fold", min_width=_KID_WIDTH if whole else None)
            for row in table.rows:
                drawn.add_row(*map(Text, row))
            console.print(drawn)
