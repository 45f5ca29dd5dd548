"""Which key encrypts what: usage rules against the facts of one piece of content.

Filters of one type are OR-ed, types AND-ed, a type without a filter asks nothing. The media type is judged first, so a
fact is only missing where a filter of the right type needs it. A filter that nobody can judge, by its name or for want
of a fact, makes the whole mapping unusable: what is not understood must not be encrypted with a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from player.backend.cpix.model import AudioFilter, BitrateFilter, Document, Period, UsageRule, VideoFilter
from player.ids import KeyId


class Media(StrEnum):
    VIDEO = "video"
    AUDIO = "audio"
    OTHER = "other"


class Selector(StrEnum):
    """How keys are chosen. `intendedTrackType` is business data in CPIX; deployed packagers do select by it."""

    FILTERS = "filters"
    TRACK_TYPE = "track-type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of a piece of content; None: not known.

    `pixels` is coded width × height, `fps` the frame rate (half the field rate of interlaced video), `bitrate` bits a
    second, `periods` the ids of the key periods it lies in, `track_type` for the selector of that name.
    """

    media: Media
    pixels: int | None = None
    fps: Fraction | None = None
    hdr: bool | None = None
    wcg: bool | None = None
    channels: int | None = None
    bitrate: int | None = None
    labels: frozenset[str] = frozenset()
    periods: frozenset[str] | None = None
    track_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key, by the rules numbered from 0; `warnings` has `duplicate-match` where several rules name it."""

    kid: KeyId
    rules: tuple[int, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoKey:
    """There are rules and none matches: the content stays clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """There are no rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """Two keys for one piece of content: the document is not valid."""

    kids: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """Filters that cannot be judged, or facts that are not known: `pixels`, `fps`, …"""

    missing: tuple[str, ...]


Outcome = Key | NoKey | Impossible | Ambiguous | Unusable


def resolve(document: Document, context: Context, selector: Selector = Selector.FILTERS) -> Outcome:
    """The key for a piece of content."""
    if not document.rules:
        return Impossible()
    missing = tuple(dict.fromkeys(each for rule in document.rules for each in _MISSING[selector](rule, context)))
    if missing:
        return Unusable(missing=missing)
    matching = tuple(number for number, rule in enumerate(document.rules) if _MATCHES[selector](rule, context))
    kids = tuple(dict.fromkeys(document.rules[number].kid for number in matching))
    if not kids:
        return NoKey()
    if len(kids) > 1:
        return Ambiguous(kids=kids)
    return Key(kid=kids[0], rules=matching, warnings=("duplicate-match",) if len(matching) > 1 else ())


def periods_at(
    document: Document, *, clock_us: int | None = None, offset_us: int | None = None, index: int | None = None
) -> frozenset[str]:
    """Ids of the key periods at an instant (half open) or with an index, for `Context.periods`."""
    found = (
        period.id
        for period in document.periods
        if _within(period.clock, clock_us) or _within(period.offsets, offset_us) or _indexed(period, index)
    )
    return frozenset(each for each in found if each is not None)


# ── what is not known ────────────────────────────────────────────────────────────────────────────────────────────────


def _filters_missing(rule: UsageRule, context: Context) -> Iterator[str]:
    yield from rule.unknown
    if rule.periods and context.periods is None:
        yield "periods"
    if context.media is Media.VIDEO:
        yield from (name for each in rule.video for name in _unknown(_VIDEO_FACTS, each, context))
    if context.media is Media.AUDIO:
        yield from (name for each in rule.audio for name in _unknown(_AUDIO_FACTS, each, context))
    yield from (name for each in rule.bitrate for name in _unknown(_BITRATE_FACTS, each, context))


def _track_type_missing(rule: UsageRule, context: Context) -> Iterator[str]:
    if rule.periods and context.periods is None:
        yield "periods"
    if rule.intended_track_type is not None and context.track_type is None:
        yield "track_type"


def _unknown(facts: Mapping[str, tuple[str, ...]], one: object, context: Context) -> Iterator[str]:
    for fact, bounds in facts.items():
        if getattr(context, fact) is None and any(getattr(one, bound) is not None for bound in bounds):
            yield fact


_VIDEO_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pixels": ("min_pixels", "max_pixels"),
    "fps": ("min_fps", "max_fps"),
    "hdr": ("hdr",),
    "wcg": ("wcg",),
}
_AUDIO_FACTS: Final[Mapping[str, tuple[str, ...]]] = {"channels": ("min_channels", "max_channels")}
_BITRATE_FACTS: Final[Mapping[str, tuple[str, ...]]] = {"bitrate": ("min_bitrate", "max_bitrate")}


# ── what matches ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _filters_match(rule: UsageRule, context: Context) -> bool:
    return (
        _in_period(rule, context)
        and (not rule.labels or bool(context.labels.intersection(rule.labels)))
        and (not rule.video or any(_is_video(each, context) for each in rule.video))
        and (not rule.audio or any(_is_audio(each, context) for each in rule.audio))
        and (not rule.bitrate or any(_has_bitrate(each, context) for each in rule.bitrate))
    )


def _track_type_matches(rule: UsageRule, context: Context) -> bool:
    return _in_period(rule, context) and rule.intended_track_type in (None, context.track_type)


def _in_period(rule: UsageRule, context: Context) -> bool:
    return not rule.periods or bool((context.periods or frozenset()).intersection(rule.periods))


def _is_video(one: VideoFilter, context: Context) -> bool:
    return (
        context.media is Media.VIDEO
        and _between(one.min_pixels, context.pixels, one.max_pixels)
        and _above(one.min_fps, context.fps)
        and _between(None, context.fps, one.max_fps)
        and one.hdr in (None, context.hdr)
        and one.wcg in (None, context.wcg)
    )


def _is_audio(one: AudioFilter, context: Context) -> bool:
    return context.media is Media.AUDIO and _between(one.min_channels, context.channels, one.max_channels)


def _has_bitrate(one: BitrateFilter, context: Context) -> bool:
    return _between(one.min_bitrate, context.bitrate, one.max_bitrate)


def _between(low: int | None, value: int | Fraction | None, high: int | None) -> bool:
    """Both ends are in. A value nobody knows has no bounds here: that was judged before."""
    return value is None or ((low is None or low <= value) and (high is None or value <= high))


def _above(low: int | None, value: Fraction | None) -> bool:
    """Frame rates alone: the lower end is out."""
    return low is None or value is None or low < value


def _within(bounds: tuple[int, int] | None, instant: int | None) -> bool:
    return bounds is not None and instant is not None and bounds[0] <= instant < bounds[1]


def _indexed(period: Period, index: int | None) -> bool:
    return index is not None and period.index == index


_MISSING: Final[Mapping[Selector, Callable[[UsageRule, Context], Iterator[str]]]] = {
    Selector.FILTERS: _filters_missing,
    Selector.TRACK_TYPE: _track_type_missing,
}
_MATCHES: Final[Mapping[Selector, Callable[[UsageRule, Context], bool]]] = {
    Selector.FILTERS: _filters_match,
    Selector.TRACK_TYPE: _track_type_matches,
}
