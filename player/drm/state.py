"""What the key logic of one client remembers. Empty tuples at rest; tables are interned in the pool."""

from __future__ import annotations

from player.drm import keys
from player.drm.init_data import InitData
from player.drm.plan import Planned


class Batch:
    """Statuses as they were told last, and when they will be told next (µs on the run clock; -1: nothing is new)."""

    __slots__ = ("due", "told")

    def __init__(self) -> None:
        self.told: keys.Table = ()
        self.due = -1


class State:
    """`keys`: the key table. `waiting`: announcements held back. `planned`: coming keys with their instants.

    `order`: slots of the sessions that the key logic knows, the one announced last at the end. `batch`: only where the
    profile tells statuses together. `sequence` counts license requests; `retries` counts draws of retry delays.
    """

    __slots__ = ("batch", "keys", "order", "planned", "retries", "sequence", "waiting")

    def __init__(self) -> None:
        self.keys: keys.Table = ()
        self.waiting: tuple[InitData, ...] = ()
        self.planned: tuple[Planned, ...] = ()
        self.order: tuple[int, ...] = ()
        self.batch: Batch | None = None
        self.sequence = 0
        self.retries = 0
