"""keystorm: a headless DASH player that plays real key logic.

Names are looked up when they are asked for, so that `import player` loads neither aiohttp nor cryptography.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from player.backend.serve import serve as serve
    from player.ids import KeyId as KeyId
    from player.runtime.browsing_profile import BrowsingProfile as BrowsingProfile
    from player.runtime.page import Page as Page
    from player.runtime.player import Player as Player
    from player.runtime.result import PlayResult as PlayResult

_HOMES: Final = {
    "BrowsingProfile": "player.runtime.browsing_profile",
    "KeyId": "player.ids",
    "Page": "player.runtime.page",
    "PlayResult": "player.runtime.result",
    "Player": "player.runtime.player",
    "serve": "player.backend.serve",
}

_EVENT_ROOMS: Final = ("player.drm.events", "player.eme.events", "player.engine.events", "player.stream.events")


def __getattr__(name: str) -> Any:
    """PEP 562. The event classes of all rooms are names of this package too."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name[:1].isupper():
        return _event(name)
    raise AttributeError(f"module 'player' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


def _event(name: str) -> Any:
    from player.trace.event import Event

    for room in _EVENT_ROOMS:
        found = getattr(import_module(room), name, None)
        if isinstance(found, type) and issubclass(found, Event):
            return found
    raise AttributeError(f"module 'player' has no attribute {name!r}")
