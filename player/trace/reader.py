"""Reads a trace back, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from player.errors import UsageError
from player.ids import KeyId
from player.trace.encode import FORMAT, Header, Line

MAX_LINE_BYTES = 1 << 20  # no event comes near; a file without line feeds must not fill the memory

T = TypeVar("T")


def read_header(file: BinaryIO, name: str) -> Header:
    """The first line of `file`. Raises: UsageError where it is no trace, or one of a newer format."""
    header = _decode(_next_line(file, name, 1), Header, name, 1)
    if header.format > FORMAT:
        raise UsageError(
            f"{name}:1: trace format {header.format} is newer than {FORMAT}, the newest this version reads"
        )
    return header


def read_lines(file: BinaryIO, name: str) -> Iterator[Line]:
    """The events after the header. Raises: UsageError naming the line that cannot be read."""
    number = 2
    while line := _next_line(file, name, number):
        yield _decode(line, Line, name, number)
        number += 1


def read_trace(path: Path) -> tuple[Header, list[Line]]:
    """A whole trace. Raises: UsageError."""
    try:
        with path.open("rb") as file:
            return read_header(file, str(path)), list(read_lines(file, str(path)))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def event_of(line: Line, kind: type[T], name: str, number: int) -> T:
    """The data of line `number` as `kind`: an event, or what matters of one. Raises: UsageError naming the line."""
    try:
        return msgspec.convert(line.data, kind, dec_hook=_key_id)
    except msgspec.ValidationError as error:
        reason = str(error).encode("unicode_escape").decode("ascii")  # it may repeat what the file says
        raise UsageError(f"{name}:{number}: not the event that its name says: {reason}") from None


def _key_id(kind: type, value: object) -> KeyId:
    """Raises: ValueError, TypeError for what no key id is written as."""
    if kind is not KeyId or not isinstance(value, str):
        raise TypeError("not a key id")
    return KeyId(bytes.fromhex(value.replace("-", "")))


def _next_line(file: BinaryIO, name: str, number: int) -> bytes:
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise UsageError(f"{name}:{number}: a line of more than {MAX_LINE_BYTES} bytes")
    return line


def _decode(line: bytes, kind: type[T], name: str, number: int) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name}:{number}: not a line of a trace: {error}") from None
