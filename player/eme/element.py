"""The media element as far as keys concern it: when it waits for one, and when it resumes (EME 7.5).

Pure, one a player, two ints. The playback side says which sample it needs and whether it has data; this says whether to
tell the page. It knows no position, no buffer and no session. What one missing key does to the queue of a track is
`blocks`; setMediaKeys is `attach`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.eme.events import WaitingForKey
from player.ids import KeyId

HAVE_NOTHING: Final = 0
HAVE_METADATA: Final = 1
HAVE_CURRENT_DATA: Final = 2
HAVE_FUTURE_DATA: Final = 3

DECRYPTION: Final = 1  # "decryption blocked waiting for key"
PLAYBACK: Final = 2  # "playback blocked waiting for key"


@dataclass(slots=True)
class Element:
    """`blocked`: DECRYPTION and PLAYBACK, one pair for all tracks. `ready_state`: HTML's, as far as keys move it."""

    blocked: int = 0
    ready_state: int = HAVE_FUTURE_DATA


def may_decrypt(element: Element) -> bool:
    """Whether a block that arrives is tried at once (EME 7.5.3); if not, a key or the position brings its turn."""
    return not element.blocked & DECRYPTION


def stops(element: Element) -> None:
    """Attempt to Decrypt, 4: the next block of a track has no usable key. Nobody is told before the lead is used up."""
    element.blocked |= DECRYPTION


def tries_again(element: Element) -> None:
    """Playback has reached the head of a queue, so its blocks are tried once more.

    EME has a gap here: Attempt to Resume clears both flags although it may have stopped at another missing key.
    """
    element.blocked &= ~DECRYPTION


def is_waiting(element: Element) -> bool:
    """Playback is blocked on a key: time does not move, whatever `paused` says."""
    return bool(element.blocked & PLAYBACK)


def waits(element: Element, kid: KeyId | None, *, current_frame: bool = False) -> WaitingForKey | None:
    """Wait for Key: playback cannot advance, for its next sample has no usable key. None: it was blocked already.

    To be called when the lead is used up, not when the key is found missing; `ready_state` is lowered before the event.
    """
    if element.blocked & PLAYBACK:
        return None
    element.blocked |= PLAYBACK
    element.ready_state = HAVE_CURRENT_DATA if current_frame else HAVE_METADATA
    return WaitingForKey(kid=kid)


def resumes(element: Element) -> bool:
    """Attempt to Resume Playback, 4: the position can advance again. True if it was blocked."""
    was_blocked = is_waiting(element)
    element.blocked = 0
    element.ready_state = HAVE_FUTURE_DATA
    return was_blocked


def shows(element: Element, *, metadata: bool, ahead: bool, current_frame: bool) -> None:
    """The ready state by what is decoded, `ahead` of the position or just there; Wait for Key lowers it by itself."""
    if element.blocked & PLAYBACK:
        return
    decoded = HAVE_FUTURE_DATA if ahead else HAVE_CURRENT_DATA if current_frame else HAVE_METADATA
    element.ready_state = decoded if metadata else HAVE_NOTHING


def moved(element: Element) -> None:
    """A seek, a load or a reset of the source: nothing that was waited for counts any more (EME 7).

    The caller empties the queues; the ready state is that of what it buffers then.
    """
    resumes(element)
