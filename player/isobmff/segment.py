"""Media segments: every `moof` with its `mdat`, fragment by fragment (ISO/IEC 14496-12, 8.8 and 8.16).

Takes a segment, several joined, or a whole file with its `moov`. All or nothing a `moof`: a fault in one yields none of
its samples, and what came before it stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Final, NamedTuple

from player.errors import MediaError
from player.isobmff.boxes import MAX_SAMPLES, Box, Walk, no_moov, top_level
from player.isobmff.events import EventMessage, read_emsg
from player.isobmff.init import read_moov
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment, MediaSegment
from player.isobmff.pssh_runs import init_data_of
from player.isobmff.traf import Run, TrackFragment, read_samples, read_tables

MAX_EVENTS: Final = 1_000  # of one resource

_CLAUSE: Final = "14496-12, 8.8"


def parse_media(data: bytes, init: InitSegment | None = None) -> MediaSegment:
    """The fragments of a resource. `init` may be left out where the resource has a `moov` of its own.

    Raises: BrokenSegmentError, a MediaError with the fragments `delivered` before the fault.
    """
    reader = _Reader(data, init)
    try:
        if not data:
            raise no_moov(data)
        for box in top_level(data):
            reader.take(box)
        reader.finish()
    except MediaError as fault:
        with suppress(MediaError):
            reader.finish()  # the moof before the fault, if its mdat was complete
        raise BrokenSegmentError(fault, reader.segment()) from None
    return reader.segment()


class Part(NamedTuple):
    """Top-level boxes from one moof up to the next, or those before the first; and the fragments of that moof."""

    boxes: Sequence[Box]
    fragments: Sequence[Fragment]


def parts(data: bytes) -> Iterator[Part]:
    """A resource with a `moov` of its own, moof by moof: what was read of a long one can go before the next is read.

    Raises: MediaError.
    """
    reader = _Reader(data, None)
    boxes: list[Box] = []
    for box in top_level(data):
        if box.type == b"moof":
            yield Part(boxes, reader.drain())
            boxes = []
        reader.take(box)
        boxes.append(box)
    yield Part(boxes, reader.drain())


class PartReader:
    """The fragments of a resource that comes in parts of whole top-level boxes; what one leaves to the next is kept."""

    __slots__ = ("_reader",)

    def __init__(self, init: InitSegment | None) -> None:
        self._reader = _Reader(b"", init)

    def read(self, data: bytes, boxes: Sequence[Box], origin: int) -> MediaSegment:
        """`boxes` of `data`, which begins at `origin` of the resource. Raises: MediaError."""
        self._reader.go_on(data, origin)
        for box in boxes:
            self._reader.take(box)
        self._reader.finish()
        return self._reader.segment()


class _Reader:
    """What is known between two top-level boxes."""

    __slots__ = ("_events", "_fragments", "_init", "_mdats", "_met_moof", "_moof", "_next_times", "_walk")

    def __init__(self, data: bytes, init: InitSegment | None) -> None:
        self._walk = Walk(data)
        self._init = init
        self._moof: Box | None = None  # waiting for its mdat
        self._met_moof = False
        self._mdats: list[Box] = []
        self._fragments: list[Fragment] = []
        self._next_times: dict[int, int] = {}  # by track: where the fragment before ended
        self._events: list[EventMessage] = []

    def go_on(self, data: bytes, origin: int) -> None:
        """In another part of the resource."""
        self._walk = Walk(data, origin)
        self._moof = None
        self._mdats.clear()
        self._fragments = []

    def segment(self) -> MediaSegment:
        warnings = tuple(self._walk.warnings)
        return MediaSegment(fragments=tuple(self._fragments), warnings=warnings, events=tuple(self._events))

    def take(self, box: Box) -> None:
        if box.type == b"mdat":
            self._mdats.append(box)
        elif box.type == b"moof":
            self.finish()
            self._moof = box
            self._met_moof = True
            self._mdats.clear()
        elif box.type == b"moov":
            self._take_moov(box)
        elif box.type == b"emsg":
            self._take_event(box)

    def _take_event(self, box: Box) -> None:
        """One that cannot be read costs no sample."""
        try:
            if len(self._events) < MAX_EVENTS:
                self._events.append(read_emsg(self._walk.data, box))
        except MediaError:
            self._walk.warn("bad-event", box)

    def finish(self) -> None:
        """Read the waiting moof, now that its mdats are known."""
        moof, self._moof = self._moof, None
        if moof is not None:
            self._fragments += self._read_moof(moof)

    def drain(self) -> Sequence[Fragment]:
        """The fragments read and not handed out yet, with those of the waiting moof."""
        self.finish()
        fragments, self._fragments = self._fragments, []
        return fragments

    def _take_moov(self, box: Box) -> None:
        """The same again changes nothing; another one replaces the tracks."""
        known = self._init
        moov = known if known is not None and self._is_same(box, known) else read_moov(self._walk.data, box)
        if moov == known:
            if self._met_moof:
                self._walk.warn("repeated-moov", box)
            return
        self.finish()
        self._init = moov
        self._next_times.clear()
        self._walk.warnings += moov.warnings

    def _is_same(self, box: Box, known: InitSegment) -> bool:
        return box.end - box.start == len(known.moov) and self._walk.data[box.start : box.end] == known.moov

    def _read_moof(self, moof: Box) -> Sequence[Fragment]:
        walk = self._walk
        if self._init is None:
            raise moof.fault("no-init", "a moof without a moov before it", _CLAUSE)
        tracks = {track.id: track for track in self._init.tracks}
        children = walk.enter(moof)
        trafs: list[TrackFragment] = []
        for box in children:
            if box.type == b"traf":
                trafs.append(read_tables(walk, moof, box, tracks, trafs[-1].data_end if trafs else None))
        _check_runs(moof, [run for traf in trafs for run in traf.runs if run.sizes], self._mdats)
        init_data = init_data_of(walk, children)
        fragments: list[Fragment] = []
        for traf in trafs:
            fragments.append(read_samples(walk, traf, self._decode_time(traf), () if fragments else init_data))
            self._next_times[traf.track.id] = fragments[-1].decode_time + fragments[-1].duration
        return fragments

    def _decode_time(self, traf: TrackFragment) -> int:
        expected = self._next_times.get(traf.track.id)
        if traf.decode_time is None:
            return expected or 0
        if expected is not None and expected != traf.decode_time:
            self._walk.warn("time-jump", traf.box, f"from {expected} to {traf.decode_time}")
        return traf.decode_time


def _check_runs(moof: Box, runs: Sequence[Run], mdats: Sequence[Box]) -> None:
    """Each run lies whole in one mdat between this moof and the next, and no two share a byte.

    Raises: MediaError `truncated` where there is no mdat, `limit` for too many samples, else `bad-reference`.
    """
    if runs and not mdats:
        raise moof.fault("truncated", "no mdat behind it", _CLAUSE)
    if sum(len(run.sizes) for run in runs) > MAX_SAMPLES:
        raise moof.fault("limit", f"more than {MAX_SAMPLES} samples", _CLAUSE)
    bodies = [mdat.body for mdat in mdats]
    last_end = 0
    for box, start, end, _, _ in runs if len(runs) == 1 else sorted(runs, key=attrgetter("start")):
        number = bisect_right(bodies, start) - 1
        if number < 0 or end > mdats[number].end:
            raise box.fault("bad-reference", f"samples from {start} to {end} lie in no mdat of their moof", _CLAUSE)
        if start < last_end:
            raise box.fault("bad-reference", f"samples from {start} overlap others", _CLAUSE)
        last_end = end
