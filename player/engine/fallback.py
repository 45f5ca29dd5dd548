"""What takes the place of a Representation whose key is blocked, in the way of the profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from player.drm.events import FellBack
from player.drm.profile import Fallback
from player.engine.track import Track
from player.ids import KeyId
from player.mpd.model import Representation

if TYPE_CHECKING:
    from player.engine.machine import Machine

Choice = Callable[[Track, Sequence[Representation]], Representation]


def choose(m: Machine, track: Track, others: Sequence[Representation], kid: KeyId) -> Representation:
    """One of those that are not blocked; they stand in the manifest's order."""
    way = m.spec.profile.status.fallback
    chosen = _CHOICES[way](track, others)
    if m.hears(FellBack):
        m.tell(FellBack(action=way, kid=kid, left=track.representation.id, taken=chosen.id))
    return chosen


def _best(_track: Track, others: Sequence[Representation]) -> Representation:
    return max(others, key=lambda representation: representation.bandwidth)


def _first_of_another_set(track: Track, others: Sequence[Representation]) -> Representation:
    """The first track with a usable key, whatever its quality (dash.js)."""
    own = track.adaptation_set.representations
    return next((other for other in others if other not in own), others[0])


def _next_below(track: Track, others: Sequence[Representation]) -> Representation:
    """The nearest quality below, else the nearest above (hls.js, levels in the penalty box)."""
    rate = track.representation.bandwidth
    below = [other for other in others if other.bandwidth <= rate]
    return _best(track, below) if below else min(others, key=lambda other: other.bandwidth)


_CHOICES: Final[dict[Fallback, Choice]] = {
    Fallback.DROP_REPRESENTATIONS: _best,
    Fallback.SWITCH_VARIANT: _best,
    Fallback.OTHER_ADAPTATION: _first_of_another_set,
    Fallback.PENALISE_LEVELS: _next_below,
}
