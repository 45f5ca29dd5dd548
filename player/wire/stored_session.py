"""What a CDM stores of a session, as bytes: keys of a persistent license, or the record of a released or used one.

Our own format, with a version. It is read as strictly as anything that comes from outside: whatever was done to a file,
a record is understood as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from player.errors import LicenseError
from player.ids import ContentKey, KeyId
from player.wire.hierarchy import Output
from player.wire.members import (
    an_object,
    bad,
    content_key,
    each_once,
    flag,
    items,
    key_id,
    member,
    nullable,
    one_of,
    session_type,
    text,
    texts,
    whole,
)
from player.wire.release import Times, read_times, times_members
from player.wire.strict import JsonObject, b64url_encode, read_object, write_object

VERSION: Final = 1
MAX_RECORD_BYTES: Final = 180 * 1024  # choice: its key ids fit one message, and so does each license it was made of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """`start_ms`: usable from then on, 0: at once. `output`: the HDCP version it needs, "": none."""

    kid: KeyId
    key: ContentKey
    start_ms: int = 0
    output: str = ""
    wraps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """`kids`: all key ids that the record names. `released`: the keys are gone, an acknowledgement is awaited.

    Times of the license in ms since the epoch, 0: none. `times`: of a usage record, None for other types.
    """

    system: str
    type: str
    kids: tuple[KeyId, ...]
    released: bool = False
    keys: tuple[StoredKey, ...] = ()
    end_ms: int = 0
    renew_ms: int = 0
    window_ms: int = 0
    times: Times | None = None


def write(session: StoredSession) -> bytes:
    members: dict[str, object] = {
        "exp": session.end_ms,
        "keys": [_key_members(key) for key in session.keys],
        "kids": texts(session.kids),
        "released": session.released,
        "renew_at": session.renew_ms,
        "system": session.system,
        "type": session.type,
        "v": VERSION,
        "window": session.window_ms,
    }
    return write_object(members if session.times is None else {**members, **times_members(session.times)})


def read(data: bytes) -> StoredSession:
    """Raises: LicenseError."""
    place = "stored session"
    document = read_object(data, place, most=MAX_RECORD_BYTES)
    if whole(member(document, "v", place), f"{place}.v") != VERSION:
        raise LicenseError("unknown-version", f"{place}: not version {VERSION}")
    session = StoredSession(
        system=text(member(document, "system", place), f"{place}.system"),
        type=session_type(member(document, "type", place), f"{place}.type"),
        kids=tuple(key_id(item, at) for item, at in _list(document, "kids")),
        released=flag(member(document, "released", place), f"{place}.released"),
        keys=tuple(_key(item, at) for item, at in _list(document, "keys")),
        end_ms=whole(member(document, "exp", place), f"{place}.exp"),
        renew_ms=whole(member(document, "renew_at", place), f"{place}.renew_at"),
        window_ms=whole(member(document, "window", place), f"{place}.window"),
        times=read_times(document, place) if "firstTime" in document else None,
    )
    _check(session, place)
    return session


def _check(session: StoredSession, place: str) -> None:
    """No record says two things, or what its type does not store."""
    each_once(session.kids, f"{place}.kids")
    each_once((key.kid for key in session.keys), f"{place}.keys")
    keeps_keys = session.type == "persistent-license" and not session.released
    if session.keys and not keeps_keys:
        raise bad(f"{place}.keys", "keys that this session does not store")
    if not {key.kid for key in session.keys} <= set(session.kids):
        raise bad(f"{place}.kids", "a key is not among them")
    if (session.times is not None) != (session.type == "persistent-usage-record"):
        raise bad(f"{place}.firstTime", "times belong to a usage record")


def _key_members(key: StoredKey) -> JsonObject:
    return {
        "k": b64url_encode(key.key.reveal()),
        "kid": b64url_encode(key.kid),
        "nbf": key.start_ms,
        "output": key.output or None,
        "wraps": key.wraps,
    }


def _key(value: object, place: str) -> StoredKey:
    entry = an_object(value, place)
    return StoredKey(
        kid=key_id(member(entry, "kid", place), f"{place}.kid"),
        key=content_key(member(entry, "k", place), f"{place}.k"),
        start_ms=whole(member(entry, "nbf", place), f"{place}.nbf"),
        output=nullable(member(entry, "output", place), f"{place}.output", _output) or "",
        wraps=flag(member(entry, "wraps", place), f"{place}.wraps"),
    )


def _output(value: object, place: str) -> Output:
    return one_of(value, place, Output)


def _list(document: JsonObject, name: str) -> Iterable[tuple[object, str]]:
    return items(member(document, name, "stored session"), f"stored session.{name}")
