"""Packages tracks as a DASH presentation on demand: segments, then the MPD that names them.

It writes through a function it is given, and knows no file and no folder. Sources: ISO/IEC 23009-1; DASH-IF IOP v5
part 6 for what a rotation looks like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil
from typing import Final

from player.backend.origin import mpd_tree as tree
from player.backend.origin import mpd_writer
from player.backend.packager import signal
from player.backend.packager.cut import Cut, cuts, pieces, start_of
from player.backend.packager.keys import KeyBook
from player.backend.packager.represent import Rendition, Span, init_segment, media_segments, named_key, rendition
from player.backend.packager.settings import SegmentForm, Settings
from player.backend.packager.source import SourceTrack
from player.backend.spec import Rotation
from player.clock import SECOND
from player.errors import UsageError
from player.isobmff import writer

MANIFEST: Final = "manifest.mpd"
MAX_SEGMENTS: Final = 50_000  # of a track; a choice: a day in segments of 2 s
_FIRST_NUMBER: Final = 1  # of segments; they run on from Period to Period
_UNDETERMINED: Final = "und"

Write = Callable[[str, bytes], None]
"""Given the name of a file, relative to the manifest, and what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """What was made, for a summary."""

    duration: Fraction  # seconds
    periods: int
    crypto_periods: int
    segments: int  # of each Representation
    renditions: tuple[Rendition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """Segments of one Representation in one Period: (bytes, ticks) of each, and how the MPD names them."""

    sizes: tuple[tuple[int, int], ...]
    segments: tree.Template | tree.OneFile


def package(tracks: Sequence[SourceTrack], settings: Settings, keys: KeyBook, write: Write) -> Packaged:
    """Writes every segment, and the MPD last.

    Raises: UsageError for tracks or keys that do not go together, MediaError for a sample that cannot be protected.
    """
    zero, end = start_of(tracks), _end(tracks, settings)
    if end / min(settings.segment, settings.crypto_period or settings.segment) > MAX_SEGMENTS:
        raise UsageError(f"more than {MAX_SEGMENTS} segments or crypto periods in {float(end):g} s")
    cut = cuts(tracks, settings.segment, _boundaries(settings, end))
    renditions = tuple(_renditions(tracks, cut, zero, settings, keys))
    spans = tuple(_spans(cut, end, settings))
    job = _Job(cut, zero, settings, keys, write)
    periods = tuple(_period(job, span, renditions, only=len(spans) == 1) for span in spans)
    write(MANIFEST, mpd_writer.write(_mpd(periods, cut, end, settings)))
    return Packaged(
        duration=end,
        periods=len(spans),
        crypto_periods=len({settings.crypto_period_at(each.wanted) for each in cut}),
        segments=len(cut),
        renditions=renditions,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What holds for all tracks and Periods."""

    cuts: tuple[Cut, ...]
    zero: Fraction
    settings: Settings
    keys: KeyBook
    write: Write


def _end(tracks: Sequence[SourceTrack], settings: Settings) -> Fraction:
    """Where video ends, if no other track goes on for long: encoders let audio overhang by a frame or two."""
    zero = start_of(tracks)
    ends = [Fraction(track.end, track.timescale) - zero for track in tracks]
    leading = next((end for track, end in zip(tracks, ends, strict=True) if track.kind == "video"), ends[0])
    return leading if max(ends) - leading <= settings.segment / 2 else max(ends)


def _boundaries(settings: Settings, end: Fraction) -> Iterator[Fraction]:
    """Instants besides the multiples of the segment duration at which a segment is to start."""
    yield from settings.period_at
    if settings.clear_lead:
        yield settings.clear_lead
    if settings.crypto_period is not None:
        yield from (settings.crypto_period * k for k in range(1, ceil(end / settings.crypto_period)))


def _renditions(
    tracks: Sequence[SourceTrack], cut: tuple[Cut, ...], zero: Fraction, settings: Settings, keys: KeyBook
) -> Iterator[Rendition]:
    numbers: Counter[str] = Counter()
    for track in tracks:
        numbers[track.kind] += 1
        label = keys.label(track.kind, track.codec)
        yield rendition(f"{track.kind}-{numbers[track.kind]}", track, label, pieces(track, cut, zero), settings)


def _spans(cut: tuple[Cut, ...], end: Fraction, settings: Settings) -> Iterator[Span]:
    """Segments of one Period: the same stretch between the instants asked for, and of one key if keys make Periods."""

    def period(index: int) -> tuple[int, int]:
        wanted = cut[index].wanted
        own = settings.crypto_period_at(wanted) if settings.rotation is Rotation.NEW_PERIOD else 0
        return sum(instant <= wanted for instant in settings.period_at), own

    runs = [(own, list(run)) for (_, own), run in groupby(range(len(cut)), period)]
    starts = [Fraction(0), *(cut[run[0]].at for _, run in runs[1:]), end]
    for number, (crypto_period, run) in enumerate(runs):
        segments = range(run[0], run[-1] + 1)
        start, stop = starts[number], starts[number + 1]
        yield Span(number=number, start=start, end=stop, segments=segments, crypto_period=crypto_period)


def _mpd(periods: tuple[tree.Period, ...], cut: tuple[Cut, ...], end: Fraction, settings: Settings) -> tree.Mpd:
    longest = max(after - before for before, after in pairwise([*(each.at for each in cut), end]))
    base = settings.form is SegmentForm.BASE
    return tree.Mpd(
        periods=periods,
        duration=_us(end),
        min_buffer=_us(settings.segment),
        max_segment=_us(max(longest, settings.segment)),
        profile=tree.ON_DEMAND_PROFILE if base else tree.LIVE_PROFILE,
    )


def _period(job: _Job, span: Span, renditions: Sequence[Rendition], *, only: bool) -> tree.Period:
    """Tracks that say the same of kind, codec, language and protection share an AdaptationSet."""
    together: dict[tuple[str, str, int, tuple[tree.Protection, ...]], list[tree.Representation]] = {}
    for each in renditions:
        named = named_key(each, span, job.settings, job.keys)
        protections = signal.descriptors(job.settings, None if named is None else named.kid)
        key = (each.track.kind, each.track.codec.fourcc, each.track.language, protections)
        together.setdefault(key, []).append(_representation(job, span, each, only=only))
    sets = [
        tree.AdaptationSet(
            id=number, kind=kind, lang=_lang(language), protections=protections, representations=tuple(found)
        )
        for number, ((kind, _, language, protections), found) in enumerate(together.items())
    ]
    return tree.Period(
        id=f"p{span.number}",
        start=_us(span.start),
        duration=_us(span.end) - _us(span.start),
        adaptation_sets=tuple(sets),
    )


def _representation(job: _Job, span: Span, each: Rendition, *, only: bool) -> tree.Representation:
    written = (_one_file if job.settings.form is SegmentForm.BASE else _files)(job, span, each, only=only)
    timescale, codec = each.track.timescale, each.track.codec
    durations = {sample.duration for sample in each.track.samples}
    frame_rate = str(Fraction(timescale, durations.pop())) if len(durations) == 1 and 0 not in durations else None
    return tree.Representation(
        id=each.id,
        bandwidth=max(ceil(size * 8 * timescale / max(ticks, 1)) for size, ticks in written.sizes),
        codecs=codec.codecs,
        width=codec.width or None,
        height=codec.height or None,
        frame_rate=frame_rate if each.track.kind == "video" else None,
        sampling_rate=codec.sound.sampling_rate or None,
        channels=codec.sound.channels or None,
        channel_mask=codec.sound.channel_mask or None,
        segments=written.segments,
    )


def _files(job: _Job, span: Span, each: Rendition, *, only: bool) -> _Written:
    """One file a segment, named by number or by time."""
    by_time = job.settings.form is SegmentForm.TIME
    init = "init.mp4" if only else f"init-p{span.number}.mp4"
    job.write(f"{each.id}/{init}", init_segment(each, span, job.settings, job.keys))
    sizes = []
    for index, segment in zip(span.segments, _segments(job, span, each), strict=True):
        start, end = each.ticks(index)
        sizes.append((len(segment), end - start))
        job.write(f"{each.id}/{start if by_time else index + _FIRST_NUMBER}.m4s", segment)
    even = None if by_time else _even_duration(job, span, each)
    template = tree.Template(
        timescale=each.track.timescale,
        initialization=f"$RepresentationID$/{init}",
        media=f"$RepresentationID$/{'$Time$' if by_time else '$Number$'}.m4s",
        start_number=span.segments.start + _FIRST_NUMBER,
        presentation_time_offset=_offset(job, span, each),
        duration=even,
        runs=() if even else tuple(_runs(span, each)),
    )
    return _Written(sizes=tuple(sizes), segments=template)


def _one_file(job: _Job, span: Span, each: Rendition, *, only: bool) -> _Written:
    """Init segment, index and all segments of the Period behind one another."""
    name = f"{each.id}.mp4" if only else f"{each.id}-p{span.number}.mp4"
    init = init_segment(each, span, job.settings, job.keys)
    segments = list(_segments(job, span, each))
    ticks = [each.ticks(index) for index in span.segments]
    sizes = tuple((len(data), end - start) for data, (start, end) in zip(segments, ticks, strict=True))
    index = writer.segment_index(each.track.timescale, ticks[0][0], sizes)
    job.write(name, b"".join((init, index, *segments)))
    file = tree.OneFile(
        timescale=each.track.timescale,
        url=name,
        initialization=(0, len(init) - 1),
        index=(len(init), len(init) + len(index) - 1),
        presentation_time_offset=_offset(job, span, each),
    )
    return _Written(sizes=sizes, segments=file)


def _segments(job: _Job, span: Span, each: Rendition) -> Iterator[bytes]:
    return media_segments(each, span, job.cuts, job.settings, job.keys)


def _offset(job: _Job, span: Span, each: Rendition) -> int:
    """The start of the Period on the media timeline, in ticks."""
    return int((job.zero + span.start) * each.track.timescale)


def _even_duration(job: _Job, span: Span, each: Rendition) -> int | None:
    """@duration in ticks where segments are so even that numbers tell their times (23009-1, 5.3.9.5.3); else None."""
    wanted = job.settings.segment
    ticks = wanted * each.track.timescale
    if ticks.denominator != 1 or len(span.segments) != ceil((span.end - span.start) / wanted):
        return None
    offset = _offset(job, span, each)
    starts = [each.ticks(index)[0] - offset for index in span.segments]
    return int(ticks) if all(abs(start - k * ticks) <= ticks / 2 for k, start in enumerate(starts)) else None


def _runs(span: Span, each: Rendition) -> Iterator[tuple[int, int, int]]:
    """Segments of one duration, folded: (t, d, r) in ticks."""
    ticks = [each.ticks(index) for index in span.segments]
    for duration, run in groupby(ticks, lambda of: of[1] - of[0]):
        same = list(run)
        yield same[0][0], duration, len(same) - 1


def _lang(language: int) -> str | None:
    """Three letters in five bits each (14496-12, 8.4.2)."""
    text = "".join(chr((language >> shift & 31) + 0x60) for shift in (10, 5, 0))
    return text if text.isalpha() and text != _UNDETERMINED else None


def _us(instant: Fraction) -> int:
    return int(instant * SECOND)
