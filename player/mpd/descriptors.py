"""Descriptors: what must be understood, what may be, and what media segments carry (ISO/IEC 23009-1, 5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from player.mpd.document import Node
from player.mpd.model import Descriptor

TRICK_MODE: Final = "http://dashif.org/guidelines/trickmode"
SWITCHING: Final = "urn:mpeg:dash:adaptation-set-switching:2016"
CONTINUITY: Final = "urn:mpeg:dash:period-continuity:2015"
CONNECTIVITY: Final = "urn:mpeg:dash:period-connectivity:2015"
HARMLESS_PROPERTIES: Final = (
    "urn:mpeg:mpegb:cicp:",  # colour: nothing here looks at pictures
    "urn:mpeg:dash:urlparam:",  # only where a player changes URLs by itself
    "http://dashif.org/guidelines/last-segment-number",
)


def read(nodes: Sequence[Node], name: str) -> tuple[Descriptor, ...]:
    """The descriptors of that name on all levels given, each once, the innermost first."""
    found = [
        Descriptor(scheme=node.string("schemeIdUri").strip(), value=node.string("value"))
        for level in nodes
        for node in level.children(name)
    ]
    return tuple(dict.fromkeys(found))


def set_aside(node: Node) -> bool:
    """Whether an EssentialProperty asks for something nobody here can do: then a player leaves the part (5.8.4.8)."""
    schemes = {prop.scheme for prop in read((node,), "EssentialProperty")}
    unknown = sorted(scheme for scheme in schemes if not scheme.lower().startswith(HARMLESS_PROPERTIES))
    for scheme in unknown:
        if scheme != TRICK_MODE:
            node.warn(f"left out: EssentialProperty {scheme[:80]!r} is not known")
    return bool(unknown)


def values(descriptors: Sequence[Descriptor], scheme: str) -> tuple[str, ...]:
    """What the descriptors of one scheme list, split at commas."""
    listed = [value for one in descriptors if one.scheme == scheme for value in one.value.split(",")]
    return tuple(value.strip() for value in listed if value.strip())
