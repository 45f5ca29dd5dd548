"""An MPD: what is in it, how it is protected, what it announces, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from player.cli.inspected.pssh import InspectedPssh, inspect_box
from player.cli.inspected.report import (
    Line,
    Nothing,
    Report,
    count,
    escaped,
    fault_lines,
    fitted,
    heading,
    instant,
    table,
)
from player.cli.inspected.systems import name_of_scheme
from player.errors import LicenseError, ManifestError, UsageError
from player.ids import KeyId
from player.isobmff.inspection import Fault, PlacedBox
from player.mpd import parse
from player.mpd.document import UNREADABLE
from player.mpd.model import (
    AdaptationSet,
    ContentProtection,
    Period,
    Presentation,
    Representation,
    SegmentBase,
    SegmentList,
    SegmentSource,
)
from player.wire import announce

_SECOND: Final = 1_000_000
_WARNING: Final = "mpd-warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedProtection:
    """One ContentProtection; `path` is the element it stands in or is inherited by."""

    path: str
    scheme: str
    system: str
    value: str
    default_kids: tuple[KeyId, ...]
    pssh: tuple[InspectedPssh, ...]
    pro_bytes: int | None
    license_urls: tuple[str, ...]
    authorization_urls: tuple[str, ...]
    robustness: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedRepresentation:
    id: str
    bandwidth: int  # bit/s
    mime_type: str
    codecs: str
    width: int | None
    height: int | None
    addressing: str  # "template", "base" or "list", with how time is given
    protections: tuple[InspectedProtection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedSet:
    id: str
    kind: str
    lang: str
    roles: tuple[str, ...]
    protections: tuple[InspectedProtection, ...]
    representations: tuple[InspectedRepresentation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedAnnouncement:
    """A coming crypto period; `start_us` on the presentation timeline, the rest in ms since the epoch."""

    start_us: int
    crypto_period: int
    kids: tuple[KeyId, ...]
    prefetch_open_ms: int
    prefetch_close_ms: int
    valid_from_ms: int
    valid_until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedPeriod:
    id: str
    start_us: int
    duration_us: int | None
    adaptation_sets: tuple[InspectedSet, ...]
    announcements: tuple[InspectedAnnouncement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MpdFacts:
    """Times of the wall are µs since 1970; None: the MPD does not say."""

    dynamic: bool
    duration_us: int | None
    availability_start_wall_us: int | None
    availability_end_wall_us: int | None
    publish_wall_us: int | None
    minimum_update_us: int | None
    time_shift_us: int | None
    suggested_delay_us: int | None
    utc_timings: tuple[tuple[str, str], ...]
    locations: tuple[str, ...]
    periods: tuple[InspectedPeriod, ...]
    warnings: tuple[str, ...]


def inspect(data: bytes, name: str) -> Report:
    """Raises: UsageError for what is no MPD, or an MPD with nothing in it."""
    url = name if "://" in name else f"file:///{name.lstrip('/')}"
    try:
        presentation = parse.parse(data, url)
    except ManifestError as error:
        if error.code in UNREADABLE:
            raise UsageError(error.reason, code=error.code) from None
        fault = Fault(code=error.code, path=error.path, offset=None, reason=error.reason, clause="")
        return Report(kind="mpd", facts=Nothing(), page=tuple(fault_lines((fault,))), faults=(fault,))
    faults: list[Fault] = [_warned(warning) for warning in presentation.warnings]
    facts = _facts(presentation, faults)
    return Report(kind="mpd", facts=facts, page=(*_page(facts), *fault_lines(faults)), faults=tuple(faults))


def _warned(warning: str) -> Fault:
    path, _, reason = warning.partition(": ")
    return Fault(code=_WARNING, path=path, offset=None, reason=reason, clause="23009-1, 5.3")


def _facts(presentation: Presentation, faults: list[Fault]) -> MpdFacts:
    it = presentation
    return MpdFacts(
        dynamic=it.dynamic,
        duration_us=it.duration_us,
        availability_start_wall_us=it.availability_start_wall_us if it.dynamic else None,
        availability_end_wall_us=it.availability_end_wall_us,
        publish_wall_us=it.publish_wall_us,
        minimum_update_us=it.minimum_update_us,
        time_shift_us=it.time_shift_us,
        suggested_delay_us=it.suggested_delay_us,
        utc_timings=it.utc_timings,
        locations=it.locations,
        periods=tuple(_period(period, faults) for period in it.periods),
        warnings=it.warnings,
    )


def _period(period: Period, faults: list[Fault]) -> InspectedPeriod:
    place = f"/MPD/Period[@id='{period.id}']"
    return InspectedPeriod(
        id=period.id,
        start_us=period.start_us,
        duration_us=period.duration_us,
        adaptation_sets=tuple(_set(each, place, faults) for each in period.adaptation_sets),
        announcements=tuple(_announcements(period, place, faults)),
    )


def _announcements(period: Period, place: str, faults: list[Fault]) -> Iterator[InspectedAnnouncement]:
    for stream in period.event_streams:
        for event in stream.events if stream.scheme == announce.SCHEME else ():
            try:
                told = announce.read(event.text)
            except LicenseError as error:
                faults.append(Fault(code=error.code, path=place, offset=None, reason=str(error), clause=""))
                continue
            yield InspectedAnnouncement(
                start_us=event.start_us,
                crypto_period=told.idx,
                kids=told.kids,
                prefetch_open_ms=told.prefetch_open_ms,
                prefetch_close_ms=told.prefetch_close_ms,
                valid_from_ms=told.valid_from_ms,
                valid_until_ms=told.valid_until_ms,
            )


def _set(given: AdaptationSet, outer: str, faults: list[Fault]) -> InspectedSet:
    place = f"{outer}/AdaptationSet[@id='{given.id}']"
    return InspectedSet(
        id=given.id,
        kind=given.kind,
        lang=given.lang,
        roles=given.roles,
        protections=_protections(given.protections, place, faults),
        representations=tuple(_representation(each, place, faults) for each in given.representations),
    )


def _representation(given: Representation, outer: str, faults: list[Fault]) -> InspectedRepresentation:
    return InspectedRepresentation(
        id=given.id,
        bandwidth=given.bandwidth,
        mime_type=given.mime_type,
        codecs=given.codecs,
        width=given.width,
        height=given.height,
        addressing=_addressing(given.source),
        protections=_protections(given.protections, f"{outer}/Representation[@id='{given.id}']", faults),
    )


def _addressing(source: SegmentSource) -> str:
    if isinstance(source, SegmentBase):
        return "base, by its sidx"
    kind = "list" if isinstance(source, SegmentList) else "template"
    if source.runs is not None:
        return f"{kind}, {count(len(source.runs), 'timeline run')}"
    return kind if source.duration is None else f"{kind}, {source.duration / source.timescale:g} s each"


def _protections(
    given: Iterable[ContentProtection], place: str, faults: list[Fault]
) -> tuple[InspectedProtection, ...]:
    return tuple(_protection(each, place, faults) for each in given)


def _protection(given: ContentProtection, place: str, faults: list[Fault]) -> InspectedProtection:
    boxes = tuple(inspect_box(PlacedBox(f"{place}/ContentProtection/pssh", 0, each)) for each in given.pssh)
    faults += [fault for box in boxes for fault in box.faults]
    return InspectedProtection(
        path=place,
        scheme=given.scheme,
        system=name_of_scheme(given.scheme),
        value=given.value,
        default_kids=given.default_kids,
        pssh=boxes,
        pro_bytes=None if given.pro is None else len(given.pro),
        license_urls=given.license_urls,
        authorization_urls=given.authorization_urls,
        robustness=given.robustness,
    )


def _page(facts: MpdFacts) -> Iterator[Line]:
    yield from heading("presentation")
    yield from (Line(f"  {name:<14} {value}") for name, value in _availability(facts) if value)
    for period in facts.periods:
        end = "open" if period.duration_us is None else f"to {_s(period.start_us + period.duration_us)}"
        yield from heading(fitted(f"Period {escaped(period.id)}, from {_s(period.start_us)} {end}"))
        for number, each in enumerate(period.adaptation_sets, 1):
            yield from _set_lines(each, last=number == len(period.adaptation_sets))
        yield from _announcement_lines(period)


def _availability(facts: MpdFacts) -> Iterator[tuple[str, str]]:
    yield "type", "dynamic (live)" if facts.dynamic else "static (on demand)"
    yield "duration", _s(facts.duration_us)
    yield "available from", _wall(facts.availability_start_wall_us)
    yield "available to", _wall(facts.availability_end_wall_us)
    yield "published", _wall(facts.publish_wall_us)
    yield "refreshed", f"every {_s(facts.minimum_update_us)}" if facts.minimum_update_us is not None else ""
    yield "time shift", _s(facts.time_shift_us)
    yield "live delay", _s(facts.suggested_delay_us)
    for scheme, value in facts.utc_timings:
        yield "UTC timing", fitted(escaped(f"{scheme} {value}"), 80)
    for location in facts.locations:
        yield "location", fitted(escaped(location), 80)


def _set_lines(given: InspectedSet, *, last: bool) -> Iterator[Line]:
    words = [f"AdaptationSet {given.id}", given.kind, given.lang, *given.roles]
    yield Line(fitted(f"  {'└─' if last else '├─'} {escaped('  '.join(filter(None, words)))}"))
    rail = "  " + ("   " if last else "│  ")
    children = [*map(_protection_lines, given.protections), *map(_representation_lines, given.representations)]
    for number, child in enumerate(children, 1):
        lines = list(child)
        end = number == len(children)
        yield Line(fitted(f"{rail}{'└─' if end else '├─'} {lines[0]}"))
        yield from (Line(fitted(f"{rail}{'   ' if end else '│  '}{text}")) for text in lines[1:])


def _representation_lines(given: InspectedRepresentation) -> Iterator[str]:
    size = f"{given.width}×{given.height}" if given.width and given.height else ""
    words = [f"Representation {given.id}", given.codecs, size, f"{given.bandwidth:,} bit/s", given.addressing]
    yield escaped("  ".join(filter(None, words)))
    for protection in given.protections:
        yield from (f"  {line}" for line in _protection_lines(protection))


def _protection_lines(given: InspectedProtection) -> Iterator[str]:
    name = given.system if not given.system.startswith(("unknown", "no ")) else f"{given.system} {given.scheme}"
    yield escaped("  ".join(filter(None, (f"ContentProtection  {name}", given.value, given.robustness))))
    yield from (f"  default_KID  {kid}" for kid in given.default_kids)
    yield from (f"  license      {escaped(url)}" for url in given.license_urls)
    yield from (f"  authorization {escaped(url)}" for url in given.authorization_urls)
    for box in given.pssh:
        kids = box.reading.key_ids if box.reading else ()
        differs = f": {box.differs}" if box.differs else ""
        yield f"  pssh         {count(box.size, 'byte')}, {count(len(kids), 'KID')}{escaped(differs)}"
        yield from (f"    KID        {kid}" for kid in kids)
    if given.pro_bytes is not None:
        yield f"  pro          {count(given.pro_bytes, 'byte')}"


def _announcement_lines(period: InspectedPeriod) -> Iterator[Line]:
    if not period.announcements:
        return
    yield Line("")
    yield Line("  announced crypto periods")
    rows = (row for each in period.announcements for row in _announcement_rows(each))
    yield from table(">period >starts_s valid_from ask_before KID", rows, indent="    ")


def _announcement_rows(given: InspectedAnnouncement) -> Iterator[tuple[str, ...]]:
    """The first KID with everything else, further ones below it."""
    opens, closes = ((given.valid_from_ms - ms) / 1000 for ms in (given.prefetch_open_ms, given.prefetch_close_ms))
    asks = f"{opens:g} to {closes:g} s"
    first, *more = map(str, given.kids)
    start = f"{given.start_us / _SECOND:,.3f}"
    yield str(given.crypto_period), start, instant(given.valid_from_ms * 1000, "seconds"), asks, first
    yield from (("", "", "", "", kid) for kid in more)


def _s(time_us: int | None) -> str:
    return "" if time_us is None else f"{time_us / _SECOND:,.3f} s"


def _wall(time_us: int | None) -> str:
    return "" if time_us is None else instant(time_us)
