"""AdaptationSets and Representations, and what they inherit: base URLs, addressing, protection, type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from player.mpd import addressing, base_urls, descriptors
from player.mpd.base_urls import Bases
from player.mpd.document import Node
from player.mpd.model import AdaptationSet, ContentProtection, Representation, SegmentBase, SegmentSource
from player.mpd.protection import Definitions, protections
from player.mpd.service import reference_times
from player.mpd.values import positive, unsigned

KINDS: Final = frozenset({"video", "audio", "text", "image"})
CODEC_KINDS: Final = {
    **dict.fromkeys(("avc1", "avc3", "hvc1", "hev1", "dvh1", "dvhe", "vvc1", "vvi1", "av01"), "video"),
    **dict.fromkeys(("vp08", "vp09", "vp8", "vp9"), "video"),
    **dict.fromkeys(("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "mha1", "mhm1", "dtsc", "dtse", "dtsx"), "audio"),
    **dict.fromkeys(("stpp", "wvtt", "ttml"), "text"),
}
"""What a codec says of a set that has neither a content type nor a telling MIME type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an element hands down to those below it."""

    bases: Bases
    defined: Definitions
    protections: tuple[ContentProtection, ...] = ()  # of MPD and Period
    endless: bool = False  # a static Period whose end nobody told


def descend(node: Node, scope: Scope) -> Scope:
    """The scope below an element."""
    return replace(scope, bases=base_urls.descend(node, scope.bases))


def adaptation_sets(period: Node, scope: Scope) -> tuple[AdaptationSet, ...]:
    """The sets of a Period that can be played."""
    return _agreed(
        period, period.whole(period.children("AdaptationSet"), lambda node: _adaptation_set(node, period, scope))
    )


def _adaptation_set(node: Node, period: Node, outer: Scope) -> AdaptationSet | None:
    if descriptors.set_aside(node):
        return None
    scope = descend(node, outer)
    representations = node.whole(
        node.children("Representation"), lambda part: _representation(part, (node, period), scope)
    )
    if not representations:
        raise node.broken("no Representation that can be played")
    return AdaptationSet(
        id=node.string("id") or str(node.position),
        kind=_kind(node, representations[0]),
        lang=node.string("lang"),
        representations=representations,
        protections=(*protections(node, scope.defined), *scope.protections),
        roles=tuple(role.string("value") for role in node.children("Role")),
        switchable_with=descriptors.values(descriptors.read((node,), "SupplementalProperty"), descriptors.SWITCHING),
        selection_priority=_or(node.lenient("selectionPriority", unsigned), 1),
        initialization_sets=tuple(node.string("initializationSetRef").split()),
    )


def _representation(node: Node, above: tuple[Node, Node], outer: Scope) -> Representation | None:
    if descriptors.set_aside(node):
        return None
    scope = descend(node, outer)
    levels = (node, above[0])
    source = addressing.source((node, *above), scope.bases)
    if scope.endless and _needs_an_end(source):
        raise node.broken("segments without end: neither the Period nor the MPD has a duration")
    return Representation(
        id=node.string("id") or f"{above[0].position}.{node.position}",
        bandwidth=node.lenient("bandwidth", unsigned) or 0,
        mime_type=_own_or(node, above[0], "mimeType"),
        codecs=_own_or(node, above[0], "codecs"),
        base_urls=tuple(base.url for base in scope.bases.urls),
        alternatives=scope.bases.urls,
        source=source,
        width=_dimension(node, above[0], "width"),
        height=_dimension(node, above[0], "height"),
        protections=protections(node, scope.defined),
        supplemental=descriptors.read(levels, "SupplementalProperty"),
        inband_events=descriptors.read(levels, "InbandEventStream"),
        reference_times=tuple(time for level in levels for time in reference_times(level)),
        quality=node.lenient("qualityRanking", unsigned),
        frame_rate=_own_or(node, above[0], "frameRate"),
        depends_on=tuple(node.string("dependencyId").split()),
    )


def _needs_an_end(source: SegmentSource) -> bool:
    if isinstance(source, SegmentBase):
        return False
    return source.runs is None or any(run.repeat < 0 for run in source.runs)


def _own_or(node: Node, parent: Node, name: str) -> str:
    return node.string(name) or parent.string(name)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _dimension(node: Node, parent: Node, name: str) -> int | None:
    own = node.lenient(name, positive)
    return parent.lenient(name, positive) if own is None else own


def _kind(node: Node, first: Representation) -> str:
    """From @contentType, else the MIME type, else the codec."""
    return next((kind for kind in _kinds(node, first) if kind in KINDS), "unknown")


def _kinds(node: Node, first: Representation) -> Iterator[str]:
    yield node.string("contentType").strip().lower()
    yield first.mime_type.partition("/")[0].strip().lower()
    codec = first.codecs.split(",")[0].partition(".")[0].strip().lower()
    yield CODEC_KINDS.get(codec, "")
    if "ttml" in first.mime_type:
        yield "text"


def _agreed(period: Node, sets: tuple[AdaptationSet, ...]) -> tuple[AdaptationSet, ...]:
    """Sets with equal default key ids get equal descriptors: those of the first (DASH-IF security guideline)."""
    first: dict[frozenset[bytes], AdaptationSet] = {}
    agreed = []
    for one in sets:
        kids = frozenset(kid for protection in one.protections for kid in protection.default_kids)
        model = first.setdefault(kids, one) if kids else one
        if model.protections != one.protections:
            period.warn(f"AdaptationSet {one.id!r}: other ContentProtection than {model.id!r} for the same default_KID")
        agreed.append(replace(one, protections=model.protections))
    return tuple(agreed)
