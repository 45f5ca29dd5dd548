"""Option values from text. A fault names what was expected and never repeats what may be secret."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from player.errors import UsageError
from player.ids import ContentKey, KeyId
from player.runtime.fetch import ExchangeError, checked_authority
from player.scenario.limits import refusal

KeyPair = tuple[KeyId, ContentKey]

MAX_FILE_BYTES: Final = 1_000_000
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_FIELD_VALUE: Final = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?|")  # RFC 9110, 5.5, without obs-text


def count_at(path: str) -> Callable[[str], int]:
    """A whole number that could stand at this path of a scenario."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"expected a whole number, not {text!r}") from None
        if reason := refusal(path, value):
            raise ArgumentTypeError(reason)
        return value

    return read


def name_at(path: str) -> Callable[[str], str]:
    """A name that could stand at this path of a scenario."""

    def read(text: str) -> str:
        if reason := refusal(path, text):
            raise ArgumentTypeError(reason)
        return text

    return read


def duration_s(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e9:  # NaN is neither
        raise ArgumentTypeError(f"expected a number of seconds greater than 0, not {text!r}")
    return value


def url(text: str) -> str:
    """An absolute http or https URL."""
    try:
        checked_authority(text)
    except ExchangeError as error:
        raise ArgumentTypeError(f"{text or '(empty)'}: {error.reason}") from None
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
        raise ArgumentTypeError("a URL has neither blanks nor control characters")
    return text


def header(text: str) -> tuple[str, str]:
    """`Name: value` of an HTTP header."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
        raise ArgumentTypeError("expected NAME:VALUE, as an HTTP header has them")
    return name, value


def keys(text: str) -> tuple[KeyPair, ...]:
    """`KID:KEY`, or `@FILE` with one on each line; blank lines and those that start with # are left out."""
    if not text.startswith("@"):
        return (_key(text, ""),)
    lines = enumerate(read_text(Path(text[1:])).splitlines(), 1)
    return tuple(_key(line, f"{text[1:]} line {number}: ") for number, line in lines if _says_something(line))


def read_text(path: Path) -> str:
    """The whole of a small file. Raises: UsageError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise UsageError(f"{path}: more than {MAX_FILE_BYTES:,} bytes")
        return raw.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError:  # not UTF-8, or a name that no file can have
        raise UsageError(f"{path}: not a text file") from None


def one_of(what: str, names: Iterable[str]) -> Callable[[str], str]:
    """A name of a list that is known only at run time."""
    known = sorted(names)

    def read(text: str) -> str:
        if text not in known:
            raise ArgumentTypeError(f"no {what} {text!r}; there are: {', '.join(known)}")
        return text

    return read


def _key(text: str, place: str) -> KeyPair:
    kid, colon, key = text.strip().partition(":")
    try:
        if colon:
            return KeyId.parse(kid), ContentKey.parse(key)
    except ValueError:
        pass
    raise ArgumentTypeError(f"{place}expected KID:KEY, each of 32 hex digits")


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
