"""A second reading of an MPD, by XPath and nobody else's code: it must find what ours finds.

It asks the tree question by question, with the inheritance rules written as paths, so that it shares neither code nor
structure with the reader.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from player.mpd.model import Representation, SegmentTemplate
from player.mpd.parse import parse

NAMES = {"m": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}
LEVELS = ("self::*", "parent::*", "parent::*/parent::*")  # Representation, AdaptationSet, Period


def compare(data: bytes, url: str) -> int:
    """Both readings of every Representation whose id stands once in its Period; gives how many there are."""
    tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    ours = parse(data, url)
    compared = 0
    for place, period in enumerate(ours.periods, 1):
        for representation in (r for group in period.adaptation_sets for r in group.representations):
            element = _element(tree, place, len(ours.periods), representation)
            if element is not None:
                assert _told(representation) == _asked(element, url)
                compared += 1
    return compared


def _element(tree: Any, place: int, periods: int, representation: Representation) -> Any | None:
    """The one element of that id in its Period, where every Period was read."""
    if len(_find(tree, "m:Period")) != periods:
        return None
    found = _find(tree, f"m:Period[{place}]/m:AdaptationSet/m:Representation[@id={_quoted(representation.id)}]")
    return found[0] if len(found) == 1 else None


def _told(representation: Representation) -> dict[str, object]:
    source = representation.source
    told: dict[str, object] = {
        "bandwidth": representation.bandwidth,
        "mime": representation.mime_type,
        "codecs": representation.codecs,
        "width": representation.width,
        "base": representation.base_urls[0],
        "timescale": source.timescale,
        "offset": source.presentation_time_offset,
        "kids": sorted({str(kid) for p in representation.protections for kid in p.default_kids}),
    }
    if isinstance(source, SegmentTemplate):
        told |= {"media": source.media, "start": source.start_number, "duration": source.duration}
        told["listed"] = [(run.duration, run.repeat) for run in source.runs or () if run.repeat >= 0]
    return told


def _asked(element: Any, url: str) -> dict[str, object]:
    form = _form(element)
    told: dict[str, object] = {
        "bandwidth": int(element.get("bandwidth") or 0),
        "mime": _first(element, "mimeType", LEVELS[:2]) or "",
        "codecs": _first(element, "codecs", LEVELS[:2]) or "",
        "width": _number(_first(element, "width", LEVELS[:2])),
        "base": _base(element, url),
        "timescale": _number(_of(element, form, "timescale")) or 1,
        "offset": _number(_of(element, form, "presentationTimeOffset")) or 0,
        "kids": _kids(element),
    }
    if form == "SegmentTemplate":
        start = _number(_of(element, form, "startNumber"))
        told |= {"media": _of(element, form, "media"), "start": 1 if start is None else start}
        told |= _times(element, form)
    return told


def _form(element: Any) -> str:
    """The addressing form of the innermost level that has one; none is a BaseURL alone."""
    for level in LEVELS:
        for form in ("SegmentBase", "SegmentList", "SegmentTemplate"):
            if _find(element, f"{level}/m:{form}"):
                return form
    return "SegmentBase"


def _times(element: Any, form: str) -> dict[str, object]:
    """@duration or a timeline, whichever stands further in."""
    for level in LEVELS:
        timelines = _find(element, f"{level}/m:{form}/m:SegmentTimeline")
        if timelines:
            listed = _listed(_find(timelines[0], "m:S"))
            return {"duration": None, "listed": [(d, r) for d, r in listed if r >= 0]}
        duration = _number(next(iter(_find(element, f"{level}/m:{form}/@duration")), None))
        if duration is not None:
            return {"duration": duration, "listed": []}
    return {"duration": None, "listed": []}


def _listed(entries: list[Any]) -> list[tuple[int, int]]:
    """@d and @r of each S; what repeats until the next one is counted."""
    listed, time = [], 0
    for entry, following in zip_longest(entries, entries[1:]):
        time, d, r = int(entry.get("t") or time), int(entry.get("d")), int(entry.get("r") or 0)
        if r < 0 and following is not None:
            r = len(range(time, int(following.get("t")), d)) - 1
        listed.append((d, r))
        time += d * (r + 1)
    return listed


def _base(element: Any, url: str) -> str:
    """BaseURLs from the outside in; the first of each level counts."""
    for level in ("/m:MPD", *reversed(LEVELS)):
        texts = _find(element, f"{level}/m:BaseURL[1]/text()")
        url = urljoin(url, texts[0].strip()) if texts else url
    return url


def _kids(element: Any) -> list[str]:
    """Of the Representation's own descriptors and those that they refer to."""
    found = set()
    for protection in _find(element, "m:ContentProtection"):
        values = protection.get(f"{{{NAMES['cenc']}}}default_KID")
        reference = protection.get("ref")
        if values is None and reference is not None:
            values = next(
                iter(_find(element, f"//m:ContentProtection[@refId={_quoted(reference)}]/@cenc:default_KID")), None
            )
        found |= {value.lower() for value in (values or "").split()}
    return sorted(found)


def _of(element: Any, form: str, name: str) -> str | None:
    return next((found[0] for level in LEVELS if (found := _find(element, f"{level}/m:{form}/@{name}"))), None)


def _first(element: Any, name: str, levels: tuple[str, ...]) -> str | None:
    return next((found[0] for level in levels if (found := _find(element, f"{level}/@{name}")) and found[0]), None)


def _find(element: Any, path: str) -> list[Any]:
    found: list[Any] = element.xpath(path, namespaces=NAMES)
    return found


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _quoted(text: str) -> str:
    return f"'{text}'" if "'" not in text else f'"{text}"'
