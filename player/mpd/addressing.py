"""SegmentTemplate, SegmentList and SegmentBase with everything they inherit (ISO/IEC 23009-1, 5.3.9).

An attribute of the Representation goes before that of its AdaptationSet, and that before the Period's. A bad number
costs the Representation: a segment at a wrong time is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from player.mpd.base_urls import Bases
from player.mpd.document import Node, qualified
from player.mpd.model import Resource, SegmentBase, SegmentList, SegmentSource, SegmentTemplate, TimelineRun
from player.mpd.template import compile_template
from player.mpd.values import boolean, byte_range, integer, offset, positive, unsigned

T = TypeVar("T")

Chain = tuple[Node, ...]
"""Elements of one name, the innermost first."""


def source(levels: Sequence[Node], bases: Bases) -> SegmentSource:
    """How the segments of a Representation are addressed; where nothing says it, the BaseURL is all of it (5.3.9.1).

    `levels`: Representation, AdaptationSet, Period. URLs are those of the first of the alternatives.
    Raises: ManifestError
    """
    for level in levels:
        for name, read in _FORMS.items():
            if level.child(name) is not None:
                chain = tuple(node for one in levels if (node := one.child(name)) is not None)
                return read(chain, bases)
    if levels[0].child("BaseURL") is None:
        raise levels[0].broken("no SegmentTemplate, SegmentList, SegmentBase or BaseURL")
    return SegmentBase(timescale=1, presentation_time_offset=0, initialization=None, index_range=None)


def _template(chain: Chain, bases: Bases) -> SegmentTemplate:
    base_url = bases.first
    media = _text(chain, "media")
    if media is None:
        raise chain[0].broken("no @media")
    initialization = _text(chain, "initialization") or _literal_initialization(chain, base_url)
    for text in (media, initialization or ""):
        _check_template(chain[0], text, base_url)
    duration, runs = _durations(chain)
    return SegmentTemplate(
        timescale=_timescale(chain),
        presentation_time_offset=_number(chain, "presentationTimeOffset", 0),
        start_number=_number(chain, "startNumber", 1),
        end_number=_value(chain, "endNumber", unsigned),
        duration=duration,
        runs=runs,
        initialization=initialization,
        media=media,
        availability_time_offset_us=_availability_time_offset(chain, bases.offset_us),
        complete=_complete(chain, bases),
        ept_delta=_value(chain, "eptDelta", integer) or 0,
        parts=1 if duration is None else _parts(chain, duration),
        pd_delta=_value(chain, "pdDelta", integer) or 0,
    )


def _list(chain: Chain, bases: Bases) -> SegmentList:
    """The list itself is not merged: that of the innermost element with SegmentURLs counts (5.3.9.3)."""
    base_url = bases.first
    urls = next((found for node in chain if (found := tuple(node.children("SegmentURL")))), ())
    if not urls:
        raise chain[0].broken("no SegmentURL")
    timed = any("duration" in node.element.attrib or node.child("SegmentTimeline") is not None for node in chain)
    duration, runs = (None, None) if len(urls) == 1 and not timed else _durations(chain)
    return SegmentList(
        timescale=_timescale(chain),
        presentation_time_offset=_number(chain, "presentationTimeOffset", 0),
        start_number=_number(chain, "startNumber", 1),
        duration=duration,
        runs=runs,
        initialization=_resource_of(chain, "Initialization", base_url),
        segments=tuple(_resource(node, base_url, "media", "mediaRange") for node in urls),
        availability_time_offset_us=_availability_time_offset(chain, bases.offset_us),
        complete=_complete(chain, bases),
    )


def _base(chain: Chain, bases: Bases) -> SegmentBase:
    index = _resource_of(chain, "RepresentationIndex", bases.first)
    own = index is not None and index.url == bases.first and index.byte_range is not None
    index_range = index.byte_range if own and index is not None else _value(chain, "indexRange", byte_range)
    return SegmentBase(
        timescale=_timescale(chain),
        presentation_time_offset=_number(chain, "presentationTimeOffset", 0),
        initialization=_resource_of(chain, "Initialization", bases.first),
        index_range=index_range,
        index=None if own else index,
    )


_FORMS: Final[dict[str, Callable[[Chain, Bases], SegmentSource]]] = {
    "SegmentBase": _base,
    "SegmentList": _list,
    "SegmentTemplate": _template,
}


def _text(chain: Chain, name: str) -> str | None:
    return next((text for node in chain if (text := node.element.get(name)) is not None), None)


def _value(chain: Chain, name: str, convert: Callable[[str], T]) -> T | None:
    return next((node.exact(name, convert) for node in chain if name in node.element.attrib), None)


def _number(chain: Chain, name: str, default: int) -> int:
    value = _value(chain, name, unsigned)
    return default if value is None else value


def _timescale(chain: Chain) -> int:
    return _value(chain, "timescale", positive) or 1


def _availability_time_offset(chain: Chain, base_offset_us: int | None) -> int | None:
    """The sum over BaseURL and template; one INF makes it INF (5.3.9.5.3)."""
    given = any("availabilityTimeOffset" in node.element.attrib for node in chain)
    own_us = _value(chain, "availabilityTimeOffset", offset) if given else 0
    return None if own_us is None or base_offset_us is None else own_us + base_offset_us


def _complete(chain: Chain, bases: Bases) -> bool:
    own = _value(chain, "availabilityTimeComplete", boolean)
    return bases.complete if own is None else own


def _durations(chain: Chain) -> tuple[int | None, tuple[TimelineRun, ...] | None]:
    """`@duration` or the runs of a SegmentTimeline, whichever stands further in; the timeline where both do."""
    for node in chain:
        if (timeline := node.child("SegmentTimeline")) is not None:
            return None, _runs(timeline, _number(chain, "startNumber", 1))
        if (duration := node.exact("duration", positive)) is not None:
            return duration, None
    raise chain[0].broken("neither @duration nor SegmentTimeline")


def _parts(chain: Chain, duration: int) -> int:
    parts = _value(chain, "k", positive) or 1
    if parts > duration:
        raise chain[0].broken(f"@k: {parts} parts of {duration} ticks")
    return parts


def _runs(timeline: Node, start_number: int) -> tuple[TimelineRun, ...]:
    """The `S` of a timeline with times and numbers resolved; they stay runs (5.3.9.6).

    Hot: an hour of segments of 2 s with durations of their own has 1,800 of them.
    """
    runs: list[TimelineRun] = []
    time, number, repeat = 0, start_number, 0
    make, add = partial(tuple.__new__, TimelineRun), runs.append  # as the constructor, without its call
    try:
        for element in timeline.element.iterfind(qualified(timeline.document.namespace, "S")):
            attributes = element.attrib
            t, r, parts = attributes.get("t"), attributes.get("r"), 1
            if t is not None:
                start = unsigned(t)
                if start != time or repeat < 0:
                    time = _start(runs, start)
                    number = _number_at(runs, number)
            elif repeat < 0:
                raise ValueError("no @t after a run without end")
            duration = positive(attributes["d"])
            repeat = 0 if r is None else max(integer(r), -1)
            if "n" in attributes:
                number = unsigned(attributes["n"])
            if "k" in attributes:
                parts = _partition(attributes["k"], duration)
            add(make((time, duration, repeat, number, parts)))
            time += (repeat + 1) * duration
            number += repeat + 1
    except KeyError:
        raise timeline.broken(f"S[{len(runs) + 1}]: no @d") from None
    except ValueError as error:
        raise timeline.broken(f"S[{len(runs) + 1}]: {error}") from None
    return tuple(runs)


def _start(runs: list[TimelineRun], time: int) -> int:
    """`@t`; a run before it that repeats "until the next S" gets its end."""
    if not runs:
        return time
    last = runs[-1]
    if last.repeat < 0:
        repeat = -(-(time - last.time) // last.duration) - 1
        last = runs[-1] = last._replace(repeat=max(repeat, 0))
    if time <= last.time + last.repeat * last.duration:
        raise ValueError(f"@t {time} is not after the segment before it")
    return time


def _number_at(runs: list[TimelineRun], number: int) -> int:
    """The number behind the last run, whose length may only now be known."""
    return runs[-1].number + runs[-1].repeat + 1 if runs else number


def _partition(k: str, duration: int) -> int:
    parts = positive(k)
    if parts > duration:
        raise ValueError(f"@k: {parts} parts of {duration} ticks")
    return parts


def _literal_initialization(chain: Chain, base_url: str) -> str | None:
    """An Initialization element in a SegmentTemplate, as a template that stands for itself."""
    resource = _resource_of(chain, "Initialization", base_url)
    return None if resource is None else resource.url.replace("$", "$$")


def _resource_of(chain: Chain, name: str, base_url: str) -> Resource | None:
    found = next((child for node in chain if (child := node.child(name)) is not None), None)
    return None if found is None else _resource(found, base_url, "sourceURL", "range")


def _resource(node: Node, base_url: str, url_name: str, range_name: str) -> Resource:
    url = node.element.get(url_name)
    return Resource(
        url=base_url if url is None else node.resolve(base_url, url),
        byte_range=node.exact(range_name, byte_range),
    )


def _check_template(node: Node, text: str, base_url: str) -> None:
    try:
        compile_template(text, base_url, "", 0)
    except ValueError as error:
        raise node.broken(str(error)) from None
