"""Scenario files: found in the library by name, read, and turned into a `Scenario`.

`parse` is a function of the text and the file's name; only `load` and `find` look at the disk.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from player.errors import ScenarioError, UsageError
from player.scenario import relations
from player.scenario.limits import unknown
from player.scenario.read import table
from player.scenario.schema import Scenario

MAX_BYTES: Final = 1_000_000  # choice: a scenario is written by hand
SUFFIX: Final = ".toml"

_AT: Final = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL)


def load(path: Path) -> Scenario:
    """Raises: UsageError for a file that cannot be read, ScenarioError for one that means nothing."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES:,} bytes")
    try:
        return parse(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise ScenarioError(str(path), f"byte {error.start}", "not UTF-8") from None


def parse(text: str, file: str = "scenario") -> Scenario:
    """A scenario from TOML. Raises: ScenarioError with line, or with the place in the document (`$.content.scheme`)."""
    data = _toml(text, file)
    if "scenario" not in data:
        raise ScenarioError(file, "$", "no table [scenario]: this is no scenario file")
    scenario = replace(table(Scenario, data, file, "$"), file=file)
    relations.check(scenario)
    return scenario


def find(name: str) -> Path:
    """The file of a scenario: a path that ends in `.toml`, or a name in the library (`demo`).

    Raises: UsageError where there is none.
    """
    if name.endswith(SUFFIX):
        return Path(name)
    names = library_names()
    if name not in names:
        raise UsageError(f"scenario: {unknown(name, names)}; or a file that ends in {SUFFIX}")
    return library() / f"{name}{SUFFIX}"


def library() -> Path:
    """The folder of the installed scenarios, or that of the checkout."""
    package = Path(str(files("player")))
    installed = package / "scenarios"
    return installed if installed.is_dir() else package.parent / "scenarios"


def library_names() -> tuple[str, ...]:
    """The scenarios of the library, as they are named on the command line (`folder/name`)."""
    folder = library()
    return tuple(sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{SUFFIX}")))


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.fullmatch(str(error))
        end = f"line {text.count(chr(10)) + 1}"
        place, reason = (f"line {at[2]} column {at[3]}", at[1]) if at else (end, str(error))
        raise ScenarioError(file, place, reason, code="bad-toml") from None
    except ValueError:  # Python reads no number of so many digits
        raise ScenarioError(file, "$", "a number of thousands of digits", code="bad-toml") from None
    except RecursionError:
        raise ScenarioError(file, "$", "nested too deeply", code="bad-toml") from None
