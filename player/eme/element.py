"""The media element as far as keys concern it: when it waits for one, and when it resumes (EME 7.5).

Pure, one a player. The playback side says which sample it needs and whether it has data; this says whether to tell the
page. It knows no position, no buffer and no session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.eme.events import WaitingForKey
from player.ids import KeyId

HAVE_METADATA: Final = 1
HAVE_CURRENT_DATA: Final = 2
HAVE_FUTURE_DATA: Final = 3


@dataclass(slots=True)
class Element:
    """`blocked`: "playback blocked waiting for key", 0 or 1. `ready_state`: HTML's, as far as keys move it."""

    blocked: int = 0
    ready_state: int = HAVE_FUTURE_DATA


def waits(element: Element, kid: KeyId, *, current_frame: bool = False) -> WaitingForKey | None:
    """Wait for Key: playback cannot advance, for its next sample has no usable key. None: it was blocked already.

    To be called when the lead is used up, not when the key is found missing; `ready_state` is lowered before the event.
    """
    if element.blocked:
        return None
    element.blocked = 1
    element.ready_state = HAVE_CURRENT_DATA if current_frame else HAVE_METADATA
    return WaitingForKey(kid=kid)


def resumes(element: Element) -> bool:
    """Attempt to Resume Playback: the position can advance again. True if it was blocked."""
    was_blocked = bool(element.blocked)
    element.blocked = 0
    element.ready_state = HAVE_FUTURE_DATA
    return was_blocked


def moved(element: Element) -> None:
    """A seek, a load or a reset of the source: nothing that was waited for counts any more (EME 7)."""
    resumes(element)
