"""The marker that every event of every room carries.

An event is one frozen dataclass with a stable name `room:what`; its fields are the `data` of a trace line.
"""

from __future__ import annotations

from typing import ClassVar


class Event:
    """Base of all events. Subclasses are `@dataclass(frozen=True, slots=True, kw_only=True)` and set `name`.

    Fields hold plain values only (numbers, text, `KeyId`, enums, tuples of these), never a key, a token or a body.
    """

    __slots__ = ()
    name: ClassVar[str]
