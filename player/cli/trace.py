"""`keystorm trace explain`: why each license request of a trace was sent, and why a key is not usable."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from player.cli import explained_page
from player.cli.explained import Explained, explain
from player.cli.main import DONE
from player.errors import UsageError
from player.trace.encode import Header
from player.trace.reader import read_header, read_lines


def arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name, (tells, add_arguments, _) in _COMMANDS.items():
        command = commands.add_parser(name, help=tells, description=f"{tells[0].upper()}{tells[1:]}.")
        add_arguments(command)


def run(options: Namespace) -> int:
    _, _, command = _COMMANDS[options.command]
    return command(options)


def _explain_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="a trace, as play --trace and storm --trace write it")
    add("--client", metavar="NAME", help="of this client alone, such as c0017")
    add("--json", action="store_true", help="print one JSON object")


def _explain(options: Namespace) -> int:
    header, found = _explained(options.file, options.client)
    if options.client is not None and not found.clients:
        raise UsageError(f"{options.file}: no line of a client {options.client!r}")
    if options.json:
        print(json.dumps(explained_page.document(found, header, str(options.file))))
    else:
        explained_page.show(found, header, str(options.file))
    return DONE


def _explained(path: Path, client: str | None) -> tuple[Header, Explained]:
    """Line by line: the trace of a storm need not fit into memory. Raises: UsageError."""
    try:
        with path.open("rb") as file:
            header = read_header(file, str(path))
            return header, explain(read_lines(file, str(path)), str(path), client)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


_COMMANDS: Final[Mapping[str, tuple[str, Callable[[ArgumentParser], None], Callable[[Namespace], int]]]] = {
    "explain": ("tell why each license request was sent, and why a key is not usable", _explain_arguments, _explain),
}
