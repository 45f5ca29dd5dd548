"""What the samples of a resource say of their keys, and every fault on the way: for people, not for playing.

It goes on behind a fault (`lenient`), knows no system's Data and draws nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, groupby, islice, repeat
from typing import Final, NamedTuple

from player.errors import MediaError
from player.ids import KeyId
from player.isobmff.boxes import Box, Walk, top_level
from player.isobmff.init import parse_init
from player.isobmff.lenient import Reading, gaps, outline, read_on, readable
from player.isobmff.model import Fragment, InitSegment, Track
from player.isobmff.sample import Protection
from player.isobmff.samples import Samples

_JUMP: Final = "time-jump"
_WARNING: Final = re.compile(r"(?P<code>[a-z-]+): (?P<path>.*?) @ (?P<offset>\d+)(?:: (?P<reason>.*))?", re.DOTALL)

CLAUSES: Final[Mapping[str, str]] = {
    "aux-conflict": "23001-7, 7",
    "bad-box": "14496-12, 4.2",
    "bad-pssh": "23001-7, 8.1",
    "bad-table": "14496-12, 4.2",
    "duplicate-box": "14496-12, 6.2.3",
    "group-overrun": "14496-12, 8.9.2",
    "no-init": "14496-12, 8.2.1",
    "repeated-moov": "14496-12, 8.2.1",
    "time-jump": "14496-12, 8.8.12",
    "truncated": "14496-12, 4.2",
    "unknown-version": "14496-12, 4.2.2",
}
"""The clause that stands behind a code, where the fault itself names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`path` and `offset`: where, None in what has no bytes of its own. `clause` is "" where no standard is broken."""

    code: str
    path: str
    offset: int | None
    reason: str
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRun:
    """Samples of one fragment, one after the other, to which the same protection applies; None: clear."""

    protection: Protection | None
    samples: int
    start: int  # ticks
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentKeys:
    """One `traf`, or one chunk of a file without fragments. Samples protected as a whole count as protected bytes."""

    at: int  # byte offset of the moof, or of the chunk
    track_id: int
    timescale: int
    start: int  # ticks
    end: int
    runs: tuple[KeyRun, ...]
    samples: int
    subsamples: int
    clear_bytes: int
    protected_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoPeriod:
    """Fragments `first` to `last` (counted from 1 within their track) that one KID goes through; None: clear.

    `protection` is that of its first sample: of the rest only the KID is sure to be the same.
    """

    track_id: int
    timescale: int
    kid: KeyId | None
    protection: Protection | None
    first: int
    last: int
    start: int  # ticks
    end: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """`tracks` are those of the resource's own moov, else of the init segment it was read with."""

    tracks: tuple[Track, ...]
    fragments: tuple[FragmentKeys, ...]
    crypto_periods: tuple[CryptoPeriod, ...]
    faults: tuple[Fault, ...]


class PlacedBox(NamedTuple):
    path: str
    offset: int
    data: bytes


def inspect(data: bytes, init: InitSegment | None = None) -> Inspection:
    """Never raises for what the bytes are.

    A resource with `moof` and neither a `moov` nor `init` is no fault here: there is nothing to read its samples by.
    """
    seen = outline(data)
    if init is None and data and b"moov" not in seen.types:
        return Inspection(tracks=(), fragments=(), crypto_periods=(), faults=tuple(_top_level_fault(data)))
    reading = read_on(data, init, seen)
    fragments = tuple(_fragments(data, reading, seen.moofs))
    return Inspection(
        tracks=_tracks(data, init),
        fragments=fragments,
        crypto_periods=tuple(_crypto_periods(fragments)),
        faults=(*map(fault_of, reading.errors), *_warned(reading, seen.moofs)),
    )


def _warned(reading: Reading, moofs: Sequence[Box]) -> Iterator[Fault]:
    """The warnings as faults, but for a jump of time where something was left out."""
    jumps = gaps(moofs, reading.left_out)
    for fault in map(fault_of_warning, reading.segment.warnings):
        if fault.code != _JUMP or not any(fault.offset in gap for gap in jumps):
            yield fault


def fault_of(error: MediaError) -> Fault:
    return Fault(
        code=error.code,
        path=error.path,
        offset=error.offset,
        reason=error.reason,
        clause=error.source or CLAUSES.get(error.code, ""),
    )


def fault_of_warning(warning: str) -> Fault:
    """A warning as the readers write it: `code: box path @ offset`, perhaps with a note."""
    parts = _WARNING.fullmatch(warning)
    if parts is None:
        return Fault(code="warning", path="/", offset=None, reason=warning, clause="")
    return Fault(
        code=parts["code"],
        path=parts["path"],
        offset=int(parts["offset"]),
        reason=parts["reason"] or "",
        clause=CLAUSES.get(parts["code"], ""),
    )


def pssh_boxes(data: bytes) -> tuple[PlacedBox, ...]:
    """Every `pssh` at the top, in a moov or in a moof, whatever is in it, up to the first impossible size."""
    return tuple(PlacedBox(box.path, box.start, data[box.start : box.end]) for box in _where_pssh_may_be(data))


def _where_pssh_may_be(data: bytes) -> Iterator[Box]:
    numbers: dict[bytes, int] = {}
    for top in readable(data):
        number = numbers.get(top.type, 0)
        numbers[top.type] = number + 1
        boxes = _children(data, top._replace(number=number)) if top.type in (b"moov", b"moof") else (top,)
        yield from (box for box in boxes if box.type == b"pssh")


def _children(data: bytes, top: Box) -> Sequence[Box]:
    """None where their sizes are broken, which is told where the samples are read."""
    try:
        return Walk(data).enter(top)
    except MediaError:
        return ()


def _top_level_fault(data: bytes) -> Iterator[Fault]:
    try:
        for _ in top_level(data):
            pass
    except MediaError as error:
        yield fault_of(error)


def _tracks(data: bytes, init: InitSegment | None) -> tuple[Track, ...]:
    try:
        return parse_init(data).tracks
    except MediaError:
        return () if init is None else init.tracks


def _fragments(data: bytes, reading: Reading, moofs: Sequence[Box]) -> Iterator[FragmentKeys]:
    """Each with the moof it stands in: fragments come in the order of the trafs."""
    if not moofs:
        yield from (_fragment(fragment.data[0], fragment) for fragment in reading.segment.fragments)
    if not reading.segment.fragments:
        return
    read = (moof for moof in moofs if moof not in reading.left_out)
    places = (moof.start for moof in read for child in _children(data, moof) if child.type == b"traf")
    for at, fragment in zip(places, reading.segment.fragments, strict=False):
        yield _fragment(at, fragment)


def _fragment(at: int, fragment: Fragment) -> FragmentKeys:
    samples = fragment.samples
    protected = chain.from_iterable(repeat(each is not None, count) for count, each in samples.protections)
    tables = list(compress(zip(samples.sizes, samples.ranges, strict=True), protected))
    whole = sum(size for size, ranges in tables if not ranges)
    pairs = list(chain.from_iterable(ranges for _, ranges in tables))
    protected_bytes = whole + sum(hidden for _, hidden in pairs)
    return FragmentKeys(
        at=at,
        track_id=fragment.track_id,
        timescale=fragment.timescale,
        start=fragment.decode_time,
        end=fragment.decode_time + fragment.duration,
        runs=tuple(_runs(samples, fragment.decode_time)),
        samples=len(samples),
        subsamples=len(pairs),
        clear_bytes=sum(samples.sizes) - protected_bytes,
        protected_bytes=protected_bytes,
    )


def _runs(samples: Samples, start: int) -> Iterator[KeyRun]:
    durations = iter(samples.durations)
    for count, protection in samples.protections:
        end = start + sum(islice(durations, count))
        yield KeyRun(protection=protection, samples=count, start=start, end=end)
        start = end


class _Stretch(NamedTuple):
    number: int  # of the fragment in its track, from 1
    kid: KeyId | None
    run: KeyRun


def _crypto_periods(fragments: Sequence[FragmentKeys]) -> Iterator[CryptoPeriod]:
    """Track by track; a KID that comes back later begins a crypto period of its own."""
    for track_id in dict.fromkeys(fragment.track_id for fragment in fragments):
        own = [fragment for fragment in fragments if fragment.track_id == track_id]
        for kid, group in groupby(_stretches(own), lambda stretch: stretch.kid):
            stretches = list(group)
            yield CryptoPeriod(
                track_id=track_id,
                timescale=own[0].timescale,
                kid=kid,
                protection=stretches[0].run.protection,
                first=stretches[0].number,
                last=stretches[-1].number,
                start=stretches[0].run.start,
                end=stretches[-1].run.end,
                samples=sum(stretch.run.samples for stretch in stretches),
            )


def _stretches(fragments: Sequence[FragmentKeys]) -> Iterator[_Stretch]:
    for number, fragment in enumerate(fragments, 1):
        for run in fragment.runs:
            yield _Stretch(number, None if run.protection is None else run.protection.kid, run)


def is_pssh(data: bytes) -> bool:
    """Whether it is one or more `pssh` boxes, as far as their sizes tell, and not a file that begins with one."""
    return data[4:8] == b"pssh" and all(box.type == b"pssh" for box in readable(data))
