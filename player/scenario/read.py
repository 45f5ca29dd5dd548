"""Plain data, as TOML gives it, into dataclasses: every field by its annotation, every fault with its place."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from player.errors import ScenarioError
from player.ids import KeyId
from player.scenario.limits import NOT_BUILT, refusal, unknown
from player.scenario.schema import NOT_WRITTEN

T = TypeVar("T")

MAX_ITEMS: Final = 10_000  # of one list
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_INDEX: Final = re.compile(r"\[\d+\]")
_SHOWN: Final = 40  # characters of a value in an error
_MOST: Final = 2**63  # TOML's own bound, which Python's reader does not keep
_KINDS: Final[Mapping[type, str]] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table", list: "a list",
}  # fmt: skip


def table(cls: type[T], data: object, file: str, path: str) -> T:
    """A dataclass from a TOML table. Raises: ScenarioError for the first fault, with its place."""
    if not isinstance(data, Mapping):
        _expected("a table", data, file, path)
    written = {f.name: f for f in _fields(cls)}
    for name in data:
        if name not in written:
            raise ScenarioError(file, _member(path, name), f"unknown key: {unknown(name, list(written))}")
    for name, field in written.items():
        if name not in data and field.default is field.default_factory is dataclasses.MISSING:
            raise ScenarioError(file, _member(path, name), "missing")
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name], value, file, f"{path}.{name}") for name, value in data.items()})


def _fields(cls: type) -> list[dataclasses.Field[Any]]:
    left_out = NOT_WRITTEN.get(cls, frozenset())
    return [f for f in dataclasses.fields(cls) if f.name not in left_out]


def _value(kind: Any, data: object, file: str, path: str) -> object:
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (option for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) is tuple:
        return _list(get_args(kind)[0], data, file, path)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return table(kind, data, file, path)
    value = _scalar(kind, data, file, path)
    reason = refusal(_INDEX.sub("[]", path), value)
    if reason is not None:
        raise ScenarioError(file, path, reason)
    return value


def _list(kind: Any, data: object, file: str, path: str) -> tuple[object, ...]:
    if not isinstance(data, list):
        _expected("a list", data, file, path)
    if len(data) > MAX_ITEMS:
        raise ScenarioError(file, path, f"more than {MAX_ITEMS:,} items")
    return tuple(_value(kind, item, file, f"{path}[{i}]") for i, item in enumerate(data))


def _scalar(kind: Any, data: object, file: str, path: str) -> object:
    if kind is KeyId:
        return _key_id(data, file, path)
    if issubclass(kind, StrEnum):
        return _name(kind, data, file, path)
    if isinstance(data, int) and abs(data) > _MOST:
        raise ScenarioError(file, path, "a whole number beyond 64 bits, which TOML does not have")
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:  # exact: a bool is no int here
        _expected(_KINDS[kind], data, file, path)
    if isinstance(data, float) and not math.isfinite(data):
        raise ScenarioError(file, path, f"expected a finite number, not {data}")
    return data


def _name(kind: type[StrEnum], data: object, file: str, path: str) -> StrEnum:
    if not isinstance(data, str):
        _expected("a text", data, file, path)
    if data not in set(kind):
        raise ScenarioError(file, path, unknown(data, list(kind), NOT_BUILT.get(path, ())))
    return kind(data)


def _key_id(data: object, file: str, path: str) -> KeyId:
    if not isinstance(data, str):
        _expected("a text", data, file, path)
    try:
        return KeyId.parse(data)
    except ValueError as error:
        raise ScenarioError(file, path, str(error)) from None


def _expected(what: str, data: object, file: str, path: str) -> NoReturn:
    raise ScenarioError(file, path, f"expected {what}, not {_shown(data)}")


def _shown(data: object) -> str:
    """A value of another type, in few characters and on one line."""
    if isinstance(data, (dict, list)):
        return _KINDS[type(data)]
    text = json.dumps(data, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _member(path: str, name: str) -> str:
    return f"{path}.{name if _BARE.fullmatch(name) else json.dumps(name[:_SHOWN])}"
