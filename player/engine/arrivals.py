"""What came of a fetch for a track: fragments go into its buffer, failures are tried again or given up.

A segment that is still arriving gives its fragments as they become whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.engine import (
    abandoning,
    announcing,
    choosing,
    locations,
    mpd_events,
    utc_timing,
)
from player.engine.actions import Fetched, FetchFailed, Progress
from player.engine.fetching import FETCH_ATTEMPTS, error_of, is_final, transfer, wait_us
from player.engine.spec import Media
from player.engine.track import Track
from player.errors import KeystormError, MediaError
from player.isobmff.model import BrokenSegmentError, Fragment, InitSegment, MediaSegment
from player.isobmff.sidx import SegmentIndex
from player.mpd.model import Segment
from player.stream import choice
from player.stream.buffer import NEVER, Pending
from player.stream.events import SegmentFailed, SegmentLoaded

if TYPE_CHECKING:
    from player.engine.machine import Machine


def progressed(m: Machine, result: Progress, now: int) -> None:
    """Progress of a fetch that nobody waits for any more changes nothing."""
    number = result.action.track
    track = m.stream.tracks[number] if 0 <= number < len(m.stream.tracks) else None
    if track is None or track.request is not result.action or track.coming is None:
        return
    if result.parsed is not None:
        _take_part(m, track, track.coming, result, now)
    abandoning.watch(m, track, result, now)


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


def _take_part(m: Machine, track: Track, segment: Segment, result: Progress, now: int) -> None:
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
        lose(m, track, track.coming, error.code, str(error))
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


def lose(m: Machine, track: Track, segment: Segment, code: str, reason: str) -> None:
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
