"""The release of a stored session and its acknowledgement: the same in every key system of the lab.

EME 9.1.5, 9.1.6; the times are those of the persistent-usage-record draft, 9.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from player.ids import KeyId
from player.wire.members import bad, items, key_id, member, nullable, texts, whole
from player.wire.strict import JsonObject, read_object, write_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """First and latest decryption, whole ms since the epoch; None: no key was ever used."""

    first_ms: int | None = None
    latest_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`times` None: the release of a license, not of a usage record."""

    kids: tuple[KeyId, ...]
    times: Times | None = None


def write(release: Release) -> bytes:
    members: dict[str, object] = {"kids": texts(release.kids)}
    return write_object(members if release.times is None else {**members, **times_members(release.times)})


def read(data: bytes, *, tolerant: bool = False) -> Release:
    """`tolerant` is for servers: padding and plain base64 are taken too. Raises: LicenseError."""
    document = read_object(data, "release")
    kids = _key_ids(document, "release", tolerant=tolerant)
    if not kids:
        raise bad("release kids", "empty")
    usage = "firstTime" in document or "latestTime" in document
    return Release(kids=kids, times=read_times(document, "release") if usage else None)


def is_release(document: JsonObject) -> bool:
    """A request tells its session type, a release does not (EME 9.1.3, 9.1.5)."""
    return "type" not in document


def write_acknowledgement(kids: Iterable[KeyId]) -> bytes:
    return write_object({"kids": texts(kids)})


def read_acknowledgement(data: bytes) -> frozenset[KeyId]:
    """Extra members are ignored. Raises: LicenseError."""
    return frozenset(_key_ids(read_object(data, "acknowledgement"), "acknowledgement"))


def times_members(times: Times) -> JsonObject:
    return {"firstTime": times.first_ms, "latestTime": times.latest_ms}


def read_times(document: JsonObject, place: str) -> Times:
    """Both or neither, in their order. Raises: LicenseError."""
    first = nullable(member(document, "firstTime", place), f"{place}.firstTime", whole)
    latest = nullable(member(document, "latestTime", place), f"{place}.latestTime", whole)
    if (first is None) != (latest is None) or (first or 0) > (latest or 0):
        raise bad(f"{place}.latestTime", "before the first time, or without it")
    return Times(first_ms=first, latest_ms=latest)


def _key_ids(document: JsonObject, place: str, *, tolerant: bool = False) -> tuple[KeyId, ...]:
    """As many as a document has room for: a record names all that its session ever knew."""
    entries = items(member(document, "kids", place), f"{place} kids")
    return tuple(key_id(item, at, tolerant=tolerant) for item, at in entries)
