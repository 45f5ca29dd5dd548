"""The track buffer: what was fetched, what of it is decrypted, and what comes next.

It does not know what a key is: a fragment is `ready` up to a sample, and the engine says when more of it is.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from player.errors import KeystormError
from player.ids import KeyId
from player.isobmff import sidx
from player.isobmff.model import Fragment, InitSegment
from player.mpd.model import AdaptationSet, Period, Representation, Segment
from player.mpd.timeline import SegmentIndex
from player.stream.choice import NOTHING_MEASURED, NOTHING_REMEMBERED

FOREVER: Final = 1 << 62  # an end that is never reached
NEVER: Final = -FOREVER  # an instant before any other
KEPT_BEHIND_US: Final = 30_000_000  # what was played stays for so long a seek back; Shaka Player, bufferBehind
_EMPTY: Final = bytearray()


class Pending:
    """A fetched fragment whose samples are not all clear yet, and its init segment. `start` counts the clear ones."""

    __slots__ = ("buffer", "fragment", "init", "period", "start", "start_us")

    def __init__(
        self,
        fragment: Fragment,
        buffer: bytearray | None,
        start_us: int,
        period: int,
        init: InitSegment | None = None,
    ) -> None:
        self.fragment = fragment
        self.init = init
        self.buffer = _EMPTY if buffer is None else buffer
        self.start_us = start_us
        self.period = period
        self.start = 0

    def kid(self) -> KeyId | None:
        """The key id of the first sample that is not clear yet; None: it is not protected."""
        _, protection = next(self.fragment.samples.protections_from(self.start))
        return None if protection is None else protection.kid

    def advance(self, count: int) -> int:
        """`count` further samples are clear. Returns the presentation time (µs) up to which the fragment now is."""
        self.start += count
        ticks = sum(self.fragment.samples.durations[: self.start])
        return self.start_us + ticks * 1_000_000 // self.fragment.timescale

    @property
    def clear_us(self) -> int:
        """Up to where it is clear."""
        return self.start_us if self.start == 0 else self.advance(0)

    @property
    def end_us(self) -> int:
        return self.start_us + self.fragment.duration * 1_000_000 // self.fragment.timescale

    @property
    def done(self) -> bool:
        return self.start == len(self.fragment.samples)


R = TypeVar("R")


class TrackBuffer(Generic[R]):
    """One media type of the presentation, across its Periods. Ends are presentation time in µs.

    `from_us`: start of what is held. `ready_us`: end of the contiguous part that can be played. `loaded_us`: end of
    what was fetched. `due`: instant (µs on the run clock) of the next fetch, FOREVER where only a refresh or the
    position can bring one.
    """

    __slots__ = (
        "adaptation_set",
        "attempts",
        "broken",
        "coming",
        "decrypting",
        "due",
        "ended",
        "estimate",
        "from_us",
        "held_until",
        "index",
        "indices",
        "inits",
        "last",
        "loaded_us",
        "memory",
        "number",
        "pending",
        "period",
        "period_number",
        "ready_us",
        "refused",
        "representation",
        "request",
        "switched_at",
        "taken_us",
    )

    def __init__(self, number: int, start_us: int) -> None:
        self.number = number
        self.period: Period
        self.adaptation_set: AdaptationSet
        self.representation: Representation
        self.index: SegmentIndex
        self.inits: tuple[tuple[str, InitSegment], ...] = ()
        self.indices: tuple[tuple[str, sidx.SegmentIndex], ...] = ()  # what was read of them, by Representation
        self.last: Segment | None = None  # the segment fetched last
        self.pending: tuple[Pending, ...] = ()
        self.from_us = start_us
        self.ready_us = start_us
        self.loaded_us = start_us
        self.due = FOREVER
        self.request: R | None = None  # the fetch under way: the engine's own token
        self.coming: Segment | None = None  # the segment it will bring
        self.held_until = -1  # after a failure: no fetch before this instant
        self.decrypting = False
        self.refused: KeyId | None = None  # the CDM said no although the key table said yes; until a status changes
        self.ended = False  # nothing is left to fetch
        self.broken: KeystormError | None = None  # why, where it is not the end
        self.attempts = 0  # failed in a row
        self.period_number = 0
        self.estimate = NOTHING_MEASURED
        self.memory = NOTHING_REMEMBERED
        self.switched_at = NEVER
        self.taken_us = NEVER  # up to here fragments of the coming segment were taken while it arrived

    @property
    def kind(self) -> str:
        return self.adaptation_set.kind

    @property
    def init(self) -> InitSegment | None:
        """The init segment of the chosen Representation, if it was fetched."""
        return next((init for name, init in self.inits if name == self.representation.id), None)

    @property
    def sidx(self) -> sidx.SegmentIndex | None:
        """What was read of the index of the chosen Representation."""
        return next((read for name, read in self.indices if name == self.representation.id), None)

    @property
    def finished(self) -> bool:
        """Nothing left to fetch, nothing left to decrypt."""
        return self.ended and not self.pending

    def push(self, pending: Pending, end_us: int) -> None:
        if self.loaded_us <= self.from_us:
            self.from_us = min(self.from_us, pending.start_us)  # the segment of the first position starts before it
        self.pending = (*self.pending, pending)
        self.loaded_us = max(self.loaded_us, end_us)

    def clear(self, count: int) -> None:
        """`count` further samples of the first pending fragment can be played."""
        head = self.pending[0]
        self.ready_us = max(self.ready_us, head.advance(count))
        if head.done:
            self.pending = self.pending[1:]

    def drop_unready(self) -> None:
        """What was fetched and cannot be played goes; fetching begins again at the end of what can."""
        self.pending, self.loaded_us = (), self.ready_us
        self.last = self.coming = self.request = None
        self.attempts, self.held_until, self.taken_us, self.ended = 0, -1, NEVER, False

    def leave(self, position_us: int) -> None:
        """What lies too far behind a position that is about to be left is held no longer."""
        self.from_us = max(self.from_us, min(position_us - KEPT_BEHIND_US, self.ready_us))

    def holds(self, position_us: int) -> bool:
        """Whether media at this position is held, clear or not; the segment that is about to come counts as well."""
        first_us, last_us = self.from_us, self.loaded_us
        if self.coming is not None:
            last_us = max(last_us, self.coming.end_us)
            first_us = first_us if self.loaded_us > first_us else min(first_us, self.coming.start_us)
        return first_us <= position_us < last_us or (self.ended and first_us <= position_us == last_us)

    def move_within(self, position_us: int) -> None:
        """Playback goes on at a position that is held: what is not clear before it is needed no more."""
        if position_us < self.from_us:  # nothing is there yet: only the segment about to come is
            self.from_us = self.ready_us = self.loaded_us = position_us
        if position_us < self.ready_us:
            return
        self.pending = tuple(piece for piece in self.pending if piece.end_us > position_us)
        first_us = min(self.pending[0].clear_us, position_us) if self.pending else position_us
        if first_us > self.ready_us:
            self.from_us = self.ready_us = first_us
            self.loaded_us = max(self.loaded_us, first_us)

    def empty(self, position_us: int) -> None:
        """Nothing is held any more; fetching begins anew at this position."""
        self.drop_unready()
        self.from_us = self.ready_us = self.loaded_us = position_us
        self.broken = self.refused = None

    def skip(self, end_us: int) -> None:
        """Media up to here will never come: playback goes over it."""
        self.loaded_us = max(self.loaded_us, end_us)
        if not self.pending:
            self.ready_us = max(self.ready_us, end_us)


def edge(tracks: tuple[TrackBuffer[R], ...]) -> int:
    """Up to where playback can go: the least of the ends; a finished track holds nothing back."""
    return min((track.ready_us for track in tracks if not track.finished), default=end(tracks))


def held(tracks: tuple[TrackBuffer[R], ...], position_us: int) -> tuple[int, int] | None:
    """First and last position that all tracks can play without a fetch; None: there is none."""
    behind_us = position_us - KEPT_BEHIND_US
    first_us = max((max(track.from_us, behind_us) for track in tracks), default=0)
    last_us = edge(tracks)
    return (first_us, last_us) if first_us < last_us else None


def end(tracks: tuple[TrackBuffer[R], ...]) -> int:
    """End of the media once every track is finished."""
    return max((track.ready_us for track in tracks), default=0)
