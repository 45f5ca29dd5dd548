"""Every event class that a player can tell, found in the rooms that define them."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from player.drm import events as drm_events
from player.eme import events as eme_events
from player.engine import events as engine_events
from player.stream import events as stream_events
from player.trace.event import Event

_ROOMS: Final[tuple[ModuleType, ...]] = (drm_events, eme_events, engine_events, stream_events)

EVERY_KIND: Final[frozenset[type[Event]]] = frozenset(
    value
    for room in _ROOMS
    for value in vars(room).values()
    if isinstance(value, type) and issubclass(value, Event) and value is not Event
)
