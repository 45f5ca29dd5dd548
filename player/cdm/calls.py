"""Calls that every key system of the lab answers alike: a key system's own answers lie over these in its `Law`."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

import msgspec

from player.cdm.emulated import Answers, EmulatedCdm
from player.cdm.ring import NO_TERM, KeySession, family, find, released
from player.eme.cdm import Close, Destroyed, DisplayChanged, Handled, Lost, Remove, SessionChange, Wake
from player.eme.errors import InvalidStateError, NotSupportedError
from player.eme.status import ClosedReason
from player.wire.hierarchy import Output


def close(cdm: EmulatedCdm, call: Close, now: int) -> Handled:  # noqa: ARG001 — without time
    """EME 6.6 close; sessions that hang on this one close with it (EME embedded-keys explainer)."""
    slots = tuple(family(cdm.ring, call.slot))
    cdm.leave(slots)
    closed = SessionChange(slot=call.slot, statuses=(), closed=ClosedReason.CLOSED_BY_APPLICATION)
    below = (SessionChange(slot=slot, statuses=(), closed=ClosedReason.PARENT_CLOSED) for slot in slots[1:])
    return Handled(changes=(closed, *below))


def remove(cdm: EmulatedCdm, call: Remove, now: int) -> Handled:
    """EME 6.6 remove: keys are gone, a record of them is there. With a root key goes what it has opened.

    Raises: InvalidStateError for a session that is closed.
    """
    session = find(cdm.ring, call.slot)
    if session is None:
        raise InvalidStateError("the session is closed")
    for it in (session, *children(cdm, call.slot)):
        cdm.amend(cdm.pool.remember(released, it), NO_TERM)
    own = cdm.change_of(cdm.pool.remember(released, session), now)
    below = (cdm.change_of(it, now) for it in children(cdm, call.slot))
    return Handled(changes=(msgspec.structs.replace(own, announce=True), *below))


def wake(cdm: EmulatedCdm, call: Wake, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """EME Monitor for CDM State Changes: what time alone has changed."""
    return Handled(changes=tuple(cdm.change_of(it, now) for it in cdm.at(now).timed()))


def display_changed(cdm: EmulatedCdm, call: DisplayChanged, now: int) -> Handled:
    """Another display is attached: keys with an output rule are what it makes of them.

    Raises: NotSupportedError for an HDCP version that nobody knows.
    """
    if call.hdcp not in ("", *Output):
        raise NotSupportedError(f"HDCP {call.hdcp!r}")
    cdm.device = cdm.pool.intern(replace(cdm.device, hdcp=call.hdcp))
    ruled = [it for it in cdm.ring if any(key.output for key in it.keys)]
    return Handled(changes=tuple(cdm.change_of(it, now) for it in sorted(ruled, key=_depth)))


def lost(cdm: EmulatedCdm, call: Lost, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """EME "CDM Unavailable": every session closes with the same reason, and no parent closes its children."""
    changes = tuple(SessionChange(slot=it.slot, statuses=(), closed=call.reason) for it in cdm.ring)
    cdm.leave([it.slot for it in cdm.ring])
    if call.reason is ClosedReason.INTERNAL_ERROR:
        cdm.device = cdm.pool.intern(replace(cdm.device, lost=True))
    return Handled(changes=changes)


def destroyed(cdm: EmulatedCdm, call: Destroyed, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """The page has gone: so do all keys, and nobody hears of it."""
    cdm.leave([it.slot for it in cdm.ring])
    return Handled()


def children(cdm: EmulatedCdm, slot: int) -> tuple[KeySession, ...]:
    """The sessions whose root key is in this one, in creation order."""
    return tuple(it for it in cdm.ring if it.parent == slot)


def _depth(session: KeySession) -> bool:
    return session.parent is not None


ALIKE: Final[Answers] = MappingProxyType(
    {Close: close, Destroyed: destroyed, DisplayChanged: display_changed, Lost: lost, Remove: remove, Wake: wake}
)
