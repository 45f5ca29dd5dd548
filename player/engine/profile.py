"""A player profile: parsed from TOML by a pure function; the caller reads the file. Each room gets its own part."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from player.drm.combinations import refusals
from player.drm.profile import Announce, Network, Quirk, Scope, Sessions, Status
from player.errors import ScenarioError
from player.stream.profile import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """`based_on` names player and version, or is "own". A running player never changes its profile."""

    name: str
    based_on: str
    quirks: tuple[Quirk, ...]
    announce: Announce
    scope: Scope
    sessions: Sessions
    network: Network
    status: Status
    stream: Stream


T = TypeVar("T")

_PARTS = {
    "announce": Announce,
    "scope": Scope,
    "sessions": Sessions,
    "network": Network,
    "status": Status,
    "stream": Stream,
}


def parse(text: str, file: str = "profile") -> Profile:
    """A profile from TOML text. Every field must be there, and no other.

    Raises: ScenarioError with the file's name and the place (`$.scope.extent`).
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(file, "$", str(error), code="bad-profile") from None
    parts: dict[str, object] = {name: _part(cls, raw.pop(name, {}), file, f"$.{name}") for name, cls in _PARTS.items()}
    return checked(_part(Profile, raw | parts, file, "$"), file)


def checked(profile: Profile, file: str = "profile") -> Profile:
    """Raises: ScenarioError for values that cannot stand together."""
    for refusal in refusals(profile.scope, profile.sessions, profile.network):
        place, _, reason = refusal.partition(": ")
        raise ScenarioError(file, f"$.{place}", reason, code="bad-profile")
    return profile


def _part(cls: type[T], data: object, file: str, path: str) -> T:
    if not isinstance(data, Mapping):
        raise ScenarioError(file, path, "a table was expected", code="bad-profile")
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]  # every class here is a dataclass
    if wrong := sorted(names ^ data.keys()):
        raise ScenarioError(file, path, f"missing or unknown: {', '.join(wrong)}", code="bad-profile")
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name], value, file, f"{path}.{name}") for name, value in data.items()})


def _value(kind: Any, value: object, file: str, path: str) -> object:
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(get_args(kind)[0], item, file, f"{path}[{i}]") for i, item in enumerate(value))
    if isinstance(kind, type) and issubclass(kind, StrEnum) and isinstance(value, str):
        if value in set(kind):
            return kind(value)
        raise ScenarioError(file, path, f"{value!r} is none of {', '.join(kind)}", code="bad-profile")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:  # exact: a bool is no int here
        return value
    raise ScenarioError(file, path, f"{getattr(kind, '__name__', kind)} was expected", code="bad-profile")
