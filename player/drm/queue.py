"""How many license requests may be on their way at once. It never stays locked: what has ended is not in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from player.drm.init_data import InitData
from player.drm.profile import Concurrency, LicenseScope, Scope


class InFlight(NamedTuple):
    """A session whose work is not over; `reported`: its first statuses have come."""

    init_data: InitData
    reported: bool


def waits(init_data: InitData, scope: Scope, in_flight: Iterable[InFlight]) -> bool:
    """Must the request for this init data be held back until others are done?"""
    narrow = scope.license_scope is LicenseScope.INIT_DATA
    concurrency = scope.concurrency if narrow else scope.concurrency_scoped
    return any(_BLOCKS[concurrency](init_data, other) for other in in_flight)


_BLOCKS: Final[dict[Concurrency, Callable[[InitData, InFlight], bool]]] = {
    Concurrency.PARALLEL: lambda mine, other: False,
    Concurrency.SERIAL: lambda mine, other: not other.reported,
    Concurrency.SERIAL_PER_URI: lambda mine, other: (
        (mine.type, mine.data) == (other.init_data.type, other.init_data.data)
    ),
    Concurrency.SERIAL_PER_SCOPE: lambda mine, other: False,  # the key table knows what a unit has asked for
}
