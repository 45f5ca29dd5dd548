"""What is done with a media segment that is still arriving: its fragments are taken as they become whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.engine import abandoning, segments
from player.engine.actions import Progress

if TYPE_CHECKING:
    from player.engine.machine import Machine


def progressed(m: Machine, result: Progress, now: int) -> None:
    """Progress of a fetch that nobody waits for any more changes nothing."""
    number = result.action.track
    track = m.stream.tracks[number] if 0 <= number < len(m.stream.tracks) else None
    if track is None or track.request is not result.action or track.coming is None:
        return
    if result.parsed is not None:
        segments.take_part(m, track, track.coming, result, now)
    abandoning.watch(m, track, result, now)
