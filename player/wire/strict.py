"""Strict JSON and strict base64url: what both sides demand of every document, before they look at its members.

Knows nothing of licenses. `json.loads` by itself takes UTF-16, NaN, 1e400, duplicate members and lone surrogates, and
`base64` skips characters that it does not know; every one of these has let a damaged license through.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Final, NoReturn

from player.errors import LicenseError

MAX_DOCUMENT_BYTES: Final = 64 * 1024  # choice: the limit Chromium puts on init data and responses
MAX_DEPTH: Final = 32  # choice: our deepest document has 4 levels; a fixed bound, so that no caller's stack decides
MAX_DIGITS: Final = 19  # choice: 2**63 has 19 digits; Python refuses more than 4300 with a bare ValueError

JsonObject = Mapping[str, object]

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")
_TOLERANT: Final = str.maketrans("+/", "-_")


class _VetoError(Exception):
    """A hook's veto; never leaves this module."""


def read_object(data: bytes, what: str, *, most: int = MAX_DOCUMENT_BYTES) -> JsonObject:
    """The JSON object in `data` of `most` bytes at most; `what` names the document in errors.

    Raises: LicenseError. It never quotes the document, nor holds it: a license is full of keys.
    """
    if len(data) > most:
        raise LicenseError("too-large", f"{what}: {len(data)} bytes, at most {most} are read")
    value, fault = _parse(data)
    if fault:
        raise LicenseError("bad-json", f"{what}: {fault}")
    if not isinstance(value, dict):
        raise LicenseError("bad-json", f"{what}: the document is no JSON object")
    return value


def write_object(value: JsonObject) -> bytes:
    """Canonical JSON: sorted members, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def b64url_encode(raw: bytes) -> str:
    """base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64url_decode(text: str, place: str, *, tolerant: bool = False) -> bytes:
    """The bytes of unpadded base64url: its alphabet, a length that can be, unused trailing bits zero (RFC 7515, 2).

    `tolerant` takes plain base64 and padding as well: a license server reads what deployed players send.
    Raises: LicenseError with the place, without the text.
    """
    if tolerant:
        text = text.rstrip("=").translate(_TOLERANT)
    if not _ALPHABET.fullmatch(text) or len(text) % 4 == 1:
        raise LicenseError("bad-base64url", f"{place}: not base64url without padding")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url_encode(raw) != text:
        raise LicenseError("bad-base64url", f"{place}: unused trailing bits are not zero")
    return raw


def _parse(data: bytes) -> tuple[object, str]:
    """(value, "") or (None, what is wrong). Errors end here: those of `json` and `decode` hold the document."""
    try:
        value: object = _DECODER.decode(data.decode("utf-8", "strict"))
        _check(value, MAX_DEPTH)
    except UnicodeError as error:
        return None, "not UTF-8" if isinstance(error, UnicodeDecodeError) else "a lone surrogate in a text"
    except _VetoError as refused:
        return None, str(refused)
    except json.JSONDecodeError as error:
        return None, f"not JSON at character {error.pos}"
    except RecursionError:
        return None, f"nested deeper than {MAX_DEPTH} levels"
    return value, ""


def _check(value: object, levels: int) -> None:
    """Bounded nesting, and every text encodable: `\\ud800` parses and would fail much later."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict | list):
        if not levels:
            raise _VetoError(f"nested deeper than {MAX_DEPTH} levels")
        for item in value:
            _check(item, levels - 1)
        if isinstance(value, dict):
            for item in value.values():
                _check(item, levels - 1)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _VetoError("a member stands twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS + digits.startswith("-"):
        raise _VetoError(f"an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):  # 1e400 becomes infinity without passing parse_constant
        raise _VetoError("a number too large")
    return number


def _constant(name: str) -> NoReturn:
    raise _VetoError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
