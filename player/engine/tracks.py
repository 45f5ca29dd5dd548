"""What each track plays: its Period, its Representation, and what takes their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from player.engine import choosing, fallback, keys, triggers, verdicts
from player.engine.actions import Cancel
from player.engine.manifest import Manifest
from player.engine.track import Track
from player.ids import KeyId
from player.mpd.model import AdaptationSet, Period, Representation
from player.stream.events import RepresentationChosen, TrackOpened

if TYPE_CHECKING:
    from player.engine.machine import Machine


def open_period(m: Machine, track: Track, period: Period, group: AdaptationSet, now: int) -> None:
    """The track goes on in this Period."""
    track.period, track.adaptation_set, track.last = period, group, None
    track.inits = track.indices = ()
    chosen = choosing.wished(m, track, None, now)
    if m.hears(TrackOpened):
        m.tell(_told(track, chosen))
    represent(m, track, chosen, now)


def _told(track: Track, chosen: Representation) -> TrackOpened:
    return TrackOpened(
        period=track.period_number,
        track=track.number,
        kind=track.kind,
        adaptation_set=track.adaptation_set.id,
        codecs=chosen.codecs,
    )


def represent(m: Machine, track: Track, representation: Representation, now: int) -> None:
    """Play this Representation from the next segment on, and announce its keys."""
    track.adaptation_set = next(group for group, rung in choosing.candidates(track) if rung is representation)
    track.representation = representation
    track.index = m.manifest.index(track.period, representation, track.sidx)
    track.switched_at = now
    if m.hears(RepresentationChosen):
        m.tell(
            RepresentationChosen(
                track=track.number, representation=representation.id, bandwidth=representation.bandwidth
            )
        )
    triggers.representation_started(m, track, now)


def fall_back(m: Machine, track: Track, kid: KeyId, now: int) -> None:
    """The key will not come: go on in a Representation with another key, or end."""
    if m.spec.element.buffered_data_sticks and track.pending[0].init is not track.init:
        return  # it has gone on already, and what was fetched before stays where it is
    current = track.representation
    others = [r for group, r in choosing.candidates(track) if r is not current and verdicts.playable(m, group, r)]
    if not others:
        keys.nothing_left(m, kid, now)
        return
    if track.request is not None:
        m.act(Cancel(track.request))
    if not m.spec.element.buffered_data_sticks:
        track.drop_unready()
    represent(m, track, fallback.choose(m, track, others, kid), now)


def enter(m: Machine, track: Track, period: Period, now: int) -> bool:
    """Go to this Period, or to the next one that has a set of this kind; False: there is none."""
    return enter_first(m, track, [p for p in m.manifest.presentation.periods if p.start_us >= period.start_us], now)


def enter_first(
    m: Machine,
    track: Track,
    periods: Sequence[Period],
    now: int,
    keeps: Callable[[Period, Period], bool] = lambda _before, _after: False,
) -> bool:
    """Go to the first of these Periods that has a set of this kind. `keeps`: are init segments those of before?"""
    for period in periods:
        group = same(period, track.adaptation_set)
        if group is not None:
            inits = track.inits if keeps(track.period, period) else ()
            track.period_number += 1
            open_period(m, track, period, group, now)
            track.inits = inits
            return True
    return False


def same(period: Period, group: AdaptationSet) -> AdaptationSet | None:
    """The AdaptationSet that continues this one: same id, else same kind and language, else same kind."""
    of_kind = [other for other in period.adaptation_sets if other.kind == group.kind and other.representations]
    by_id = [other for other in of_kind if other.id == group.id]
    by_language = [other for other in of_kind if other.lang == group.lang]
    return next(iter(by_id or by_language or of_kind), None)


def segment_duration_us(manifest: Manifest, period: Period) -> int:
    """Duration of the segments of a Period, by its first one that can be computed."""
    for group in period.adaptation_sets:
        for representation in group.representations[:1]:
            segment = manifest.index(period, representation, None).locate(period.start_us)
            if segment is not None:
                return segment.end_us - segment.start_us
    return 0
