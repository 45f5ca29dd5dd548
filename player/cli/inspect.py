"""`keystorm inspect`: what is in a file, a URL or a `pssh`, as an engineer would draw it, with its keys and its faults.

Exit code: 0 where it was read and nothing is wrong with it, 1 where faults are shown, 2 where nothing can be read.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Final

from player.cli.inspected import licenses, manifest, media, pssh
from player.cli.inspected.report import HEADING, Line, Report, count, escaped, fitted, plain
from player.cli.inspected.source import Source, load, written_pssh
from player.cli.main import DONE, FAILED, WRONG_USAGE, complain
from player.errors import NetworkError
from player.isobmff.inspection import is_pssh

FORMAT: Final = 1
_LINES_IN_ASCII: Final = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "…": "~", "–": "-", "×": "x", "µ": "u"})
_XML: Final = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<")
_BLANKS: Final = b" \t\r\n"
_LOOKED_AT: Final = 1 << 20  # bytes of a text; a longer one is no pssh


def arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "input", metavar="FILE|URL|PSSH", help="media, an MPD, a license or license request, or a pssh in hex or base64"
    )
    add("--init", metavar="FILE|URL", help="the init segment that explains a media segment")
    add("--json", action="store_true", help="print all of it as one JSON object")


def run(options: Namespace) -> int:
    try:
        source = load(options.input)
        init = None if options.init is None else load(options.init).data
    except NetworkError as error:
        return complain(error.code, str(error), WRONG_USAGE)
    report = inspect(source, init)
    if options.json:
        print(json.dumps(_document(source, report)))
    else:
        _show(_lines(source, report))
    return FAILED if report.faults else DONE


def inspect(source: Source, init: bytes | None = None) -> Report:
    """Raises: UsageError for what nobody here can read."""
    start = source.data[:64].lstrip(_BLANKS)
    if start.startswith(_XML):
        return manifest.inspect(source.data, source.name)
    if start.startswith(b"{"):
        return licenses.inspect(source.data)
    written = written_pssh(source.data) if len(source.data) <= _LOOKED_AT else None
    if written is not None or is_pssh(source.data):
        return pssh.inspect(source.data if written is None else written)
    return media.inspect(source.data, init)


def page(source: Source, init: bytes | None = None) -> tuple[str, ...]:
    """What the command prints, line by line."""
    return tuple(line.text for line in _lines(source, inspect(source, init)))


def _lines(source: Source, report: Report) -> tuple[Line, ...]:
    return _title(source, report), *report.page


def _title(source: Source, report: Report) -> Line:
    faults = f", {count(len(report.faults), 'fault')}" if report.faults else ""
    return Line(fitted(f"{escaped(source.name)}: {report.kind}, {count(len(source.data), 'byte')}{faults}"), HEADING)


def _document(source: Source, report: Report) -> object:
    facts = plain(report.facts)
    assert isinstance(facts, dict)  # noqa: S101 (facts are a dataclass)
    head = {"format": FORMAT, "source": source.name, "kind": report.kind, "bytes": len(source.data)}
    return {**head, **facts, "faults": plain(report.faults)}


def _show(lines: Iterable[Line]) -> None:
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for line in lines:
            console.print(Text(line.text, line.style))
        return
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        print(_encodable(line.text, encoding))


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_LINES_IN_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text
