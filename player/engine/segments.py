"""The next segment of each track: when it is due, fetching it, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import us
from player.eme import element
from player.engine import (
    announcing,
    choosing,
    client_data,
    decrypting,
    locations,
    mpd_events,
    periods,
    presentation,
    tracks,
    triggers,
    utc_timing,
)
from player.engine.actions import Fetch, Fetched, FetchFailed, FetchKind, Progress
from player.engine.fetching import FETCH_ATTEMPTS, error_of, is_final, transfer, wait_us
from player.engine.spec import Media
from player.engine.track import Track
from player.errors import KeystormError, ManifestError, MediaError
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment, MediaSegment
from player.isobmff.sidx import SOUGHT, SegmentIndex
from player.mpd.availability import available_at, leaves_at
from player.mpd.model import Resource, Segment
from player.stream import choice
from player.stream.buffer import FOREVER, NEVER, Pending
from player.stream.events import SegmentFailed, SegmentLoaded
from player.stream.ladder import AUTO, script
from player.stream.state import NORMAL

if TYPE_CHECKING:
    from player.engine.machine import Machine

FETCH_TIMEOUT_US: Final = us(10)  # and the duration of a segment that comes while it is made
CONNECT_TIMEOUT_US: Final = us(5)
STALL_TIMEOUT_US: Final = us(5)

# ── fetching ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        _lose(m, track, segment, "left-window", "it has left the time-shift window")
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


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def index_fetched(m: Machine, result: Fetched, now: int) -> None:
    track = _taken(m, result)
    if track is None:
        return
    if not isinstance(result.parsed, SegmentIndex):
        _refuse(m, track, result, now)
        return
    track.attempts = 0
    track.indices = (
        *(read for read in track.indices if read[0] != track.representation.id),
        (track.representation.id, result.parsed),
    )
    track.index = m.manifest.index(track.period, track.representation, result.parsed)


def init_fetched(m: Machine, result: Fetched, now: int) -> None:
    track = _taken(m, result)
    if track is None:
        return
    if not isinstance(result.parsed, InitSegment):
        _refuse(m, track, result, now)
        return
    track.attempts = 0
    track.inits = (*track.inits, (track.representation.id, result.parsed))
    announcing.announce_init(m, track, result.parsed, now)


def media_fetched(m: Machine, result: Fetched, now: int) -> None:
    track = _taken(m, result)
    if track is None or track.coming is None:
        return
    match result.parsed:
        case MediaSegment() as media:
            track.attempts = 0
            _take(m, track, track.coming, media, result, now)
            track.last, track.coming = track.coming, None
        case BrokenSegmentError(delivered=delivered):
            _take(m, track, track.coming, delivered, result, now)
            _refuse(m, track, result, now)
        case _:
            _refuse(m, track, result, now)


def _take(m: Machine, track: Track, segment: Segment, media: MediaSegment, result: Fetched, now: int) -> None:
    """Fragments that were read, in order; those before a fault count as well."""
    moved_bytes, moved_us = transfer(result)
    track.estimate = choice.measured(track.estimate, moved_bytes, moved_us, m.spec.profile.stream)
    choosing.loaded(m, track)
    fragments = _own(track, result.action.context, media)
    if m.hears(SegmentLoaded):
        m.tell(_loaded(track, segment, fragments, len(result.body)))
    _push_all(m, track, segment, fragments, result, now)
    track.taken_us = NEVER
    if not fragments:
        track.skip(segment.end_us)
    if media.events:
        mpd_events.in_segment(m, track, segment, media.events, now)


def take_part(m: Machine, track: Track, segment: Segment, result: Progress, now: int) -> None:
    """Fragments of a segment that is still arriving."""
    fragments = () if result.parsed is None else _own(track, result.action.context, result.parsed)
    _push_all(m, track, segment, fragments, result, now)
    if fragments:
        track.taken_us = max(track.taken_us, _end(track, fragments[-1], segment))


def _push_all(
    m: Machine,
    track: Track,
    segment: Segment,
    fragments: tuple[Fragment, ...],
    result: Fetched | Progress,
    now: int,
) -> None:
    """Those that were taken while they arrived are not taken again."""
    for fragment in fragments:
        if _start(track, fragment, segment) >= track.taken_us:
            announcing.announce_fragment(m, track, fragment, now)
            _push(m, track, fragment, segment, result)


def _loaded(track: Track, segment: Segment, fragments: tuple[Fragment, ...], size: int) -> SegmentLoaded:
    return SegmentLoaded(
        track=track.number,
        number=segment.number,
        start_us=segment.start_us,
        end_us=segment.end_us,
        bytes=size,
        kids=tuple(dict.fromkeys(kid for fragment in fragments for kid in fragment.kids)),
    )


def fetch_failed(m: Machine, result: FetchFailed, now: int) -> None:
    track = _taken(m, result)
    if track is not None:
        _refuse(m, track, result, now)


def _taken(m: Machine, result: Fetched | FetchFailed) -> Track | None:
    """The track that waits for this answer, None if nobody does any more."""
    number = result.action.track
    track = m.stream.tracks[number] if 0 <= number < len(m.stream.tracks) else None
    if track is None or track.request is not result.action:
        return None
    track.request = None
    return track


def _refuse(m: Machine, track: Track, result: Fetched | FetchFailed, now: int) -> None:
    """Nothing usable came. Again after a while; in the end a live segment is given up, everything else is fatal.

    A live origin that is out of order is asked until the segment has left the window: playback stalls for the network.
    """
    error = error_of(result)
    if (early_at_most := _may_be_early(m, track, result)) and track.attempts == 0:
        utc_timing.too_early(m, result, now)
    if not early_at_most and locations.failed(m, track.representation, result.action.url, error.code, now):
        track.attempts, track.coming = 0, None
        return
    live = m.manifest.presentation.dynamic and track.coming is not None
    track.attempts += 1
    early = live and isinstance(result, Fetched) and result.status == 404
    again = live if not is_final(result) else early and track.attempts < FETCH_ATTEMPTS
    if again or (not is_final(result) and track.attempts < FETCH_ATTEMPTS):
        track.held_until = now + wait_us(track.attempts, result, m.wall_us(now))
    elif live and track.coming is not None:
        _lose(m, track, track.coming, error.code, str(error))
        track.coming = None
    else:
        if m.hears(SegmentFailed) and track.coming is not None:
            m.tell(_failed(track, track.coming, error.code, str(error)))
        track.broken, track.ended = _placed(error, result.action.url), True


def _may_be_early(m: Machine, track: Track, result: Fetched | FetchFailed) -> bool:
    """A segment at the live edge that is not there at first is no fault of its location."""
    live = m.manifest.presentation.dynamic and track.coming is not None and track.attempts < FETCH_ATTEMPTS - 1
    return live and isinstance(result, Fetched) and result.status == 404


def _placed(error: KeystormError, url: str) -> KeystormError:
    """Broken media is named with its URL."""
    if not isinstance(error, MediaError):
        return error
    return MediaError(error.code, f"{url}: {error.path}", error.offset, error.reason, error.source)


def _lose(m: Machine, track: Track, segment: Segment, code: str, reason: str) -> None:
    """Playback goes on over this segment; what is missing is counted."""
    track.last, track.attempts, track.taken_us = segment, 0, NEVER
    m.stream.lost_us += segment.end_us - max(segment.start_us, min(track.loaded_us, segment.end_us))
    track.skip(segment.end_us)
    if m.hears(SegmentFailed):
        m.tell(_failed(track, segment, code, reason))


def _failed(track: Track, segment: Segment, code: str, reason: str) -> SegmentFailed:
    return SegmentFailed(track=track.number, number=segment.number, code=code, reason=reason)


def _own(track: Track, init: InitSegment | None, media: MediaSegment) -> tuple[Fragment, ...]:
    """The fragments of the track that this buffer plays."""
    tracks = () if init is None else init.tracks
    own = next((t for t in tracks if t.kind == track.kind), tracks[0] if tracks else None)
    return tuple(f for f in media.fragments if own is not None and f.track_id == own.id and f.samples)


def _push(m: Machine, track: Track, fragment: Fragment, segment: Segment, result: Fetched | Progress) -> None:
    first, last = fragment.data
    buffer = bytearray(result.body[first:last]) if m.spec.media is Media.FULL else None
    start_us = _start(track, fragment, segment)
    pending = Pending(fragment, buffer, start_us, track.period_number, result.action.context)
    track.push(pending, _end(track, fragment, segment))


def _end(track: Track, fragment: Fragment, segment: Segment) -> int:
    return _start(track, fragment, segment) + fragment.duration * 1_000_000 // fragment.timescale


def _start(track: Track, fragment: Fragment, segment: Segment) -> int:
    """Presentation time of a fragment by its own decode time; by the MPD where the two are worlds apart."""
    source = track.representation.source
    offset = source.presentation_time_offset * 1_000_000 // source.timescale
    start = track.period.start_us + fragment.decode_time * 1_000_000 // fragment.timescale - offset
    length = segment.end_us - segment.start_us
    return start if segment.start_us - length <= start <= segment.end_us + length else segment.start_us
