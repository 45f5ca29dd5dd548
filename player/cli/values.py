"""Option values from text. A fault names what was expected and never repeats what may be secret."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from typing import Final

from player.errors import UsageError
from player.runtime import controls
from player.runtime.controls import Position
from player.runtime.fetch import ExchangeError, checked_authority
from player.scenario.limits import refusal

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


def position(text: str) -> Position:
    """Seconds on the presentation timeline, or `live`."""
    try:
        value: Position = "live" if text == "live" else float(text)
        controls.position_us(value)
    except (ValueError, UsageError):
        raise ArgumentTypeError(f"expected a number of seconds from 0 on, or live, not {text!r}") from None
    return value


def rate(text: str) -> float:
    try:
        value = float(text)
        controls.rate_ppm(value)
    except (ValueError, UsageError):
        raise ArgumentTypeError(f"expected a number from 0.5 to 2, not {text!r}") from None
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


def one_of(what: str, names: Iterable[str]) -> Callable[[str], str]:
    """A name of a list that is known only at run time."""
    known = sorted(names)

    def read(text: str) -> str:
        if text not in known:
            raise ArgumentTypeError(f"no {what} {text!r}; there are: {', '.join(known)}")
        return text

    return read
