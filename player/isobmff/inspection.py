"""What the samples of a resource say of their keys, and every fault on the way: for people, not for playing.

Unlike `segment`, which ends at the first fault, this goes on behind it: the broken `moof` is left out and the rest read
again. It knows no system's Data and draws nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Final, NamedTuple

from player.errors import MediaError
from player.ids import KeyId
from player.isobmff.boxes import Box, Walk, top_level
from player.isobmff.file import parse_file
from player.isobmff.init import parse_init
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment, MediaSegment, Track
from player.isobmff.sample import Protection, Sample
from player.isobmff.segment import parse_media

_JUMP: Final = "time-jump"
MAX_FAULTY_MOOFS: Final = 16  # choice: each costs one more pass through the resource
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
    if init is None and data and not _has(data, b"moov"):
        return Inspection(tracks=(), fragments=(), crypto_periods=(), faults=tuple(_top_level_fault(data)))
    segment, faults, readable = _read_on(data, init)
    fragments = tuple(_fragments(readable, segment.fragments))
    warnings = (fault_of_warning(warning) for warning in segment.warnings)
    gaps = _gaps(data, readable)
    return Inspection(
        tracks=_tracks(readable, init),
        fragments=fragments,
        crypto_periods=tuple(_crypto_periods(fragments)),
        faults=(*faults, *(each for each in warnings if not (each.code == _JUMP and _in_any(gaps, each.offset)))),
    )


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
    for top in _readable_top_level(data):
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


def _readable_top_level(data: bytes) -> Iterator[Box]:
    """The boxes before the first fault."""
    boxes = top_level(data)
    while True:
        try:
            box = next(boxes, None)
        except MediaError:
            return
        if box is None:
            return
        yield box


def _top_level_fault(data: bytes) -> Iterator[Fault]:
    try:
        for _ in top_level(data):
            pass
    except MediaError as error:
        yield fault_of(error)


def _has(data: bytes, kind: bytes) -> bool:
    return any(box.type == kind for box in _readable_top_level(data))


def _tracks(data: bytes, init: InitSegment | None) -> tuple[Track, ...]:
    try:
        return parse_init(data).tracks
    except MediaError:
        return () if init is None else init.tracks


def _read_on(data: bytes, init: InitSegment | None) -> tuple[MediaSegment, Sequence[Fault], bytes]:
    """What can be read, the faults met, and the bytes in which every moof that had a fault is `free`."""
    faults: list[Fault] = []
    unfragmented = init is None and _has(data, b"mdat") and not _has(data, b"moof")
    while True:
        try:
            return parse_file(data) if unfragmented else parse_media(data, init), faults, data
        except BrokenSegmentError as error:
            faults.append(fault_of(error))
            broken = _moof_around(data, error)
            if broken is None or len(faults) > MAX_FAULTY_MOOFS:
                return error.delivered, faults, data
            data = data[: broken.start + 4] + b"free" + data[broken.start + 8 :]


def _gaps(data: bytes, readable: bytes) -> list[range]:
    """From each moof that was left out to the end of the next that was not: there time jumps for no other reason."""
    gaps: list[range] = []
    start: int | None = None
    for box in _readable_top_level(readable):
        if box.type == b"free" and data[box.start + 4 : box.start + 8] == b"moof":
            start = box.start if start is None else start
        elif box.type == b"moof" and start is not None:
            gaps.append(range(start, box.end))
            start = None
    return gaps


def _in_any(gaps: Sequence[range], offset: int | None) -> bool:
    return any(offset in gap for gap in gaps)


def _moof_around(data: bytes, error: MediaError) -> Box | None:
    """The moof that a fault lies in or points from; None where it is no moof's, or its size is not to be trusted."""
    if not error.path.startswith("moof"):
        return None
    return next((box for box in _readable_top_level(data) if box.type == b"moof" and _in(box, error.offset)), None)


def _in(box: Box, offset: int) -> bool:
    return box.start <= offset < box.end


def _fragments(data: bytes, fragments: Sequence[Fragment]) -> Iterator[FragmentKeys]:
    """Each with the moof it stands in: fragments come in the order of the trafs."""
    if not _has(data, b"moof"):
        yield from (_fragment(fragment.data[0], fragment) for fragment in fragments)
        return
    for moof_at, fragment in zip(_moofs_by_traf(data), fragments, strict=False):
        yield _fragment(moof_at, fragment)


def _moofs_by_traf(data: bytes) -> Iterator[int]:
    for box in _readable_top_level(data):
        if box.type == b"moof":
            yield from (box.start for child in _children(data, box) if child.type == b"traf")


def _fragment(at: int, fragment: Fragment) -> FragmentKeys:
    protected = [sample for sample in fragment.samples if sample.protection is not None]
    whole = sum(sample.size for sample in protected if not sample.ranges)
    pairs = list(chain.from_iterable(sample.ranges for sample in protected))
    protected_bytes = whole + sum(hidden for _, hidden in pairs)
    return FragmentKeys(
        at=at,
        track_id=fragment.track_id,
        timescale=fragment.timescale,
        start=fragment.decode_time,
        end=fragment.decode_time + fragment.duration,
        runs=tuple(_runs(fragment.samples, fragment.decode_time)),
        samples=len(fragment.samples),
        subsamples=len(pairs),
        clear_bytes=sum(sample.size for sample in fragment.samples) - protected_bytes,
        protected_bytes=protected_bytes,
    )


def _runs(samples: Iterable[Sample], start: int) -> Iterator[KeyRun]:
    for protection, group in groupby(samples, lambda sample: sample.protection):
        durations = [sample.duration for sample in group]
        end = start + sum(durations)
        yield KeyRun(protection=protection, samples=len(durations), start=start, end=end)
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
    return data[4:8] == b"pssh" and all(box.type == b"pssh" for box in _readable_top_level(data))
