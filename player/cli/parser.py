"""argparse, with one line for every fault and nothing secret in it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from player.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of printing its usage and leaving."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Raises: UsageError. What it does not know it names by the option alone: a value may be a key."""
        options, rest = self.parse_known_args(arguments)
        unknown = [argument.partition("=")[0] for argument in rest if argument.startswith("-")]
        if unknown:
            self.error(f"no option {unknown[0]}; {self.prog} --help tells which there are")
        if rest:
            self.error(f"{len(rest)} argument{'s' if len(rest) > 1 else ''} too many; see {self.prog} --help")
        return options


class ShowVersion(argparse.Action):
    """Looks the version up when it is asked for: reading the metadata of a distribution takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from player.runtime.version import version

        print("keystorm", version())
        parser.exit()
