"""Mutations of MPDs and of segments: a list of small numbers says what is done and where, so that a failure shrinks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

Step = tuple[int, int, int]
"""Which mutation, where (modulo the places there are), and with what (modulo the values there are)."""

VALUES: Final = (
    *(
        "",
        "0",
        "1",
        "-1",
        "+1",
        "2147483648",
        "9007199254740993",
        "18446744073709551616",
        "9" * 40,
        "1.5",
        "NaN",
        "1e9",
    ),
    *("PT0S", "PT-5S", "-PT5S", "PT1M0.000000001S", "P9999Y", "P1D", "P", "true", "dynamic", "static", "$Number$"),
    *("$Number%09999d$", "$Time$", "$$", "$", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00Z"),
    *("0-0", "5-1", "0-99999999", "http://[", "//", "../../..", "ftp://a/b", "video", "audio", "avc1.64000b", "\u2028"),
    *("urn:mpeg:dash:utc:direct:2014", "urn:mpeg:dash:event:2012", "#", "x.mpd", "PT1S", "low/init.mp4", "&lt;"),
)
ELEMENTS: Final = (
    *('<S t="0" d="0" r="-1"/>', '<S d="1" r="99999999999"/>', '<S t="5" d="1" r="1000000"/>', "<BaseURL>x/</BaseURL>"),
    *("<Location>x.mpd</Location>", "<Location>http://nobody.test/x.mpd</Location>", "<Period/>", "<Period id='0'/>"),
    *("<AdaptationSet/>", "<Representation/>", "<SegmentTemplate/>", "<SegmentList/>", "<SegmentBase/>", "<!-- -->"),
    *("<SegmentTimeline/>", '<EventStream schemeIdUri="urn:mpeg:dash:event:2012"><Event/></EventStream>', "text"),
    *('<EssentialProperty schemeIdUri="urn:x"/>', '<ContentProtection schemeIdUri="urn:x"/>', "<FailoverContent/>"),
    *('<Period xmlns:x="http://www.w3.org/1999/xlink" x:href="x.mpd"/>', "<PatchLocation>x.mpd</PatchLocation>"),
    *('<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="time"/>', "<ServiceDescription/>"),
    *('<SegmentTemplate media="$Number$" duration="1" timescale="1000000"/>', "<InbandEventStream/>"),
)
INTEGERS: Final = (0, 1, 2, 7, 8, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x6D64_6174, 0x6D6F_6F66)

_ATTRIBUTE: Final = re.compile(r'(?<= )([\w:]+)="([^"]*)"')
_TAG: Final = re.compile(r"<[A-Za-z][^>]*/>|<[A-Za-z][^>]*>|</[^>]+>")
_TEXT: Final = re.compile(r"(?<=>)[^<>]*[^<>\s][^<>]*(?=<)")
_WHOLE: Final = re.compile(r"(?s)<(\w+)[^>]*?(?:/>|>.*?</\1>)")


def mpd(text: str, steps: Sequence[Step]) -> str:
    """An MPD after the steps, most of the time well-formed still."""
    for which, where, what in steps:
        text = _OF_MPDS[which % len(_OF_MPDS)](text, where, what)
    return text


def segment(data: bytes, steps: Sequence[Step]) -> bytes:
    for which, where, what in steps:
        data = _OF_SEGMENTS[which % len(_OF_SEGMENTS)](data, where, what)
    return data


def _put(pattern: re.Pattern[str], text: str, where: int, new: Callable[[re.Match[str]], str]) -> str:
    """Replace one of the places that a pattern finds."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    at = found[where % len(found)]
    return text[: at.start()] + new(at) + text[at.end() :]


def _value(what: int) -> str:
    return VALUES[what % len(VALUES)]


def _another(text: str, what: int) -> str:
    found = _ATTRIBUTE.findall(text)
    return found[what % len(found)][1] if found else ""


_OF_MPDS: Final[Sequence[Callable[[str, int, int], str]]] = (
    lambda text, where, what: _put(_ATTRIBUTE, text, where, lambda at: f'{at[1]}="{_value(what)}"'),
    lambda text, where, what: _put(_ATTRIBUTE, text, where, lambda at: f'{at[1]}="{_value(what)}"'),
    lambda text, where, what: _put(_ATTRIBUTE, text, where, lambda at: f'{at[1]}="{_another(text, what)}"'),
    lambda text, where, what: _put(_ATTRIBUTE, text, where, lambda at: ""),
    lambda text, where, what: _put(_WHOLE, text, where, lambda at: ""),
    lambda text, where, what: _put(_WHOLE, text, where, lambda at: at[0] * (2 + what % 3)),
    lambda text, where, what: _put(_TAG, text, where, lambda at: at[0] + ELEMENTS[what % len(ELEMENTS)]),
    lambda text, where, what: _put(_TEXT, text, where, lambda at: _value(what)),
    lambda text, where, what: _put(_TAG, text, where, lambda at: ""),
    lambda text, where, what: text[: where % (len(text) + 1)],
)


def _overwrite(data: bytes, where: int, new: bytes) -> bytes:
    at = where % (len(data) + 1)
    return data[:at] + new + data[at + len(new) :]


def _box(data: bytes, where: int) -> int:
    """Where one of the boxes begins, as far as their types look like types."""
    found = [at.start() - 4 for at in re.finditer(rb"[a-z][a-z0-9]{3}", data[:4096]) if at.start() >= 4]
    return found[where % len(found)] if found else 0


_OF_SEGMENTS: Final[Sequence[Callable[[bytes, int, int], bytes]]] = (
    lambda data, where, what: _overwrite(data, where, bytes([what % 256])),
    lambda data, where, what: _overwrite(
        data, _box(data, where) + what // 16 % 12 * 4, INTEGERS[what % len(INTEGERS)].to_bytes(4)
    ),
    lambda data, where, what: _overwrite(
        data, _box(data, where) + what // 16 % 32, INTEGERS[what % len(INTEGERS)].to_bytes(4)
    ),
    lambda data, where, what: data[: where % (len(data) + 1)],
    lambda data, where, what: data[where % (len(data) + 1) :],
    lambda data, where, what: data + data[: where % (len(data) + 1)],
    lambda data, where, what: data[: (at := _box(data, where))] + data[at + 8 + what % 64 :],
    lambda data, where, what: b"",
)

MUTATIONS: Final[Mapping[str, int]] = {"mpd": len(_OF_MPDS), "segment": len(_OF_SEGMENTS)}
