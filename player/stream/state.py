"""What playback of one client remembers: where the position is, what is buffered, and why it stands still.

The position is a function of `now` between two deadlines, computed when asked.
"""

from __future__ import annotations

from typing import Generic

from player.ids import KeyId
from player.stream.buffer import R, TrackBuffer


class State(Generic[R]):
    """Instants on the run clock, positions on the presentation timeline, all in µs. -1: not yet, or not now."""

    __slots__ = (
        "anchor_at",
        "anchor_us",
        "joined_at",
        "lost_us",
        "moving",
        "origin_us",
        "stall_kid",
        "stall_told",
        "stall_us",
        "stalled_at",
        "started_at",
        "tracks",
    )

    def __init__(self, now: int) -> None:
        self.joined_at = now
        self.tracks: tuple[TrackBuffer[R], ...] = ()
        self.origin_us = 0  # position at the start of playback
        self.anchor_us = 0  # position at `anchor_at`
        self.anchor_at = now
        self.moving = False
        self.started_at = -1
        self.stalled_at = -1
        self.stall_told = False
        self.stall_us = 0  # where it stands
        self.stall_kid: KeyId | None = None  # the key waited for, where the stall is for want of one
        self.lost_us = 0  # media that could not be fetched

    def position(self, now: int) -> int:
        return self.anchor_us + (now - self.anchor_at) if self.moving else self.anchor_us

    def set_position(self, position_us: int, now: int, *, moving: bool) -> None:
        self.anchor_us, self.anchor_at, self.moving = position_us, now, moving
