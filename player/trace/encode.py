"""Trace lines: one JSON object a line, the same bytes for the same events.

Knows `KeyId`, `SystemId` and `ContentKey` and nothing else of the player: an event is written field by field, whatever
room it comes from. A content key, and any type not listed here, is refused with TypeError.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, NoReturn

import msgspec

from player.ids import ContentKey, KeyId, SystemId
from player.trace.event import Event

FORMAT: Final = 1
"""Readers refuse a greater number."""

DIGEST_DIGITS: Final = 16  # hex digits of the SHA-256 that stand for a byte string

Plain = Callable[[Any], object]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a trace. `seed` None: chance came from the operating system. `clock`: "real" or "virtual"."""

    format: int = FORMAT
    version: str
    scenario: str | None = None
    seed: int | None = None
    clock: str = "real"


class Line(msgspec.Struct, frozen=True):
    """One event: `time` in seconds on the run clock, `who` a client or a service."""

    time: float
    who: str
    name: str
    data: dict[str, Any]


class Encoder:
    """Turns events into lines. It remembers how each type is written, so one encoder serves a whole trace."""

    __slots__ = ("_json", "_plains")

    def __init__(self) -> None:
        self._json = msgspec.json.Encoder()
        self._plains: dict[type, Plain] = dict(_PLAINS)

    def header(self, header: Header) -> bytes:
        return self._line(header)

    def event(self, time_us: int, who: str, event: Event) -> bytes:
        """The line of one event, line feed included."""
        time = msgspec.Raw(f"{time_us / 1e6:.6f}".encode("ascii"))
        return self._line({"time": time, "who": who, "name": event.name, "data": self.plain(event)})

    def plain(self, value: object) -> object:
        """`value` as numbers, text, lists and dictionaries.

        Raises: TypeError for a content key and for every type that has no place in a trace.
        """
        kind = type(value)
        plain = self._plains.get(kind)
        if plain is None:
            plain = self._plains[kind] = self._plain_of(kind)
        return plain(value)

    def _line(self, value: object) -> bytes:
        return msgspec.json.format(self._json.encode(value), indent=0) + b"\n"

    def _plain_of(self, kind: type) -> Plain:
        for base, plain in _PLAIN_BASES:
            if issubclass(kind, base):
                return plain
        names = _field_names(kind)
        if names is not None:
            return lambda value: {name: self.plain(getattr(value, name)) for name in names}
        if issubclass(kind, (tuple, list)):
            return lambda value: [self.plain(item) for item in value]
        if issubclass(kind, Mapping):
            return lambda value: {str(self.plain(key)): self.plain(item) for key, item in value.items()}
        return _refuse


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Fields of a dataclass, a struct or a named tuple, in order of definition; None for every other type."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    names: tuple[str, ...] | None = getattr(kind, "_fields", None)
    return names if issubclass(kind, tuple) else None


def _itself(value: object) -> object:
    return value


def _number(value: float) -> float | None:
    """JSON has neither NaN nor infinity; both are written as null."""
    return value if value - value == 0 else None


def _digest(value: bytes) -> object:
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()[:DIGEST_DIGITS]}


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} has no place in a trace")


_PLAINS: Final[dict[type, Plain]] = {
    str: _itself,
    int: _itself,
    bool: _itself,
    type(None): _itself,
    float: _number,
    KeyId: str,
    SystemId: str,
    bytes: _digest,
    ContentKey: _refuse,
}

_PLAIN_BASES: Final[tuple[tuple[type, Plain], ...]] = (
    (ContentKey, _refuse),
    (Enum, lambda value: value.value),
    (KeyId, str),
    (SystemId, str),
)
