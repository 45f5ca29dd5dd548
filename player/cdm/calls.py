"""Calls that every key system of the lab answers alike: a key system's own answers lie over these in its `Law`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from player.cdm.emulated import Answers, EmulatedCdm
from player.cdm.ring import family
from player.eme.cdm import Close, Handled, SessionChange, Wake
from player.eme.status import ClosedReason


def close(cdm: EmulatedCdm, call: Close, now: int) -> Handled:  # noqa: ARG001 — without time
    """EME 6.6 close; sessions that hang on this one close with it (EME embedded-keys explainer)."""
    slots = tuple(family(cdm.ring, call.slot))
    cdm.leave(slots)
    closed = SessionChange(slot=call.slot, statuses=(), closed=ClosedReason.CLOSED_BY_APPLICATION)
    below = (SessionChange(slot=slot, statuses=(), closed=ClosedReason.PARENT_CLOSED) for slot in slots[1:])
    return Handled(changes=(closed, *below))


def wake(cdm: EmulatedCdm, call: Wake, now: int) -> Handled:  # noqa: ARG001 — one of a table
    """EME Monitor for CDM State Changes: what time alone has changed."""
    return Handled(changes=tuple(cdm.change_of(it, now) for it in cdm.at(now).timed()))


ALIKE: Final[Answers] = MappingProxyType({Close: close, Wake: wake})
