"""A playback window: keys of a session expire so long after the first of them was used (EME 6.1, expiration).

Nobody is told when it opens: the `expiration` attribute alone changes. A new license closes it again.
"""

from __future__ import annotations

from player.cdm.calls import children
from player.cdm.emulated import EmulatedCdm, key_ids
from player.clock import MILLISECOND, us
from player.eme.cdm import Decrypt, SessionChange


def used(cdm: EmulatedCdm, call: Decrypt, clear: int, now: int) -> tuple[SessionChange, ...]:
    """Opens the windows of the sessions whose keys have served."""
    wall = cdm.wall(now)
    if cdm.spec.playback_window_s is None or wall is None:
        return ()
    serving = filter(None, map(cdm.at(now).serving, key_ids(call, clear)))
    slots = {session.slot for session, _ in serving}
    opening = [(it, term) for it, term in cdm.terms_of() if it.slot in slots and not term.window_ms]
    end_ms = (wall + us(cdm.spec.playback_window_s)) // MILLISECOND
    for session, term in opening:
        cdm.amend(session, term._replace(window_ms=end_ms))
    following = (child for session, _ in opening for child in children(cdm, session.slot))
    touched = dict.fromkeys((*(session for session, _ in opening), *following))
    return tuple(cdm.change_of(session, now) for session in touched)
