"""Which rung of its ladder a track plays next: what can take whose place, and what is known when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import verdicts
from player.engine.track import Track
from player.mpd.model import AdaptationSet, Period, Representation
from player.stream import choice, ladder
from player.stream.starvation import View

if TYPE_CHECKING:
    from player.engine.machine import Machine

Rungs = tuple[Representation, ...]

_OTHER_CONTAINERS: Final = ("/webm", "/mp2t", "/x-matroska")  # only ISO BMFF is read

# ── the ladder ───────────────────────────────────────────────────────────────────────────────────────────────────────


def first(period: Period, kind: str) -> AdaptationSet | None:
    """The set to play: by @selectionPriority, then what is main, then in document order (5.3.3.2)."""
    groups = [group for group in period.adaptation_sets if group.kind == kind and _readable(group)]
    return min(groups, key=lambda g: (-g.selection_priority, bool(g.roles) and "main" not in g.roles), default=None)


def candidates(track: Track) -> list[tuple[AdaptationSet, Representation]]:
    """Every Representation that can take another's place: keys of their own put qualities into sets of their own."""
    like = track.adaptation_set
    codec = _codec(next(iter(_readable(like)), like.representations[0]))
    return [
        (group, representation)
        for group in track.period.adaptation_sets
        if _interchangeable(group, like)
        for representation in _readable(group)
        if _codec(representation) == codec
    ]


def _interchangeable(group: AdaptationSet, like: AdaptationSet) -> bool:
    """As the MPD says it (adaptation-set-switching:2016); where it says nothing, what is alike in all but quality."""
    if group is like:
        return True
    if like.switchable_with:
        return group.id in like.switchable_with and group.kind == like.kind
    return (group.kind, group.lang, group.roles) == (like.kind, like.lang, like.roles)


def _readable(group: AdaptationSet) -> Rungs:
    """Without those that need another Representation to be decoded (@dependencyId), and without other containers."""
    return tuple(r for r in group.representations if not r.depends_on and not r.mime_type.endswith(_OTHER_CONTAINERS))


def _codec(representation: Representation) -> str:
    return representation.codecs.partition(".")[0]


def rungs(m: Machine, track: Track) -> Rungs:
    """In order of quality, those whose keys are not blocked; all of them where every key is."""
    found = candidates(track)
    playable = [representation for group, representation in found if verdicts.playable(m, group, representation)]
    return ladder.ordered(playable or [representation for _, representation in found])


# ── the choice ───────────────────────────────────────────────────────────────────────────────────────────────────────


def wished(m: Machine, track: Track, current: Representation | None, now: int) -> Representation:
    """What the spec names, else what the profile's rules choose."""
    among, rules = rungs(m, track), m.spec.profile.stream
    named = ladder.named(among, m.spec.representation, max(track.loaded_us, track.period.start_us))
    if named is not None:
        return named
    view = _view(m, track, among, current, now)
    track.memory = choice.seen(track.memory, view.buffer_s, rules)
    return among[choice.pick(among, view, track.memory, rules)]


def _view(m: Machine, track: Track, among: Rungs, current: Representation | None, now: int) -> View:
    return View(
        rate=choice.throughput(track.estimate, track.kind, m.spec.profile.stream),
        buffer_s=m.stream.ahead_s(track, now),
        segment_s=segment_s(m, track),
        current=index(among, current),
        segments=track.memory.segments,
        live=m.manifest.presentation.dynamic,
    )


def index(among: Rungs, representation: Representation | None) -> int | None:
    return next((i for i, rung in enumerate(among) if rung is representation), None)


def segment_s(m: Machine, track: Track) -> float:
    """Seconds of playing in one segment; 0: not known yet."""
    known = track.coming or track.last
    return 0.0 if known is None else (known.end_us - known.start_us) * 1_000_000 / m.stream.rate / SECOND


def loaded(m: Machine, track: Track) -> None:
    """A segment has come: what the rules count of it."""
    rules = m.spec.profile.stream
    if choice.remembers(rules):
        rung = index(rungs(m, track), track.representation)
        track.memory = choice.loaded(track.memory, -1 if rung is None else rung, rules)


def goal_us(m: Machine, track: Track) -> int:
    """How far ahead of the position the track fetches."""
    rules = m.spec.profile.stream
    grows = rules.buffer_goal_max_s > rules.buffer_goal_s
    is_best = grows and (m.spec.representation != ladder.AUTO or rungs(m, track)[-1] is track.representation)
    return choice.goal_us(track.representation.bandwidth, is_best=is_best, rules=rules)
