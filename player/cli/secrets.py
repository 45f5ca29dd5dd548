"""Keys and tokens, given on the command line or in files. A fault never repeats what it found.

Imports little: `keystorm decrypt` is to start at once.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Final

from player.errors import UsageError
from player.ids import ContentKey, KeyId

KeyPair = tuple[KeyId, ContentKey]

MAX_FILE_BYTES: Final = 1_000_000


def keys(text: str) -> tuple[KeyPair, ...]:
    """`KID:KEY`, or `@FILE` with one on each line; blank lines and those that start with # are left out."""
    if not text.startswith("@"):
        return (_key(text, ""),)
    lines = enumerate(read_text(Path(text[1:])).splitlines(), 1)
    return tuple(_key(line, f"{text[1:]} line {number}: ") for number, line in lines if _says_something(line))


def read_text(path: Path) -> str:
    """The whole of a small file. Raises: UsageError."""
    try:
        return read_bytes(path).decode("utf-8")
    except ValueError:
        raise UsageError(f"{path}: not a text file") from None


def read_bytes(path: Path) -> bytes:
    """The whole of a small file. Raises: UsageError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError:  # a name that no file can have
        raise UsageError(f"{path}: not a text file") from None
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"{path}: more than {MAX_FILE_BYTES:,} bytes")
    return raw


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
