"""A body that is still arriving: told to the machine where the fetch asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from player.clock import MILLISECOND
from player.engine.actions import Fetch, Progress
from player.engine.parsed import part_reader
from player.errors import MediaError
from player.isobmff.arriving import ArrivedPart, ArrivingSegment
from player.runtime.fetch import Tell

INTERVAL_US: Final = 50 * MILLISECOND  # as often as browsers tell of progress (XMLHttpRequest, 4.5)


def _nobody(_progress: Progress) -> None:
    """Nobody asked."""


class Arriving:
    """One answer. `feed` takes what came; `moved_*` measure the network without its waits for the server."""

    __slots__ = (
        "_action",
        "_last_at",
        "_parts",
        "_sent_at",
        "_tell",
        "_told_at",
        "moved_bytes",
        "moved_us",
        "received",
        "total",
    )

    def __init__(self, action: Fetch, tell: Tell | None, sent_at: int, *, total: int | None = None) -> None:
        self._action = action
        self._tell = tell or _nobody
        self._parts: ArrivingSegment | None = part_reader(action) if action.parts else None
        self._sent_at = self._last_at = self._told_at = sent_at
        self.total = total
        self.received = 0
        self.moved_bytes = 0 if action.parts else -1
        self.moved_us = 0 if action.parts else -1

    def feed(self, data: bytes, now: int) -> None:
        self.received += len(data)
        if not (self._action.progress or self._action.parts):
            return
        for part in self._whole(data, now):
            self._say(now, part)
        if self._action.progress and now - self._told_at >= INTERVAL_US:
            self._say(now, None)
        self._last_at = now

    def _whole(self, data: bytes, now: int) -> Sequence[ArrivedPart]:
        """Fragments that are whole now. After a fault there are no more: the whole segment tells what it is."""
        if self._parts is None:
            return ()
        if self._parts.is_inside:  # else the server had nothing to send until now
            self.moved_bytes += len(data)
            self.moved_us += now - self._last_at
        try:
            return self._parts.feed(data)
        except MediaError:
            self._parts = None
            return ()

    def _say(self, now: int, part: ArrivedPart | None) -> None:
        self._told_at = now
        self._tell(
            Progress(
                action=self._action,
                received=self.received,
                total=self.total,
                sent_at=self._sent_at,
                at=now,
                body=b"" if part is None else part.data,
                parsed=None if part is None else part.segment,
            )
        )
