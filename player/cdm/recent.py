"""Licenses read lately: clients that are given the same bytes have them parsed once. Bounded, since servers decide how
many different ones there are. It never shows a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

KEPT: Final = 256  # a choice: the keys of a few periods for every track and resolution


class Recent:
    """One serves all clients of a run and process."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[tuple[Callable[[bytes], Any], bytes], Any] = {}

    def read(self, parse: Callable[[bytes], T], data: bytes) -> T:
        """`parse(data)`, which must be pure and give an immutable value; what it raises is not kept."""
        key = (parse, data)
        found: T | None = self._read.get(key)
        if found is None:
            found = parse(data)
            if len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            self._read[key] = found
        return found
