"""The file in which stored sessions of one origin lie: JSON lines, each under a MAC that also covers those before it.

The first line tells how many follow, so that a line changed, moved, taken out or cut off shows. Knows no file, no clock
and nothing of what a session's bytes say; they hold keys, so no repr shows them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from player.errors import LicenseError
from player.wire.members import bad, items, member, text, whole
from player.wire.strict import JsonObject, b64url_decode, b64url_encode, read_object, write_object

VERSION: Final = 1
MAX_LINE_BYTES: Final = 1 << 18  # choice: a session of 128 keys with ids of 512 bytes takes 150 KB
MAX_LINES: Final = 1 << 14  # choice: far above what a store keeps
_FIRST: Final = bytes(32)  # what the MAC of the first line continues


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """One session. `saved_ms`: when it was last written, ms since the epoch."""

    session_id: str
    data: bytes = field(repr=False)
    saved_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Sessions, and marks of ids that were stored once and are never to be given again, oldest first."""

    lines: tuple[StoredLine, ...] = ()
    spent: tuple[str, ...] = ()


def write(key: bytes, sealed: Sealed) -> bytes:
    head: JsonObject = {"count": len(sealed.lines), "spent": list(sealed.spent), "v": VERSION}
    return b"".join(_sealed(key, [head, *map(_entry, sealed.lines)]))


def read(key: bytes, data: bytes) -> Sealed:
    """Raises: LicenseError for bytes that were not written under this key, or not all of them."""
    if data.count(b"\n") > MAX_LINES:
        raise LicenseError("too-large", f"stored sessions: more than {MAX_LINES} lines")
    documents = list(_opened(key, data))
    if not documents:
        raise bad("stored sessions", "no first line")
    head = documents[0]
    if member(head, "v", "stored sessions") != VERSION:
        raise bad("stored sessions.v", "another version")
    if whole(member(head, "count", "stored sessions"), "stored sessions.count") != len(documents) - 1:
        raise LicenseError("tampered", f"stored sessions: {len(documents) - 1} are there, not as many as were written")
    spent = items(member(head, "spent", "stored sessions"), "stored sessions.spent", most=MAX_LINES)
    return Sealed(lines=tuple(map(_line, documents[1:])), spent=tuple(text(item, place) for item, place in spent))


def _sealed(key: bytes, documents: Iterable[JsonObject]) -> Iterator[bytes]:
    tag = _FIRST
    for document in documents:
        tag = _mac(key, tag, document)
        yield write_object({**document, "tag": b64url_encode(tag)}) + b"\n"


def _opened(key: bytes, data: bytes) -> Iterator[JsonObject]:
    tag = _FIRST
    for number, raw in enumerate(data.splitlines(), 1):
        document = dict(read_object(raw, f"stored sessions, line {number}", most=MAX_LINE_BYTES))
        given = b64url_decode(text(document.pop("tag", None), f"line {number}.tag"), f"line {number}.tag")
        tag = _mac(key, tag, document)
        if not hmac.compare_digest(given, tag):
            raise LicenseError("tampered", f"stored sessions, line {number}: not what was written")
        yield document


def _mac(key: bytes, before: bytes, document: JsonObject) -> bytes:
    return hmac.new(key, before + write_object(document), hashlib.sha256).digest()


def _entry(line: StoredLine) -> JsonObject:
    return {"data": b64url_encode(line.data), "id": line.session_id, "saved": line.saved_ms}


def _line(document: JsonObject) -> StoredLine:
    return StoredLine(
        session_id=text(member(document, "id", "stored session"), "stored session.id"),
        data=b64url_decode(text(member(document, "data", "stored session"), "stored session.data"), "stored data"),
        saved_ms=whole(member(document, "saved", "stored session"), "stored session.saved"),
    )
