"""What the key logic of one client remembers. Empty tuples at rest; tables are interned in the pool."""

from __future__ import annotations

from player.drm import keys
from player.drm.init_data import InitData
from player.drm.plan import Planned


class State:
    """`keys`: the key table. `waiting`: announcements held back. `planned`: coming keys with their instants.

    `sequence` counts license requests; `retries` counts draws of retry delays.
    """

    __slots__ = ("keys", "planned", "retries", "sequence", "waiting")

    def __init__(self) -> None:
        self.keys: keys.Table = ()
        self.waiting: tuple[InitData, ...] = ()
        self.planned: tuple[Planned, ...] = ()
        self.sequence = 0
        self.retries = 0
