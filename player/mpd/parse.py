"""From the bytes of an MPD to a Presentation (ISO/IEC 23009-1, 5.3).

Fetches nothing and follows nothing: xlink, Location and BaseURL are data. A broken part costs that part and a warning;
what is no MPD at all, or has nothing to play, costs the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from player.clock import SECOND
from player.errors import ManifestError
from player.mpd import base_urls, descriptors, service
from player.mpd.document import XLINK_HREF, Node, read
from player.mpd.model import EventStream, MpdEvent, Period, Presentation, RemoteElement
from player.mpd.protection import definitions, inherited
from player.mpd.sets import Scope, adaptation_sets, descend
from player.mpd.values import duration, instant, positive, unsigned
from player.mpd.xlink import links


class Span(NamedTuple):
    """A Period element with its computed place on the presentation timeline."""

    node: Node
    start_us: int
    duration_us: int | None  # of the element itself, then computed


def parse(data: bytes, url: str) -> Presentation:
    """An MPD as fetched from `url` (after redirects).

    Raises: ManifestError
    """
    return present(read(data, url))


def present(root: Node) -> Presentation:
    """What a document says; it may have been patched, or had remote elements put in their place.

    Raises: ManifestError
    """
    url = root.document.url
    dynamic = root.string("type").strip() == "dynamic"
    defined = definitions(root)
    scope = descend(
        root, Scope(bases=base_urls.of_document(url), defined=defined, protections=inherited(root, defined))
    )
    remote_spans: list[Span] = []
    spans = _spans(root, dynamic, remote_spans)
    periods = tuple(_period(span, name, scope, dynamic) for span, name in zip(spans, _names(spans), strict=True))
    remote = _with_starts(links(root), spans, remote_spans)
    if not remote and not any(period.adaptation_sets for period in periods):
        raise _nothing_to_play(root)
    return Presentation(
        url=url,
        dynamic=dynamic,
        periods=periods,
        duration_us=root.lenient("mediaPresentationDuration", duration),
        availability_start_wall_us=_availability_start(root) if dynamic else 0,
        availability_end_wall_us=root.lenient("availabilityEndTime", instant),
        publish_wall_us=root.lenient("publishTime", instant),
        minimum_update_us=root.lenient("minimumUpdatePeriod", duration) if dynamic else None,
        time_shift_us=root.lenient("timeShiftBufferDepth", duration) if dynamic else None,
        suggested_delay_us=root.lenient("suggestedPresentationDelay", duration),
        utc_timings=tuple((node.string("schemeIdUri"), node.string("value")) for node in root.children("UTCTiming")),
        locations=root.whole(root.children("Location"), lambda node: node.resolve(url, node.text())),
        id=root.string("id"),
        early_periods=early_periods(root) if dynamic else (),
        remote=remote,
        patches=service.patches(root) if dynamic else (),
        steering=service.steering(root),
        service=service.description(root),
        initialization_sets=service.initialization_sets(root, defined),
        longest_segment_us=root.lenient("maxSegmentDuration", duration),
        warnings=root.document.notes.all(),
    )


def _availability_start(root: Node) -> int:
    start_us = root.lenient("availabilityStartTime", instant)
    if start_us is None:
        root.warn("dynamic without @availabilityStartTime: 1970 is taken")
    return start_us or 0


def _nothing_to_play(root: Node) -> ManifestError:
    first = next(iter(root.document.notes.lines), "it has no AdaptationSet")
    return ManifestError("nothing-to-play", root.path, f"nothing to play in {root.document.url}: {first}")


def _names(spans: Sequence[Span]) -> tuple[str, ...]:
    """Period ids, stable over refreshes and each only once: a player finds its Period again by its id."""
    names: dict[str, None] = {}
    for span in spans:
        own = span.node.string("id")
        if own in names:
            span.node.warn(f"@id {own[:40]!r} is taken")
        name = own if own and own not in names else f"p{span.start_us}"
        while name in names:
            name += "'"
        names[name] = None
    return tuple(names)


def _period(span: Span, name: str, outer: Scope, dynamic: bool) -> Period:
    node = span.node
    scope = replace(
        descend(node, outer),
        protections=(*inherited(node, outer.defined), *outer.protections),
        endless=span.duration_us is None and not dynamic,
    )
    streams = node.children("EventStream")
    supplemental = descriptors.read(tuple(node.children("AdaptationSet")), "SupplementalProperty")
    return Period(
        id=name,
        start_us=span.start_us,
        duration_us=span.duration_us,
        adaptation_sets=adaptation_sets(node, scope),
        event_streams=node.whole(streams, lambda part: _event_stream(part, span.start_us)),
        continues=next(iter(descriptors.values(supplemental, descriptors.CONTINUITY)), None),
        connects=next(iter(descriptors.values(supplemental, descriptors.CONNECTIVITY)), None),
    )


def early_periods(root: Node) -> tuple[str, ...]:
    """Ids of Periods that have no place yet: neither @start nor, before them, a Period that ends (5.3.2.1)."""
    found = []
    open_end = False
    for node in root.children("Period"):
        if "start" not in node.element.attrib and open_end:
            found.append(node.string("id"))
        open_end = "duration" not in node.element.attrib
    return tuple(found)


def _with_starts(
    remote: Sequence[RemoteElement], spans: Sequence[Span], remote_spans: Sequence[Span]
) -> tuple[RemoteElement, ...]:
    """Links with the start of the Period that each is, or is in."""
    starts = {span.node.path: span.start_us for span in (*spans, *remote_spans)}
    return tuple(replace(link, start_us=starts.get("/".join(link.path.split("/")[:3]))) for link in remote)


def _spans(root: Node, dynamic: bool, remote: list[Span]) -> tuple[Span, ...]:
    """Start and duration of each Period (5.3.2.1); one without a computable place is left out."""
    placed = tuple(_placed(root, dynamic, remote))
    total_us = root.lenient("mediaPresentationDuration", duration)
    spans = [span._replace(duration_us=after.start_us - span.start_us) for span, after in pairwise(placed)]
    if placed:
        spans.append(_last(placed[-1], total_us))
    return tuple(span for span in spans if _lasts(span))


def _placed(root: Node, dynamic: bool, remote: list[Span]) -> Iterator[Span]:
    """Periods that have a start, in order of time; durations are as written. What is remote goes apart."""
    end_us: int | None = 0  # a first Period without @start begins at 0, in a live MPD as well: so players have it
    latest_us = 0
    for node in root.children("Period"):
        span, problem = _place(node, end_us, dynamic)
        if span is not None and span.start_us < latest_us:
            span, problem = None, "it starts before the Period before it"
        if span is None:
            node.warn(f"left out: {problem}")
            end_us = None
        else:
            if _is_link(node):
                remote.append(span)
                node.warn("left out: a remote Period is not fetched")
            else:
                yield span
            latest_us = span.start_us
            end_us = None if span.duration_us is None else span.start_us + span.duration_us


def _place(node: Node, previous_end_us: int | None, dynamic: bool) -> tuple[Span | None, str]:
    """The Period's place, or why it has none."""
    try:
        start_us, duration_us = node.exact("start", duration), node.exact("duration", duration)
    except ManifestError as error:
        return None, error.reason
    if start_us is None:
        start_us = previous_end_us
    if start_us is None:
        return None, "early available: no @start yet" if dynamic else "no @start, and the Period before it has no end"
    return Span(node, start_us, duration_us), ""


def _is_link(node: Node) -> bool:
    """Nothing but a link to what is to stand here."""
    return XLINK_HREF in node.element.attrib and len(node.element) == 0


def _last(span: Span, total_us: int | None) -> Span:
    if span.duration_us is not None or total_us is None:
        return span
    return span._replace(duration_us=total_us - span.start_us)


def _lasts(span: Span) -> bool:
    if span.duration_us is not None and span.duration_us <= 0:
        span.node.warn("left out: it has no duration")
        return False
    return True


def _event_stream(node: Node, period_start_us: int) -> EventStream:
    timescale = node.exact("timescale", positive) or 1
    origin = node.exact("presentationTimeOffset", unsigned) or 0
    return EventStream(
        scheme=node.string("schemeIdUri"),
        value=node.string("value"),
        events=node.whole(node.children("Event"), lambda event: _event(event, timescale, origin, period_start_us)),
    )


def _event(node: Node, timescale: int, origin: int, period_start_us: int) -> MpdEvent:
    ticks = node.exact("presentationTime", unsigned) or 0
    lasts = node.exact("duration", unsigned)
    return MpdEvent(
        id=node.string("id"),
        start_us=period_start_us + (ticks - origin) * SECOND // timescale,
        duration_us=None if lasts is None else lasts * SECOND // timescale,
        text=node.text() or node.string("messageData"),
    )
