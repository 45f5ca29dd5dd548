"""Giving a segment up that is too slow to come, where the profile does so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.clock import SECOND
from player.engine import choosing, tracks
from player.engine.actions import Cancel, Progress
from player.engine.track import Track
from player.stream import abandon, choice
from player.stream.abandon import Arriving
from player.stream.buffer import NEVER
from player.stream.events import SegmentAbandoned
from player.stream.ladder import AUTO

if TYPE_CHECKING:
    from player.engine.machine import Machine


def watch(m: Machine, track: Track, result: Progress, now: int) -> None:
    """Progress of the track's segment: go on, or fetch it on a lower rung instead."""
    rules = m.spec.profile.stream
    if not choice.abandons(rules) or m.spec.representation != AUTO or track.taken_us != NEVER:
        return  # what is played already cannot be given up
    track.memory = track.memory._replace(samples=track.memory.samples + 1)
    rungs = choosing.rungs(m, track)
    rung = choosing.index(rungs, track.representation)
    if rung is None:
        return
    lower = abandon.instead([r.bandwidth for r in rungs], _arriving(m, track, result, rung), rules)
    if lower is not None:
        _give_up(m, track, result)
        tracks.represent(m, track, rungs[lower], now)


def _arriving(m: Machine, track: Track, result: Progress, rung: int) -> Arriving:
    segment_s = choosing.segment_s(m, track)
    expected = int(track.representation.bandwidth * segment_s / 8)
    return Arriving(
        rung=rung,
        elapsed_s=(result.at - result.sent_at) / SECOND,
        received_bytes=result.received,
        total_bytes=max(expected, result.received) if result.total is None else result.total,
        samples=track.memory.samples,
        segment_s=segment_s,
        buffer_s=m.stream.ahead_s(track, result.at),
        starving=track.memory.starving,
    )


def _give_up(m: Machine, track: Track, result: Progress) -> None:
    rules = m.spec.profile.stream
    track.estimate = choice.measured(track.estimate, result.received, result.at - result.sent_at, rules)
    track.memory = track.memory._replace(settled=True, samples=0)
    if m.hears(SegmentAbandoned) and track.coming is not None:
        number = track.coming.number
        m.tell(SegmentAbandoned(track=track.number, number=number, received_bytes=result.received))
    m.act(Cancel(result.action))
    track.request = track.coming = None
