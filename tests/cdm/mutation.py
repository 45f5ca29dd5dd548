"""Mutants by seed: of JSON as a tree, of boxes by their fields, and of anything as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**53, 2**63, -(2**63), 1.5, 1e308, float("nan"), float("inf")),
    *("", "=", "A", "A===", "AA==", "+/", "\0", "é", "\ud800", "oct", "wrap", "temporary", "persistent-license"),
    *([], [[]], [None], {}, {"keys": []}, [{}] * 200, "A" * 5000, [["A"] * 50] * 50),
)
EDGES: Final = (0, 1, 7, 8, 15, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
SPLICES: Final = (b"", b"\0", b'"', b"{", b"}", b"[" * 60, b",", b"\\u0000", b"\xef\xbb\xbf", b"\xff\xfe", b"1" * 5000)


def mutants(seeds: Sequence[bytes], chance: Random) -> Iterator[bytes]:
    """Without end."""
    while True:
        yield mutant(chance.choice(seeds), seeds, chance)


def mutant(good: bytes, seeds: Sequence[bytes], chance: Random) -> bytes:
    """One to three changes, of the tree where there is one, or of the bytes."""
    data = changed_tree(good, chance) if good[:1] == b"{" and chance.random() < 0.6 else None
    if data is not None and chance.random() < 0.7:
        return data
    data = good if data is None else data
    for _ in range(chance.randint(1, 3)):
        data = chance.choice(CHANGES)(data, seeds, chance)
    return data


# ── JSON as a tree ───────────────────────────────────────────────────────────────────────────────────────────────────


def changed_tree(good: bytes, chance: Random) -> bytes | None:
    """None: not JSON any more."""
    try:
        document = json.loads(good)
    except (ValueError, RecursionError):
        return None
    parents = list(containers(document))
    for _ in range(chance.randint(1, 2)):
        if parents:
            change_one(chance.choice(parents), parents, chance)
    try:
        return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # it was put into itself
        return None


def containers(value: Any) -> Iterator[Any]:
    """Objects and lists that have something in them."""
    if isinstance(value, dict | list) and value:
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


def change_one(parent: Any, parents: list[Any], chance: Random) -> None:
    """Drop, double, replace, rename, or swap with something elsewhere in the document."""
    places = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
    if not places:
        return
    place, other = chance.choice(places), chance.choice(parents)
    match chance.randrange(6):
        case 0:
            del parent[place]
        case 1 if isinstance(parent, list):
            parent.append(parent[place])
        case 1:
            parent[chance.choice(("v", "kid", "k", "type", "x", ""))] = parent.pop(place)
        case 2:
            elsewhere = list(other.values()) if isinstance(other, dict) else list(other)
            if elsewhere:
                parent[place] = chance.choice(elsewhere)
        case 3 if isinstance(parent[place], str) and parent[place]:
            text = parent[place]
            at = chance.randrange(len(text))
            parent[place] = text[:at] + chance.choice("A_-+/= \0é") + text[at + chance.randint(0, 1) :]
        case 3 if isinstance(parent[place], int):
            parent[place] += chance.choice((-1, 1, 1000, -(2**40), 2**53))
        case _:
            parent[place] = chance.choice(ODD)


# ── bytes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def flipped(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randrange(len(data)) if data else 0
    return data[:at] + bytes([byte ^ 1 << chance.randrange(8) for byte in data[at : at + 1]]) + data[at + 1 :]


def cut(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    return data[: chance.randint(0, len(data))]


def dropped(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + data[at + chance.randint(1, 20) :]


def doubled(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    start, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    return data[:end] + data[start:]


def spliced(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(SPLICES) + data[at:]


def random_bytes(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at, size = chance.randint(0, len(data)), chance.randint(1, 24)
    return data[:at] + chance.randbytes(size) + data[at + chance.choice((0, size)) :]


def edged(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    """A field of 2 or 4 bytes at an edge of its range: sizes, counts, versions."""
    size = chance.choice((2, 4, 4))
    at = chance.randrange(0, max(1, len(data) - size), 1)
    field = (chance.choice(EDGES) & (1 << 8 * size) - 1).to_bytes(size, "big")
    return data[:at] + field + data[at + size :]


def crossed(data: bytes, seeds: Sequence[bytes], chance: Random) -> bytes:
    """The beginning of one and the end of another."""
    other = chance.choice(seeds)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


CHANGES: Final[tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...]] = (
    flipped,
    flipped,
    cut,
    dropped,
    doubled,
    spliced,
    random_bytes,
    edged,
    crossed,
)
