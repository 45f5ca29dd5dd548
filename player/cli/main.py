"""The command `keystorm`: picks a subcommand, and turns whatever goes wrong into one line and an exit code.

Nothing heavy is imported here: a subcommand's module is, once it has been asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from player.cli.parser import Parser, ShowVersion
from player.errors import KeystormError, ScenarioError, UsageError

DONE: Final = 0
FAILED: Final = 1  # it ran, and what was asked did not hold
WRONG_USAGE: Final = 2  # wrong usage or unreadable input

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "three rotation strategies side by side: a table and a report",
    "play": "play a VOD or live presentation and tell what its keys did",
    "decrypt": "turn encrypted files into a clear one that plays",
    "package": "encrypt MP4 files into a DASH presentation",
    "storm": "play a scenario with many clients and measure what its license servers see",
    "inspect": "show what is in media, an MPD, a pssh or a license: boxes, key ids, crypto periods, faults",
    "cpix": "show, make, re-encrypt and verify CPIX documents: content keys for named recipients",
    "trace": "tell why license requests were sent and why keys are not usable, from a trace of play or storm",
    "serve": "run the embedded backend by itself: live and VOD origin, license servers",
}
"""Each is a module of this room with `arguments(parser)` and `run(options) -> exit code`."""

_USAGE_CODES: Final = frozenset({"usage", "no-address"})  # errors of other rooms that a change of options would mend
_MAX_LINE: Final = 400  # characters


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeystormError as error:
        return complain(error.code, str(error), exit_code(error))
    except KeyboardInterrupt:
        return complain("interrupted", "ended before its time", FAILED)
    except Exception as error:
        if _debugging():
            raise
        return complain("internal-error", f"{type(error).__name__}: {error} (KEYSTORM_DEBUG=1 shows where)", FAILED)
    return code


def exit_code(error: KeystormError) -> int:
    wrong_usage = isinstance(error, (UsageError, ScenarioError)) or error.code in _USAGE_CODES
    return WRONG_USAGE if wrong_usage else FAILED


def complain(code: str, message: str, exits: int) -> int:
    """One line on stderr, whatever the message is made of. Returns `exits`."""
    line = " ".join(f"keystorm: {code}: {message}".split())
    print(line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 1] + "…", file=sys.stderr)
    return exits


def _run(arguments: list[str]) -> int:
    try:
        return _command(arguments)
    except SystemExit as end:  # argparse: help and version have been printed
        return end.code if isinstance(end.code, int) else DONE


def _command(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        _front().read(arguments)
        raise UsageError(f"no command given; there are: {', '.join(COMMANDS)}")
    name, *rest = arguments
    command = import_module(f"player.cli.{name}")
    _hush()
    tells = COMMANDS[name]
    parser = Parser(prog=f"keystorm {name}", description=f"{tells[0].upper()}{tells[1:]}.")
    command.arguments(parser)
    code: int = command.run(parser.read(rest))
    return code


def _front() -> Parser:
    """What answers where no command is named."""
    parser = Parser(
        prog="keystorm", description="A headless DASH player that plays real key logic, alone or in storms."
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="show which version this is, and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="keystorm")
    for name, tells in COMMANDS.items():
        commands.add_parser(name, help=tells)
    return parser


def _hush() -> None:
    """What a library logs is not for our users: it would come as lines of its own, some of them tracebacks."""
    logging = sys.modules.get("logging")
    if logging is not None and not _debugging():  # who does not log has not loaded it
        logging.getLogger().addHandler(logging.NullHandler())


def _debugging() -> bool:
    return os.environ.get("KEYSTORM_DEBUG") == "1"
