"""Common Media Client Data, version 1 (CTA-5004): what a player tells a CDN with each request, as text.

Which keys there are, how each is written, and which of the four headers carries it. Where the values come from is the
player's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

Value = str | int | float | bool
Values = Mapping[str, Value | None]
"""By key; None, and what the standard lets one leave out, is not sent."""

ARGUMENT: Final = "CMCD"
MOST_CHARACTERS: Final = 64  # of cid and sid


class Transmission(StrEnum):
    """How the data travel."""

    QUERY = "query"
    HEADER = "header"


class ObjectType(StrEnum):
    """`ot`: what is asked for."""

    MANIFEST = "m"
    AUDIO = "a"
    VIDEO = "v"
    MUXED = "av"
    INIT = "i"
    CAPTION = "c"
    TIMED_TEXT = "tt"
    KEY = "k"
    OTHER = "o"


class _Key(NamedTuple):
    header: str
    write: Callable[[Value], str | None]


def encode(values: Values) -> str:
    """`br=3200,bs,cid="…"`: the keys in alphabetical order."""
    return ",".join(_pairs(values))


def query(values: Values) -> str:
    """The query argument with its percent-encoded value; "" where there is nothing to say."""
    text = encode(values)
    return f"{ARGUMENT}={quote(text, safe='')}" if text else ""


def headers(values: Values) -> tuple[tuple[str, str], ...]:
    """The headers that have something to say, names in lower case."""
    by_header = {name: {key: value for key, value in values.items() if _KEYS[key].header == name} for name in _HEADERS}
    return tuple((name, text) for name, own in by_header.items() if (text := encode(own)))


def added(url: str, argument: str) -> str:
    """The URL with this argument behind its own, instead of one it may carry already."""
    scheme, authority, path, own, _ = urlsplit(without(url))
    return urlunsplit((scheme, authority, path, f"{own}&{argument}" if own else argument, ""))


def without(url: str) -> str:
    """The URL without the argument, as it was named."""
    if f"{ARGUMENT}=" not in url:
        return url
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if not pair.startswith(f"{ARGUMENT}=")]
    return urlunsplit(parts._replace(query="&".join(kept)))


def _pairs(values: Values) -> list[str]:
    written = ((key, _KEYS[key].write(value)) for key, value in sorted(values.items()) if value is not None)
    return [key + text for key, text in written if text is not None]


# ── how a value is written, with its equals sign; None: the key is left out ──────────────────────────────────────────


def _integer(value: Value) -> str:
    return f"={round(float(value))}"


def _hundreds(value: Value) -> str:
    """To the nearest 100, so that no two requests tell their sender apart by it."""
    return f"={int(float(value) / 100 + 0.5) * 100}"


def _flag(value: Value) -> str | None:
    return "" if value else None


def _token(value: Value) -> str:
    return f"={value}"


def _unless_one(value: Value) -> str | None:
    return None if value == 1 else f"={value:g}"


def _string(value: Value) -> str:
    """Raises: ValueError for what is no printable ASCII."""
    text = str(value)
    if not (text.isascii() and text.isprintable()):
        raise ValueError("a CMCD string of other than printable ASCII")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'="{escaped}"'


def _identifier(value: Value) -> str:
    """Raises: ValueError."""
    if len(str(value)) > MOST_CHARACTERS:
        raise ValueError(f"a CMCD identifier of more than {MOST_CHARACTERS} characters")
    return _string(value)


def _path(value: Value) -> str:
    return _string(quote(str(value), safe=""))


_OBJECT: Final = "cmcd-object"  # varies with the object
_REQUEST: Final = "cmcd-request"  # varies with each request
_SESSION: Final = "cmcd-session"  # stays
_STATUS: Final = "cmcd-status"  # varies with neither
_HEADERS: Final = (_OBJECT, _REQUEST, _SESSION, _STATUS)

_KEYS: Final[Mapping[str, _Key]] = {
    "bl": _Key(_REQUEST, _hundreds),  # ms
    "br": _Key(_OBJECT, _integer),  # kbit/s
    "bs": _Key(_STATUS, _flag),
    "cid": _Key(_SESSION, _identifier),
    "d": _Key(_OBJECT, _integer),  # ms
    "dl": _Key(_REQUEST, _hundreds),  # ms
    "mtp": _Key(_REQUEST, _hundreds),  # kbit/s
    "nor": _Key(_REQUEST, _path),
    "nrr": _Key(_REQUEST, _string),
    "ot": _Key(_OBJECT, _token),
    "pr": _Key(_SESSION, _unless_one),
    "rtp": _Key(_STATUS, _hundreds),  # kbit/s
    "sf": _Key(_SESSION, _token),
    "sid": _Key(_SESSION, _identifier),
    "st": _Key(_SESSION, _token),
    "su": _Key(_REQUEST, _flag),
    "tb": _Key(_OBJECT, _integer),  # kbit/s
    "v": _Key(_SESSION, _unless_one),
}
