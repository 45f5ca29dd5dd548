"""Values of attributes and of texts, both ways. What cannot be read is a ValueError that does not repeat it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from player.ids import KeyId, SystemId
from player.mpd import values as of_mpd

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")  # within 64 bits: nothing here counts further
_NAME: Final = re.compile(r"[^\W\d][\w.·-]*")  # NCName, near enough: letters, digits, marks
_UUID: Final = re.compile("-".join(f"[0-9A-Fa-f]{{{n}}}" for n in (8, 4, 4, 4, 12)))
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BLANKS: Final = str.maketrans("", "", " \t\r\n")
_MICROS: Final = 1_000_000


def base64_bytes(text: str) -> bytes:
    """Strict but for blanks and line ends. What was decoded is never trimmed: a key may end in a newline."""
    try:
        return base64.b64decode(text.translate(_BLANKS).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("no base64") from None


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError("no whole number")
    return int(text)


def boolean(text: str) -> bool:
    if text.strip() not in _BOOLEANS:
        raise ValueError("neither true nor false")
    return _BOOLEANS[text.strip()]


def boolean_text(value: bool) -> str:
    return "true" if value else "false"


def uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError("no UUID in the form 8-4-4-4-12")
    return text


def identifier(text: str) -> str:
    """xs:ID."""
    if not _NAME.fullmatch(text.strip()):
        raise ValueError("no name that can be an id")
    return text.strip()


def key_id(text: str) -> KeyId:
    """In either case, with or without hyphens."""
    return KeyId.parse(text)


def key_ids(text: str) -> tuple[KeyId, ...]:
    """One, or a list separated by blanks, as the text of CPIX 2.4 allows and its schema does not."""
    return tuple(KeyId.parse(each) for each in text.split())


def system_id(text: str) -> SystemId:
    return SystemId.parse(text)


def instant(text: str) -> int:
    """xs:dateTime in µs since 1970, UTC where no zone is given."""
    return of_mpd.instant(text)


def instant_text(instant_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=instant_us)).isoformat().replace("+00:00", "Z")


def duration(text: str) -> int:
    """xs:duration in µs. A year or a month has no length of its own."""
    return of_mpd.duration(text)


def duration_text(duration_us: int) -> str:
    whole, rest = divmod(duration_us, _MICROS)
    return f"PT{whole}.{rest:06d}".rstrip("0").rstrip(".") + "S" if rest else f"PT{whole}S"


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "string": str,
    "base64": base64_bytes,
    "boolean": boolean,
    "dateTime": instant,
    "duration": duration,
    "id": identifier,
    "integer": integer,
    "uuid": uuid,
}
"""Readers of the simple types that the schema names."""
