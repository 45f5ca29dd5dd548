"""The next segment of each track: when it is due, and fetching it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import us
from player.eme import element
from player.engine import (
    arrivals,
    choosing,
    client_data,
    decrypting,
    locations,
    periods,
    presentation,
    tracks,
    triggers,
)
from player.engine.actions import Fetch, FetchKind
from player.engine.track import Track
from player.errors import ManifestError
from player.isobmff.model import InitSegment
from player.isobmff.sidx import SOUGHT, SegmentIndex
from player.mpd.availability import available_at, leaves_at
from player.mpd.model import Resource, Segment
from player.stream import choice
from player.stream.buffer import FOREVER
from player.stream.ladder import AUTO, script
from player.stream.state import NORMAL

if TYPE_CHECKING:
    from player.engine.machine import Machine

FETCH_TIMEOUT_US: Final = us(10)  # and the duration of a segment that comes while it is made
CONNECT_TIMEOUT_US: Final = us(5)
STALL_TIMEOUT_US: Final = us(5)


def advance(m: Machine, now: int) -> None:
    if m.element.blocked:
        element.tries_again(m.element)  # each turn tries the head of every queue
    for track in m.stream.tracks:
        decrypting.advance(m, track, now)
        _schedule(m, track, now)


def _schedule(m: Machine, track: Track, now: int) -> None:
    """Begin the track's next fetch, or note when it is due."""
    if m.finished or track.request is not None or track.ended:
        return
    if track.held_until > now:
        track.due = track.held_until
        return
    track.due = FOREVER
    if track.index.index is not None:
        known = SOUGHT if track.sidx is None and track.index.searched else track.sidx
        _fetch(m, track, FetchKind.INDEX, track.index.index, now, known=known)
    elif track.init is not None:
        _schedule_media(m, track, now)
    elif track.index.initialization is not None:
        _fetch(m, track, FetchKind.INIT, track.index.initialization, now)
    else:
        place = f"Representation[@id='{track.representation.id}']"
        m.fail(ManifestError("unsupported", place, "segments that initialize themselves are not supported"), now)


def _schedule_media(m: Machine, track: Track, now: int) -> None:
    if m.stream.paused and _room(m, track, now) > now:
        return  # what leaves the window meanwhile is not lost: playback will go on from where there is media
    segment = _following(m, track)
    if segment is not None and periods.is_closed(m, segment, now):
        track.ended = True
        return
    while segment is not None and _has_left(m, segment, now):
        arrivals.lose(m, track, segment, "left-window", "it has left the time-shift window")
        segment = _following(m, track)
    if segment is None:
        _no_further(m, track, now)
        return
    at = _when(m, track, segment, now)
    if at > now:
        track.due = at
        return
    _switch(m, track, now)
    if track.init is None:
        _schedule(m, track, now)
        return
    track.coming = segment
    triggers.segment_due(m, track, now)
    if m.finished:
        return
    _fetch(m, track, FetchKind.MEDIA, segment.resource, max(at, 0) if at > 0 else now, context=track.init)


def _following(m: Machine, track: Track) -> Segment | None:
    if track.last is not None:
        return track.index.after(track.last)
    return track.index.locate(max(m.stream.origin_us, track.period.start_us, track.loaded_us))


def _when(m: Machine, track: Track, segment: Segment, now: int) -> int:
    """The instant at which the segment is available and the buffer has room for it."""
    return max(_available(m, segment), _room(m, track, now))


def _available(m: Machine, segment: Segment) -> int:
    if not m.manifest.presentation.dynamic:
        return 0
    return available_at(m.manifest.presentation, segment) - m.wall_us(0)


def _has_left(m: Machine, segment: Segment, now: int) -> bool:
    at = leaves_at(m.manifest.presentation, segment)
    return at is not None and m.wall_us(now) > at


def _room(m: Machine, track: Track, now: int) -> int:
    ahead = track.loaded_us - m.stream.position(now) - choosing.goal_us(m, track)
    if ahead <= 0:
        return now
    return now - (-ahead * NORMAL // m.stream.rate) if m.stream.moving else FOREVER


def _switch(m: Machine, track: Track, now: int) -> None:
    """Another Representation from this segment on, where a script says so, or the choice is not made too often."""
    is_free = m.spec.representation == AUTO
    if is_free and not choice.may_switch(track.memory, track.switched_at, now, m.spec.profile.stream):
        return
    if not is_free and not script(m.spec.representation):
        return
    wished = choosing.wished(m, track, track.representation, now)
    if wished.id != track.representation.id:
        tracks.represent(m, track, wished, now)


def _no_further(m: Machine, track: Track, now: int) -> None:
    """No segment to fetch now: a refresh may bring one, the next Period has one, or the track has ended."""
    if not track.index.ended:
        presentation.run_dry(m, now)
    elif periods.go_on(m, track, now):
        _schedule(m, track, now)


def _fetch(
    m: Machine,
    track: Track,
    kind: FetchKind,
    resource: Resource,
    intended: int,
    context: InitSegment | None = None,
    known: SegmentIndex | None = None,
) -> None:
    made = None if kind is not FetchKind.MEDIA or track.coming is None or track.coming.complete else track.coming
    resource = locations.placed(m, track.representation, resource, intended)
    track.request = Fetch(
        kind=kind,
        url=resource.url,
        byte_range=resource.byte_range,
        timeout_us=FETCH_TIMEOUT_US + (0 if made is None else made.end_us - made.start_us),
        connect_timeout_us=CONNECT_TIMEOUT_US,
        stall_timeout_us=STALL_TIMEOUT_US,
        progress=kind is FetchKind.MEDIA and choice.abandons(m.spec.profile.stream),
        parts=made is not None,
        intended=intended,
        track=track.number,
        context=context,
        known=known,
    )
    if m.spec.cmcd is not None:
        track.request = client_data.of_media(m, track, track.request)
    m.act(track.request)
