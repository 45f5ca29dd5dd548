"""Usage rules and key periods of CPIX as a person types them.

`KID=video,maxPixels=921600+label=SD` is a rule, `p1=2026-01-01T00:00:00Z/PT8S` a period.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from player.backend.cpix import values
from player.backend.cpix.model import AudioFilter, BitrateFilter, Period, UsageRule, VideoFilter
from player.ids import KeyId

T = TypeVar("T")

RULE_HELP: Final = "what a key is for: video, audio, bitrate, each with ,minPixels=N …; label=TEXT; period=ID"
PERIOD_HELP: Final = "a key period: START/END, dates or offsets (PT8S), END a duration too; #INDEX; or a label"


def rule(text: str) -> UsageRule:
    """`KID=FILTER+FILTER…`, where a FILTER is a name with bounds after commas, or `label=…`, `period=…`."""
    return _option(_rule, text)


def period(text: str) -> Period:
    """`ID=START/END`, `ID=#INDEX` or `ID=LABEL`."""
    return _option(_period, text)


def _option(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text}: {error}") from None


def _rule(text: str) -> UsageRule:
    kid, equals, filters = text.partition("=")
    if not equals:
        raise ValueError("expected KID=FILTERS")
    found: dict[str, list[object]] = {"video": [], "audio": [], "bitrate": [], "labels": [], "periods": []}
    for each in filter(None, filters.split("+")):
        name, value = _filter(each)
        found[name].append(value)
    parts: Mapping[str, tuple[object, ...]] = {name: tuple(listed) for name, listed in found.items()}
    return UsageRule(kid=KeyId.parse(kid), **parts)  # type: ignore[arg-type] # each list has its own kind


def _period(text: str) -> Period:
    name, equals, when = text.partition("=")
    if not (equals and when):
        raise ValueError("expected ID=WHEN")
    start, slash, end = when.partition("/")
    if slash:
        return _bounded(values.identifier(name), start, end)
    if when.startswith("#"):
        return Period(id=values.identifier(name), index=values.integer(when[1:]))
    return Period(id=values.identifier(name), label=when)


def _bounded(name: str, start: str, end: str) -> Period:
    by_offset, lasts = start.startswith("P"), end.startswith("P")
    if by_offset:
        return Period(id=name, start_offset_us=values.duration(start), end_offset_us=values.duration(end))
    if lasts:
        return Period(id=name, start_us=values.instant(start), duration_us=values.duration(end))
    return Period(id=name, start_us=values.instant(start), end_us=values.instant(end))


def _filter(text: str) -> tuple[str, object]:
    name, *bounds = text.split(",")
    kind, equals, value = name.partition("=")
    if kind in _TEXTS and equals and value:
        return _TEXTS[kind], value
    if name not in _BOUNDED:
        raise ValueError(f"no filter {kind!r}; there are: {', '.join((*_BOUNDED, *_TEXTS))}")
    return name, _BOUNDED[name](**dict(_bound(name, each) for each in bounds))


def _bound(name: str, text: str) -> tuple[str, int | bool]:
    bound, _, value = text.partition("=")
    fields = {_camel(field): field for field in _BOUNDED[name].__slots__}  # type: ignore[attr-defined]
    if bound not in fields:
        raise ValueError(f"no bound {bound!r} of {name}; there are: {', '.join(fields)}")
    return fields[bound], values.boolean(value) if bound in ("hdr", "wcg") else values.integer(value)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.capitalize() for part in more)


_BOUNDED: Final[Mapping[str, Callable[..., object]]] = {
    "video": VideoFilter,
    "audio": AudioFilter,
    "bitrate": BitrateFilter,
}
_TEXTS: Final[Mapping[str, str]] = {"label": "labels", "period": "periods"}
