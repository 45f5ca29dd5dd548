"""From a track's next segment to clear samples: choose, fetch, parse, wait for the key, decrypt, deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import us
from player.drm.init_data import Origin
from player.drm.keys import Verdict
from player.eme.cdm import Decrypt, Decrypted
from player.engine import keys
from player.engine.actions import Cancel, CdmCall, Deliver, Fetch, Fetched, FetchFailed, FetchKind
from player.engine.fetching import FETCH_ATTEMPTS, error_of, is_final, wait_us
from player.engine.manifest import Manifest
from player.engine.spec import Media
from player.engine.track import Track
from player.errors import KeystormError, ManifestError, MediaError
from player.ids import KeyId
from player.isobmff.model import Fragment, InitSegment, MediaSegment
from player.isobmff.sidx import SegmentIndex
from player.mpd.availability import available_at, leaves_at
from player.mpd.model import AdaptationSet, Period, Representation, Resource, Segment
from player.stream import choice
from player.stream.buffer import FOREVER, Pending
from player.stream.events import RepresentationChosen, SegmentFailed, SegmentLoaded, TrackOpened

if TYPE_CHECKING:
    from player.engine.machine import Machine

FETCH_TIMEOUT_US: Final = us(10)

# ── Periods and Representations ──────────────────────────────────────────────────────────────────────────────────────


def open_period(m: Machine, track: Track, period: Period, group: AdaptationSet, origin: Origin, now: int) -> None:
    """The track goes on in this Period."""
    track.period, track.adaptation_set, track.last, track.inits = period, group, None, ()
    if m.hears(TrackOpened):
        m.tell(_told(track))
    _represent(m, track, _wished(m, track, None), now)
    keys.announce_protections(m, track, origin, now)


def _told(track: Track) -> TrackOpened:
    return TrackOpened(
        period=track.period_number,
        track=track.number,
        kind=track.kind,
        adaptation_set=track.adaptation_set.id,
        codecs=track.adaptation_set.representations[0].codecs,
    )


def _wished(m: Machine, track: Track, current: Representation | None) -> Representation:
    """What the spec or the throughput asks for, of those whose keys are not blocked."""
    rules = m.spec.profile.stream
    playable = [r for r in track.adaptation_set.representations if keys.playable(m, track.adaptation_set, r)]
    rate = choice.throughput(track.estimate, track.kind, rules)
    among = playable or list(track.adaptation_set.representations)
    return choice.pick(among, m.spec.representation, rate, current, rules)


def _represent(m: Machine, track: Track, representation: Representation, now: int) -> None:
    track.representation = representation
    track.index = m.manifest.index(track.period, representation, None)
    track.switched_at = now
    if m.hears(RepresentationChosen):
        m.tell(
            RepresentationChosen(
                track=track.number, representation=representation.id, bandwidth=representation.bandwidth
            )
        )


def renewed(m: Machine) -> None:
    """A new version of the MPD: every track goes on with what it says of its Period and Representation."""
    for track in m.stream.tracks:
        period = m.manifest.period(track.period.id)
        group = None if period is None else _same(period, track.adaptation_set)
        if period is None or group is None:
            continue  # the Period has left the MPD; what was fetched of it still plays
        again = next((r for r in group.representations if r.id == track.representation.id), None)
        if again is not None:
            track.period, track.adaptation_set, track.representation = period, group, again
            track.index = m.manifest.index(period, again, None)
            track.ended = False


def _same(period: Period, group: AdaptationSet) -> AdaptationSet | None:
    """The AdaptationSet that continues this one: same id, else same kind and language, else same kind."""
    of_kind = [other for other in period.adaptation_sets if other.kind == group.kind and other.representations]
    by_id = [other for other in of_kind if other.id == group.id]
    by_language = [other for other in of_kind if other.lang == group.lang]
    return next(iter(by_id or by_language or of_kind), None)


def duration_us(manifest: Manifest, period: Period) -> int:
    """Duration of the segments of a Period, by its first one that can be computed."""
    for group in period.adaptation_sets:
        for representation in group.representations[:1]:
            segment = manifest.index(period, representation, None).locate(period.start_us)
            if segment is not None:
                return segment.end_us - segment.start_us
    return 0


# ── fetching ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def advance(m: Machine, now: int) -> None:
    for track in m.stream.tracks:
        _decrypt(m, track, now)
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
        _fetch(m, track, FetchKind.INDEX, track.index.index, now)
    elif track.init is not None:
        _schedule_media(m, track, now)
    elif track.index.initialization is not None:
        _fetch(m, track, FetchKind.INIT, track.index.initialization, now)
    else:
        m.fail(_unsupported(track, "segments that initialize themselves are not supported"), now)


def _schedule_media(m: Machine, track: Track, now: int) -> None:
    segment = _following(m, track)
    while segment is not None and _has_left(m, segment, now):
        _lose(m, track, segment, "left-window", "it has left the time-shift window")
        segment = _following(m, track)
    if segment is None:
        if track.index.ended:
            _period_ended(m, track, now)
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
    _fetch(m, track, FetchKind.MEDIA, segment.resource, max(at, 0) if at > 0 else now, context=track.init)


def _following(m: Machine, track: Track) -> Segment | None:
    if track.last is not None:
        return track.index.after(track.last)
    return track.index.locate(max(m.stream.origin_us, track.period.start_us, track.loaded_us))


def _when(m: Machine, track: Track, segment: Segment, now: int) -> int:
    """The instant at which the segment is available and the buffer has room for it."""
    return max(_available(m, track, segment), _room(m, track, now))


def _available(m: Machine, track: Track, segment: Segment) -> int:
    if not m.manifest.presentation.dynamic:
        return 0
    return available_at(m.manifest.presentation, track.period, segment) - m.wall_us(0)


def _has_left(m: Machine, segment: Segment, now: int) -> bool:
    at = leaves_at(m.manifest.presentation, segment)
    return at is not None and m.wall_us(now) > at


def _room(m: Machine, track: Track, now: int) -> int:
    ahead = track.loaded_us - m.stream.position(now) - us(m.spec.profile.stream.buffer_goal_s)
    if ahead <= 0:
        return now
    return now + ahead if m.stream.moving else FOREVER


def _switch(m: Machine, track: Track, now: int) -> None:
    """Another Representation from this segment on, where the choice is free and not made too often."""
    if m.spec.representation != "auto" or not choice.may_switch(track.switched_at, now, m.spec.profile.stream):
        return
    wished = _wished(m, track, track.representation)
    if wished.id != track.representation.id:
        _represent(m, track, wished, now)
        keys.announce_protections(m, track, Origin.MPD, now)


def _fetch(
    m: Machine,
    track: Track,
    kind: FetchKind,
    resource: Resource,
    intended: int,
    context: InitSegment | None = None,
) -> None:
    track.request = Fetch(
        kind=kind,
        url=resource.url,
        byte_range=resource.byte_range,
        timeout_us=FETCH_TIMEOUT_US,
        intended=intended,
        track=track.number,
        context=context,
    )
    m.act(track.request)


def _period_ended(m: Machine, track: Track, now: int) -> None:
    """Go on in the next Period that has a set of this kind, or end."""
    periods = m.manifest.presentation.periods
    position = next((i for i, period in enumerate(periods) if period.id == track.period.id), len(periods))
    for period in periods[position + 1 :]:
        group = _same(period, track.adaptation_set)
        if group is not None:
            track.period_number += 1
            open_period(m, track, period, group, Origin.MPD, now)
            _schedule(m, track, now)
            return
    track.ended = True


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def index_fetched(m: Machine, result: Fetched, now: int) -> None:
    track = _taken(m, result)
    if track is None:
        return
    if not isinstance(result.parsed, SegmentIndex):
        _refuse(m, track, result, now)
        return
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
    keys.announce_init(m, track, result.parsed, now)


def media_fetched(m: Machine, result: Fetched, now: int) -> None:
    track = _taken(m, result)
    if track is None or track.coming is None:
        return
    if not isinstance(result.parsed, MediaSegment):
        _refuse(m, track, result, now)
        return
    segment, track.coming, track.attempts = track.coming, None, 0
    track.last = segment
    duration = result.done_at - result.sent_at
    track.estimate = choice.measured(track.estimate, len(result.body), duration, m.spec.profile.stream)
    fragments = _own(track, result.action.context, result.parsed)
    if m.hears(SegmentLoaded):
        m.tell(_loaded(track, segment, fragments, len(result.body)))
    for fragment in fragments:
        keys.announce_fragment(m, track, fragment, now)
        _push(m, track, fragment, segment, result.body)
    if not fragments:
        track.skip(segment.end_us)


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
    """Nothing usable came. Again after a while; in the end a live segment is given up, everything else is fatal."""
    error = error_of(result)
    dynamic = m.manifest.presentation.dynamic
    track.attempts += 1
    early = dynamic and isinstance(result, Fetched) and result.status == 404
    if track.attempts < FETCH_ATTEMPTS and (early or not is_final(result)):
        track.held_until = now + wait_us(track.attempts)
    elif dynamic and track.coming is not None:
        _lose(m, track, track.coming, error.code, str(error))
        track.coming = None
    else:
        if m.hears(SegmentFailed) and track.coming is not None:
            m.tell(_failed(track, track.coming, error.code, str(error)))
        m.fail(_placed(error, result.action.url), now)


def _placed(error: KeystormError, url: str) -> KeystormError:
    """Broken media is named with its URL."""
    if not isinstance(error, MediaError):
        return error
    return MediaError(error.code, f"{url}: {error.path}", error.offset, error.reason, error.source)


def _lose(m: Machine, track: Track, segment: Segment, code: str, reason: str) -> None:
    """Playback goes on over this segment; what is missing is counted."""
    track.last, track.attempts = segment, 0
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


def _push(m: Machine, track: Track, fragment: Fragment, segment: Segment, body: bytes) -> None:
    first, last = fragment.data
    buffer = bytearray(body[first:last]) if m.spec.media is Media.FULL else None
    start_us = _start(track, fragment, segment)
    end_us = start_us + fragment.duration * 1_000_000 // fragment.timescale
    track.push(Pending(fragment, buffer, start_us, track.period_number), end_us)


def _start(track: Track, fragment: Fragment, segment: Segment) -> int:
    """Presentation time of a fragment by its own decode time; by the MPD where the two are worlds apart."""
    source = track.representation.source
    offset = source.presentation_time_offset * 1_000_000 // source.timescale
    start = track.period.start_us + fragment.decode_time * 1_000_000 // fragment.timescale - offset
    length = segment.end_us - segment.start_us
    return start if segment.start_us - length <= start <= segment.end_us + length else segment.start_us


# ── decrypting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _decrypt(m: Machine, track: Track, now: int) -> None:
    """Make the head of the queue clear as far as its keys allow, one fragment at a time, strictly in order."""
    while track.pending and not track.decrypting and not m.finished:
        head = track.pending[0]
        kid = head.kid()
        if kid is None:
            _release(m, track, _clear_run(head))
            continue
        verdict = keys.verdict_of(m, track, kid, now)
        if verdict is Verdict.BLOCK:
            _blocked(m, track, kid, now)
            return
        if verdict is Verdict.UNDECIDED or track.refused == kid:
            return
        if m.spec.media is Media.SIGNALS:
            _release(m, track, _run_of(head))
            continue
        track.decrypting = True
        m.act(CdmCall(Decrypt(track=track.number, buffer=head.buffer, samples=head.fragment.samples, start=head.start)))


def _blocked(m: Machine, track: Track, kid: KeyId, now: int) -> None:
    """The key will not come: go on in a Representation with another key, or end."""
    group = track.adaptation_set
    others = [r for r in group.representations if r.id != track.representation.id and keys.playable(m, group, r)]
    if not others:
        keys.nothing_left(m, kid, now)
        return
    if track.request is not None:
        m.act(Cancel(track.request))
    track.drop_unready()
    _represent(m, track, others[-1], now)
    keys.announce_protections(m, track, Origin.MPD, now)


def decrypted(m: Machine, call: Decrypt, result: Decrypted, now: int) -> None:
    track = m.stream.tracks[call.track]
    track.decrypting = False
    if result.clear > call.start:
        _release(m, track, result.clear - call.start)
    if result.error is not None:
        m.fail(_undecipherable(track, result.error), now)
    elif result.stopped_by is not None:
        track.refused = result.stopped_by


def _release(m: Machine, track: Track, count: int) -> None:
    """`count` samples from the head on are clear: hand them to the sink."""
    head = track.pending[0]
    start = head.start
    track.clear(count)
    if m.spec.media is Media.FULL:
        m.act(Deliver(head.period, track.number, head.buffer, head.fragment.samples, start, start + count))


def _clear_run(head: Pending) -> int:
    """How many samples from here on are not protected."""
    samples = head.fragment.samples
    stop = next((i for i in range(head.start, len(samples)) if samples[i].protection is not None), len(samples))
    return stop - head.start


def _run_of(head: Pending) -> int:
    """How many samples from here on have the key of the first."""
    samples, kid = head.fragment.samples, head.kid()
    for i in range(head.start, len(samples)):
        protection = samples[i].protection
        if protection is not None and protection.kid != kid:
            return i - head.start
    return len(samples) - head.start


def _undecipherable(track: Track, reason: str) -> KeystormError:
    return MediaError("bad-protection", f"track {track.number}", 0, reason)


def _unsupported(track: Track, reason: str) -> KeystormError:
    return ManifestError("unsupported", f"Representation[@id='{track.representation.id}']", reason)
