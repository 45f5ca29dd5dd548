"""Typed members of a JSON object that has been read: each reader takes a value and its place, and gives the plain type.

A place is a path such as `license keys[2].kid`; errors name it and never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeVar

from player.errors import LicenseError
from player.ids import MAX_KEY_ID_BYTES, ContentKey, KeyId
from player.wire.strict import JsonObject, b64url_decode, b64url_encode

MAX_KEY_IDS: Final = 128  # key ids of one request; choice: Chromium's limit
MAX_WHOLE: Final = 2**53 - 1  # what every JSON reader holds exactly
SESSION_TYPES: Final = ("temporary", "persistent-license", "persistent-usage-record")

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def bad(place: str, reason: str) -> LicenseError:
    """The error of a member that is missing or means nothing."""
    return LicenseError("bad-member", f"{place}: {reason}")


def member(parent: JsonObject, name: str, place: str) -> object:
    """A member that must be there."""
    if name not in parent:
        raise bad(f"{place}.{name}" if place else name, "missing")
    return parent[name]


def an_object(value: object, place: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise bad(place, "no object")
    return value


def items(value: object, place: str, *, most: int | None = None) -> Iterator[tuple[object, str]]:
    """Entries of a list with their places."""
    if not isinstance(value, list):
        raise bad(place, "no list")
    if most is not None and len(value) > most:
        raise bad(place, f"{len(value)} entries, at most {most} are read")
    return ((item, f"{place}[{index}]") for index, item in enumerate(value))


def text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise bad(place, "no text")
    return value


def one_of(value: object, place: str, choices: type[E]) -> E:
    for choice in choices:
        if choice.value == value:
            return choice
    raise bad(place, f"none of {', '.join(choices)}")


def session_type(value: object, place: str) -> str:
    if not isinstance(value, str) or value not in SESSION_TYPES:
        raise bad(place, "no session type")
    return value


def flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise bad(place, "neither true nor false")
    return value


def whole(value: object, place: str) -> int:
    """A whole number from 0 to 2**53 - 1; a bool is none, although Python counts it as an int."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_WHOLE:
        raise bad(place, "no whole number from 0 to 2^53 - 1")
    return value


def nullable(value: object, place: str, read: Callable[[object, str], T]) -> T | None:
    return None if value is None else read(value, place)


def key_id(value: object, place: str, *, tolerant: bool = False) -> KeyId:
    raw = b64url_decode(text(value, place), place, tolerant=tolerant)
    if not 1 <= len(raw) <= MAX_KEY_ID_BYTES:
        raise bad(place, f"a key id has 1 to {MAX_KEY_ID_BYTES} bytes, this one {len(raw)}")
    return KeyId(raw)


def content_key(value: object, place: str) -> ContentKey:
    raw = b64url_decode(text(value, place), place)
    if len(raw) != 16:
        raise bad(place, f"a key has 16 bytes, this one {len(raw)}")
    return ContentKey(raw)


def key_ids(value: object, place: str, *, tolerant: bool = False) -> tuple[KeyId, ...]:
    """The key ids of a request, in their order: 0 to 128."""
    return tuple(key_id(item, at, tolerant=tolerant) for item, at in items(value, place, most=MAX_KEY_IDS))


def texts(kids: Iterable[KeyId]) -> list[str]:
    """Key ids as a document holds them."""
    return [b64url_encode(kid) for kid in kids]


def each_once(kids: Iterable[KeyId], place: str) -> None:
    """A license that names a key id twice says two things about one key."""
    seen: set[KeyId] = set()
    for kid in kids:
        if kid in seen:
            raise bad(place, "a key id stands twice")
        seen.add(kid)
