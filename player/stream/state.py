"""What playback of one client remembers: where the position is, what is buffered, and why it stands still.

The position is a function of `now` between two deadlines, computed when asked: exact in whole numbers, as the rate is
one too (parts per million).
"""

from __future__ import annotations

from typing import Final, Generic

from player.clock import SECOND
from player.ids import KeyId
from player.stream.buffer import R, TrackBuffer

NORMAL: Final = 1_000_000  # rates are parts per million
UNASKED: Final = -1


class State(Generic[R]):
    """Instants on the run clock, positions on the presentation timeline, all in µs. -1: not yet, or not now."""

    __slots__ = (
        "anchor_at",
        "anchor_us",
        "asked_us",
        "joined_at",
        "lost_us",
        "moving",
        "origin_us",
        "paused",
        "played_us",
        "rate",
        "seeking_at",
        "stall_kid",
        "stall_told",
        "stall_us",
        "stalled_at",
        "started_at",
        "tracks",
        "wished_rate",
    )

    def __init__(self, now: int, rate: int = NORMAL) -> None:
        self.joined_at = now
        self.tracks: tuple[TrackBuffer[R], ...] = ()
        self.origin_us = 0  # position at the start of playback, or to which it was moved last
        self.played_us = 0  # media played before `origin_us`
        self.asked_us = UNASKED  # where to start, asked for before anything is known
        self.anchor_us = 0  # position at `anchor_at`
        self.anchor_at = now
        self.moving = False
        self.paused = False
        self.rate = rate  # at which it moves, or would
        self.wished_rate = rate  # the user's; catching up changes only the other
        self.seeking_at = -1  # since when the media at a new position is waited for
        self.started_at = -1
        self.stalled_at = -1
        self.stall_told = False
        self.stall_us = 0  # where it stands
        self.stall_kid: KeyId | None = None  # the key waited for, where the stall is for want of one
        self.lost_us = 0  # media that could not be fetched

    def position(self, now: int) -> int:
        if not self.moving:
            return self.anchor_us
        return self.anchor_us + (now - self.anchor_at) * self.rate // NORMAL

    def reaches(self, position_us: int) -> int:
        """The first instant at which the position is there, if it goes on at its rate."""
        return self.anchor_at - (self.anchor_us - position_us) * NORMAL // self.rate

    def set_position(self, position_us: int, now: int, *, moving: bool) -> None:
        self.anchor_us, self.anchor_at, self.moving = position_us, now, moving

    def set_rate(self, rate: int, now: int) -> None:
        self.set_position(self.position(now), now, moving=self.moving)
        self.rate = rate

    def ahead_s(self, track: TrackBuffer[R], now: int) -> float:
        """Seconds of playing at this rate that a track has fetched ahead."""
        return max(0, track.loaded_us - self.position(now)) * NORMAL / self.rate / SECOND

    def until(self, position_us: int, now: int) -> int:
        """The instant at which the position would be there if it moved on from now at its rate."""
        return now + (position_us - self.position(now)) * NORMAL // self.rate
