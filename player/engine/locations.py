"""Where resources are taken from when there are alternatives: BaseURLs, and what is done when one of them fails.

A choice holds until there is reason for another: the steering server's order, else priority and weight where the MPD
writes them (DVB A168, 10.8.2), else the order of the MPD (ISO/IEC 23009-1, 5.6.5). A location that failed is left out
for a while; if all have failed, the one that failed first is tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from player.chance import Purpose
from player.clock import SECOND
from player.engine.events import LocationChosen, LocationExcluded
from player.engine.upkeep import Upkeep, upkeep
from player.mpd.base_urls import moved
from player.mpd.model import BaseUrl, Representation, Resource

if TYPE_CHECKING:
    from player.engine.machine import Machine

EXCLUDED_US: Final = 60 * SECOND  # a choice: long enough not to come back into the same outage
MAX_EXCLUDED: Final = 64


def placed(m: Machine, representation: Representation, resource: Resource, now: int) -> Resource:
    """The resource under the location that is to be used now."""
    alternatives = representation.alternatives
    if len(alternatives) < 2:
        return resource
    base = _chosen(m, alternatives, now)
    return moved(resource, alternatives[0].url, base.url)


def failed(m: Machine, representation: Representation, url: str, code: str, now: int) -> bool:
    """A fetch from one of the locations failed. True: another one is left to go on with."""
    alternatives = representation.alternatives
    if len(alternatives) < 2:
        return False
    u = upkeep(m)
    base = _of(alternatives, url)
    if base is None:
        return False
    _forget(u, now)
    if not _is_excluded(u, base):
        u.excluded = (*u.excluded, (base.location, now + EXCLUDED_US))[-MAX_EXCLUDED:]
        if m.hears(LocationExcluded):
            m.tell(LocationExcluded(location=base.location, code=code, until_us=now + EXCLUDED_US))
    if all(_is_excluded(u, other) for other in alternatives):
        return False
    u.failovers += 1
    return True


def location_of(m: Machine) -> str:
    """The service location in use; "" before the first choice."""
    return "" if m.upkeep is None else m.upkeep.chosen


def _chosen(m: Machine, alternatives: tuple[BaseUrl, ...], now: int) -> BaseUrl:
    u = upkeep(m)
    _forget(u, now)
    left = [base for base in alternatives if not _is_excluded(u, base)]
    base = _best(m, u, left) if left else _first_to_return(u, alternatives)
    if base.location != u.chosen:
        u.chosen = base.location
        if m.hears(LocationChosen):
            m.tell(LocationChosen(location=base.location, failovers=u.failovers))
    return base


def _best(m: Machine, u: Upkeep, left: list[BaseUrl]) -> BaseUrl:
    for pathway in u.pathways:
        for base in left:
            if base.location == pathway:
                return base
    in_use = next((base for base in left if base.location == u.chosen), None)
    return in_use or _drawn(m, u, left)


def _drawn(m: Machine, u: Upkeep, left: list[BaseUrl]) -> BaseUrl:
    """Lowest priority, then by weight; nothing is drawn where the MPD gives no reason to."""
    if all((base.priority, base.weight) == (1, 1) for base in left):
        return left[0]
    lowest = min(base.priority for base in left)
    among = [base for base in left if base.priority == lowest]
    if len(among) == 1:
        return among[0]
    u.draws += 1
    mark = m.draw(Purpose.URL, u.draws) * sum(max(base.weight, 0) for base in among)
    for base in among:
        mark -= base.weight
        if mark < 0:
            return base
    return among[-1]


def _of(alternatives: tuple[BaseUrl, ...], url: str) -> BaseUrl | None:
    """The location a URL lies under: the longest that fits."""
    fitting = [base for base in alternatives if url.startswith(urljoin(base.url, "."))]
    return max(fitting, key=lambda base: len(base.url), default=None)


def _is_excluded(u: Upkeep, base: BaseUrl) -> bool:
    return any(location == base.location for location, _ in u.excluded)


def _first_to_return(u: Upkeep, alternatives: tuple[BaseUrl, ...]) -> BaseUrl:
    until = dict(u.excluded)
    return min(alternatives, key=lambda base: until.get(base.location, 0))


def _forget(u: Upkeep, now: int) -> None:
    if u.excluded and any(until <= now for _, until in u.excluded):
        u.excluded = tuple(entry for entry in u.excluded if entry[1] > now)
