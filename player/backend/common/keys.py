"""A key as the backend holds it, and what a license server may ask of whoever holds keys.

A key is known by its key id, the group it was packaged in and its crypto period, never by a content id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from player.ids import ContentKey, KeyId


class KeyKind(StrEnum):
    CONTENT = "content"
    ROOT = "root"  # wraps content keys, decrypts nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """`group`: the keys packaged together, one opaque id for each crypto period. `tier`: which tracks share the key.

    `from_ms` and `until_ms` bound its use, in ms since the epoch; None: no bound.
    """

    kid: KeyId
    key: ContentKey
    group: str
    tier: str
    period: int  # crypto period index
    kind: KeyKind = KeyKind.CONTENT
    from_ms: int | None = None
    until_ms: int | None = None


class KeySource(Protocol):
    """Where a license server finds keys. Answers are in a stable order: the bytes of a license depend on it."""

    def find(self, kid: KeyId) -> HeldKey | None: ...

    def group(self, group: str) -> Iterable[HeldKey]:
        """All keys packaged under this group id."""
        ...

    def following(self, key: HeldKey, count: int) -> Iterable[HeldKey]:
        """Keys of the same tier and kind in the `count` crypto periods after this key's, as far as they exist."""
        ...

    def all(self) -> Iterable[HeldKey]:
        """Every key held now; a source that makes keys as time goes on gives those it has made."""
        ...


class KeyTable:
    """A key source that holds a fixed set of keys."""

    __slots__ = ("_by_kid", "_by_place")

    def __init__(self, keys: Sequence[HeldKey]) -> None:
        self._by_kid = {key.kid: key for key in keys}
        self._by_place = {(key.tier, key.kind, key.period): key for key in keys}
        if len(self._by_kid) != len(keys) or len(self._by_place) != len(keys):
            raise ValueError("two keys share a key id, or their tier, kind and crypto period")

    def find(self, kid: KeyId) -> HeldKey | None:
        return self._by_kid.get(kid)

    def group(self, group: str) -> Iterable[HeldKey]:
        return (key for key in self._by_kid.values() if key.group == group)

    def following(self, key: HeldKey, count: int) -> Iterable[HeldKey]:
        places = ((key.tier, key.kind, key.period + step) for step in range(1, count + 1))
        return (self._by_place[place] for place in places if place in self._by_place)

    def all(self) -> Iterable[HeldKey]:
        return self._by_kid.values()
