"""The MPD of a presentation as a function of the instant.

A live MPD is made anew only at the instants at which what it says changes; between two of them every client gets the
same bytes. It says nothing of a segment that can be computed from its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from player.backend.clip.load import ClipTrack
from player.backend.origin import mpd_tree as tree
from player.backend.origin.presentation import Presentation
from player.backend.spec import Addressing, Rotation
from player.clock import MILLISECOND, SECOND, us
from player.wire import announce

_PROTECTION_BANDWIDTH: Final = 6_000  # bit/s that IVs, subsample maps and pssh boxes add to a track of the clip
_REFRESHES_AHEAD: Final = 3
_SUGGESTED_SEGMENTS: Final = 3  # behind the live edge; what players take by themselves


def static_mpd(presentation: Presentation) -> tree.Mpd:
    """The MPD of the form on demand."""
    segment = presentation.schedule.segment
    duration = presentation.segments * segment
    last = presentation.schedule.period(presentation.segments - 1)
    periods = _periods(presentation, 0, last, range(presentation.segments), duration)
    return tree.Mpd(periods=periods, duration=duration, min_buffer=segment, max_segment=segment)


def live_mpd(presentation: Presentation, now: int, epoch_us: int, time_url: str) -> tree.Mpd:
    """The dynamic MPD at an instant of the run clock; `last_change` says since when it has been this one."""
    content, schedule = presentation.content, presentation.schedule
    window = us(content.time_shift_s)
    live = tree.Live(
        availability_start_wall=epoch_us - schedule.lead,
        publish_wall=epoch_us + last_change(presentation, now),
        minimum_update=us(content.mpd_refresh_s),
        time_shift=window,
        suggested_delay=min(_SUGGESTED_SEGMENTS * schedule.segment, max(window, schedule.segment)),
        time_url=time_url,
    )
    newest = schedule.newest_segment(now)
    segments = range(_oldest_segment(presentation, newest), newest + 1)
    periods = _periods(presentation, schedule.period(segments.start), newest_listed(presentation, now), segments, None)
    events = tuple(_events(presentation, now, epoch_us))
    segment = schedule.segment
    return tree.Mpd(periods=_with_events(periods, events), live=live, min_buffer=segment, max_segment=segment)


def last_change(presentation: Presentation, now: int) -> int:
    """The last instant of the run clock, not after `now`, at which the live MPD came to say something else."""
    return max((each for each in _changes(presentation, now) if each <= now), default=-presentation.schedule.lead)


def _changes(presentation: Presentation, now: int) -> Iterator[int]:
    content, schedule = presentation.content, presentation.schedule
    newest = schedule.newest_segment(now)
    yield -schedule.lead
    if content.addressing is Addressing.TIME:
        yield schedule.available(newest)
    if presentation.rotation is Rotation.NEW_PERIOD:
        oldest = _oldest_segment(presentation, newest)
        leaving = schedule.first_segment(schedule.period(oldest)) - oldest
        yield schedule.available(newest + leaving)
        yield from _since(presentation, now, _list_ahead(presentation))
    if presentation.announced:
        yield from _since(presentation, now, us(content.announce_s))
        yield from _since(presentation, now, 0)


def _since(presentation: Presentation, now: int, ahead: int) -> Iterator[int]:
    """The instant, `ahead` of its boundary, at which the last crypto period came into view."""
    period = presentation.schedule.newest_period(now + ahead)
    if period > 0:
        yield presentation.schedule.boundary(period) - ahead


def _list_ahead(presentation: Presentation) -> int:
    """How long before its first segment is available a Period is listed.

    `$Number$`: players compute segments past the end of what is available, and decrypt them with the key of the Period
    that they know, so every player must have refreshed before the Period starts. An MPD is up to two refresh intervals
    old: one in a cache (`max-age`), one in the player; a third is for players that are late. `$Time$`: a
    SegmentTimeline cannot be empty, so not before the first segment.
    """
    content = presentation.content
    if content.addressing is Addressing.TIME:
        return 0
    soon = _REFRESHES_AHEAD * us(content.mpd_refresh_s) + presentation.schedule.segment
    return max(us(content.announce_s), soon) if content.announced else soon


def newest_listed(presentation: Presentation, now: int) -> int:
    """The last crypto period that the live MPD shows."""
    return presentation.schedule.newest_period(now + _list_ahead(presentation))


def _oldest_segment(presentation: Presentation, newest: int) -> int:
    """The first segment of the time-shift window."""
    return max(0, newest + 1 - presentation.window_segments)


def _periods(
    presentation: Presentation, first: int, last: int, segments: range, end: int | None
) -> tuple[tree.Period, ...]:
    """One Period a crypto period where each has its own, else one for all. `end` None: the presentation goes on."""
    if presentation.rotation is not Rotation.NEW_PERIOD:
        return (_period(presentation, 0, segments, end, start=0),)
    schedule = presentation.schedule
    listed = []
    for period in range(first, last + 1):
        start, stop = schedule.start(period), schedule.end(period)
        inside = range(
            max(segments.start, schedule.first_segment(period)),
            segments.stop if stop is None else min(segments.stop, stop // schedule.segment),
        )
        duration = None if end is None else min(end, stop if stop is not None else end) - start
        listed.append(_period(presentation, period, inside, duration, start=start))
    return tuple(listed)


def _period(
    presentation: Presentation, period: int, segments: range, duration: int | None, *, start: int
) -> tree.Period:
    together: dict[tuple[str, tuple[tree.Protection, ...]], list[ClipTrack]] = {}
    for track in presentation.tracks:
        together.setdefault((track.kind, presentation.descriptors(track, period)), []).append(track)
    sets = [
        tree.AdaptationSet(
            id=number,
            kind=kind,
            lang="en" if kind == "audio" else None,
            protections=protections,
            representations=tuple(_representation(presentation, track, period, segments, start) for track in tracks),
        )
        for number, ((kind, protections), tracks) in enumerate(together.items())
    ]
    return tree.Period(id=f"p{period}", start=start, duration=duration, adaptation_sets=tuple(sets))


def _representation(
    presentation: Presentation, track: ClipTrack, period: int, segments: range, start: int
) -> tree.Representation:
    return tree.Representation(
        id=track.name,
        bandwidth=track.bandwidth + _PROTECTION_BANDWIDTH,
        codecs=track.codecs,
        width=track.width or None,
        height=track.height or None,
        frame_rate=str(track.frame_rate) if track.frame_rate else None,
        sampling_rate=track.sample_rate or None,
        channels=track.channels or None,
        segments=_template(presentation, track, period, segments, start),
    )


def _template(presentation: Presentation, track: ClipTrack, period: int, segments: range, start: int) -> tree.Template:
    own_init = presentation.rotation is Rotation.NEW_PERIOD
    by_time = presentation.content.addressing is Addressing.TIME
    return tree.Template(
        timescale=track.timescale,
        initialization=f"$RepresentationID$/init-p{period}.mp4" if own_init else "$RepresentationID$/init.mp4",
        media="$RepresentationID$/time-$Time$.m4s" if by_time else "$RepresentationID$/$Number$.m4s",
        start_number=segments.start if by_time else start // presentation.schedule.segment,
        presentation_time_offset=start * track.timescale // SECOND,
        duration=None if by_time else presentation.schedule.segment * track.timescale // SECOND,
        runs=tuple(_runs(presentation, track, segments)) if by_time else (),
    )


def _runs(presentation: Presentation, track: ClipTrack, segments: range) -> Iterator[tuple[int, int, int]]:
    """Segments of one duration, folded: (t, d, r) in ticks."""
    starts = {number: presentation.start_ticks(track, number) for number in range(segments.start, segments.stop + 1)}
    for ticks, run in groupby(segments, lambda number: starts[number + 1] - starts[number]):
        numbers = list(run)
        yield starts[numbers[0]], ticks, len(numbers) - 1


def _events(presentation: Presentation, now: int, epoch_us: int) -> Iterator[tree.Event]:
    """Announcements of the crypto periods that are near or not yet over."""
    if not presentation.announced:
        return
    schedule = presentation.schedule
    newest = schedule.newest_period(now + us(presentation.content.announce_s))
    for period in range(max(1, schedule.newest_period(now)), newest + 1):
        yield tree.Event(
            id=period,
            at=schedule.start(period) // MILLISECOND,
            duration=schedule.crypto_period // MILLISECOND,
            text=announce.write(_announcement(presentation, period, epoch_us)),
        )


def _announcement(presentation: Presentation, period: int, epoch_us: int) -> announce.Announcement:
    content, schedule = presentation.content, presentation.schedule
    start, end = epoch_us + schedule.boundary(period), epoch_us + schedule.boundary(period + 1)
    close_s = min(15.0, content.announce_s / 4) if content.close_s is None else content.close_s
    opens = start - us(content.announce_s)
    return announce.Announcement(
        idx=period,
        kids=presentation.kids(period),
        prefetch_open_ms=opens // MILLISECOND,
        prefetch_close_ms=max(opens, start - us(close_s)) // MILLISECOND,
        valid_from_ms=start // MILLISECOND,
        valid_until_ms=end // MILLISECOND,
    )


def _with_events(periods: tuple[tree.Period, ...], events: tuple[tree.Event, ...]) -> tuple[tree.Period, ...]:
    if not events:
        return periods
    (only,) = periods
    stream = tree.EventStream(scheme=announce.SCHEME, events=events)
    return (tree.Period(id=only.id, start=only.start, adaptation_sets=only.adaptation_sets, event_streams=(stream,)),)
