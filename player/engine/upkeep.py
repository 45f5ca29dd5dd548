"""What some origins make a client remember: made when first needed, so that a client of a plain origin has none.

Each field belongs to the module that is named beside it; nobody else writes it. No container that grows: tuples with a
bound, which the writers keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from player.clock import SECOND
from player.engine.actions import Fetch, FetchKind
from player.engine.manifest import NONE_YET, Manifest

if TYPE_CHECKING:
    from player.engine.machine import Machine

Contents = tuple[tuple[str, bytes | None], ...]
"""What lies behind each link that was followed, None where nothing usable came."""

EventKey = tuple[str, str, str, int]
"""Scheme, value, id and start: what makes an event the same again."""

_TIMEOUT_US = 5 * SECOND  # a server that does not answer must not hold a start up for long


class Upkeep:
    """Instants are µs on the run clock, -1: none."""

    __slots__ = (
        "as_fetched",
        "chosen",
        "clock_at",
        "clock_request",
        "clocks",
        "contents",
        "draws",
        "excluded",
        "failovers",
        "inband",
        "patch_failures",
        "pathways",
        "poll_at",
        "refreshed_at",
        "remote_request",
        "remote_rounds",
        "resolving",
        "stale",
        "steering_at",
        "steering_attempts",
        "steering_request",
        "steering_url",
        "synced_at",
        "told",
        "wanted_publish_us",
        "wanted_tries",
    )

    def __init__(self) -> None:
        # remote
        self.as_fetched: Manifest = NONE_YET  # the MPD before remote elements were put in their place
        self.resolving: Manifest | None = None  # the next MPD, in which some are in their place
        self.contents: Contents = ()
        self.remote_request: Fetch | None = None
        self.remote_rounds = 0
        # refreshing
        self.patch_failures = 0  # in a row
        self.stale = 0  # older MPDs in a row
        self.wanted_publish_us = -1  # an event says: what was published up to this instant has expired
        self.wanted_tries = 0  # refreshes that did not bring a newer one
        self.refreshed_at = -1  # the last refresh that an event asked for
        self.poll_at = -1  # a refresh beyond those that @minimumUpdatePeriod asks for
        # utc_timing
        self.clock_request: Fetch | None = None
        self.clocks: tuple[tuple[str, str], ...] = ()  # (scheme, URL) still to be asked, the first being asked
        self.clock_at = -1  # the clock is to be set again
        self.synced_at = -1
        # locations
        self.chosen = ""  # the service location in use
        self.excluded: tuple[tuple[str, int], ...] = ()  # (service location, until)
        self.draws = 0
        self.failovers = 0
        # steering
        self.pathways: tuple[str, ...] = ()  # service locations, the best first
        self.steering_url = ""
        self.steering_at = -1
        self.steering_attempts = 0
        self.steering_request: Fetch | None = None
        # mpd_events
        self.told: frozenset[EventKey] = frozenset()  # of the events of the MPD
        self.inband: tuple[EventKey, ...] = ()  # of the latest events in segments

    def requests(self) -> tuple[Fetch | None, ...]:
        return (self.remote_request, self.clock_request, self.steering_request)

    def deadlines(self) -> tuple[int, ...]:
        return (self.poll_at, self.clock_at, self.steering_at)


def upkeep(m: Machine) -> Upkeep:
    """The client's own, made now if it had none."""
    if m.upkeep is None:
        m.upkeep = Upkeep()
    return m.upkeep


def ask(m: Machine, kind: FetchKind, url: str, now: int, method: str = "GET") -> Fetch:
    """A small document beside the MPD."""
    fetch = Fetch(kind=kind, url=url, method=method, intended=now, timeout_us=_TIMEOUT_US)
    m.act(fetch)
    return fetch
