"""The lexical forms of an MPD: one function for each, from text to an exact value.

All raise ValueError with what is wrong; the reader of the element adds where. Surrounding blanks are allowed, as the
whitespace rules of XML Schema have it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import date
from typing import Final

from player.clock import SECOND
from player.ids import KeyId
from player.mpd.model import ByteRange

BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
DAY_S: Final = 86_400
MAX_DIGITS: Final = 20  # 64 bits
MAX_SECONDS: Final = 10_000 * 366 * DAY_S
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_INTEGER: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?=.)(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?"
    r"(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:\.(\d{1,99}))?S)?)?",
    re.ASCII,
)
_DURATION_UNITS_S: Final = (
    365 * DAY_S,
    30 * DAY_S,
    DAY_S,
    3600,
    60,
    1,
)  # years and months have no fixed length: players take these

_DATE: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,99}))?(?:(Z)|([+-])(\d\d):(\d\d))?", re.ASCII
)
_RANGE: Final = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


def boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.strip()]
    except KeyError:
        raise ValueError(f"{_short(text)} is neither true nor false") from None


def unsigned(text: str) -> int:
    """xs:unsignedInt and xs:unsignedLong."""
    if text.isdigit() and text.isascii() and len(text) <= MAX_DIGITS:
        return int(text)
    digits = text.strip().removeprefix("+")
    if digits.isdigit() and digits.isascii() and len(digits) <= MAX_DIGITS:
        return int(digits)
    raise ValueError(f"{_short(text)} is no whole number from 0")


def positive(text: str) -> int:
    value = unsigned(text)
    if not value:
        raise ValueError("0 where at least 1 is needed")
    return value


def integer(text: str) -> int:
    """xs:integer of at most 64 bits, as `S@r`."""
    if text.isdigit():
        return unsigned(text)
    if _INTEGER.fullmatch(text.strip()) is None:
        raise ValueError(f"{_short(text)} is no whole number")
    return int(text)


def duration(text: str) -> int:
    """xs:duration in µs, by floor; none is negative in an MPD."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_short(text)} is no duration such as PT1H2M3.5S")
    *units, fraction = match.groups()
    whole_s = sum(int(count) * unit for count, unit in zip(units, _DURATION_UNITS_S, strict=True) if count)
    if whole_s > MAX_SECONDS:
        raise ValueError(f"{_short(text)} is longer than any presentation")
    return whole_s * SECOND + _micros(fraction)


def instant(text: str) -> int:
    """xs:dateTime in µs since 1970; without a zone it is UTC (ISO/IEC 23009-1, 5.3.1.2)."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_short(text)} is no date such as 2026-01-31T12:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, _, sign, zone_hour, zone_minute = match.groups()[6:]
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError(f"{_short(text)} is no time of day")
    days = date(year, month, day).toordinal() - EPOCH_DAY
    zone_s = (int(zone_hour) * 3600 + int(zone_minute) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return (days * DAY_S + hour * 3600 + minute * 60 + second - zone_s) * SECOND + _micros(fraction)


def offset(text: str) -> int | None:
    """`@availabilityTimeOffset`, seconds or INF, in µs; None: INF (5.3.9.5.2)."""
    try:
        value_s = float(text)
    except ValueError:
        raise ValueError(f"{_short(text)} is no number of seconds") from None
    if math.isnan(value_s) or value_s == -math.inf:
        raise ValueError(f"{_short(text)} is no number of seconds")
    return None if value_s > MAX_SECONDS else round(max(value_s, -MAX_SECONDS) * SECOND)


def byte_range(text: str) -> ByteRange:
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_short(text)} is no byte range such as 0-1023")
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise ValueError(f"byte range {first}-{last} ends before it starts")
    return first, last


def binary(text: str) -> bytes:
    """Base64, perhaps broken over lines."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("no base64") from None


def key_ids(text: str) -> tuple[KeyId, ...]:
    """`cenc:default_KID`: a list of UUIDs. The all-zero one means that there is no default (ISO/IEC 23001-7, 11.2)."""
    try:
        kids = tuple(KeyId.parse(word) for word in text.split())
    except ValueError:
        raise ValueError(f"{_short(text)} is no list of key ids") from None
    return tuple(dict.fromkeys(kid for kid in kids if not kid.is_zero))


def _micros(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
