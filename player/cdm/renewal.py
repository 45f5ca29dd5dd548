"""Licenses that want to be renewed: the CDM sends a license-renewal when its time has come, without being asked.

What stands in the message is the key system's. A license is asked for once; the next one brings its own time.
"""

from __future__ import annotations

from collections.abc import Callable

from player.cdm.calls import wake
from player.cdm.emulated import EmulatedCdm
from player.cdm.ring import KeySession
from player.clock import MILLISECOND
from player.eme.cdm import Handled, SessionChange, Wake
from player.eme.status import MessageType

Write = Callable[[EmulatedCdm, KeySession, int], bytes]
"""The message of a session at an instant in µs on the run clock."""


def renew(cdm: EmulatedCdm, call: Wake, now: int, write: Write) -> Handled:
    """EME Monitor for CDM State Changes: statuses that time has changed, then the renewals that are due."""
    due = tuple(it for it, term in cdm.terms_of() if 0 < term.renew_ms * MILLISECOND <= (cdm.wall(now) or 0))
    for session, term in cdm.terms_of():
        if session in due:
            cdm.amend(session, term._replace(renew_ms=0))
    messages = (SessionChange(slot=it.slot, message=(MessageType.LICENSE_RENEWAL, write(cdm, it, now))) for it in due)
    return Handled(changes=(*wake(cdm, call, now).changes, *messages))
