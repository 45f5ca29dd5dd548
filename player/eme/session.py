"""One MediaKeySession on one screen: its states, what moves it, what one of its tasks tells and in which order.

A row has no id and no time, so that clients in the same situation hold the same object: the session's number counts
back from `State.sessions_made`, its id is drawn from that number, and ends stand beside the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from player.chance import Draw, Purpose
from player.eme.cdm import Statuses
from player.eme.errors import InvalidStateError
from player.eme.status import SessionType
from player.ids import CLEARKEY


class SessionState(StrEnum):
    """The flags "uninitialized", "callable", "closing" and "closed" of EME 6, of which only these mixtures exist."""

    UNINITIALIZED = "uninitialized"
    REQUESTING = "requesting"  # spent, generateRequest under way
    LOADING = "loading"  # spent, load under way
    SPENT = "spent"  # spent, and never to become callable
    CALLABLE = "callable"
    CLOSING = "closing"
    CLOSED = "closed"


class Step(StrEnum):
    """What can happen to a session: the calls of the page, and what became of them."""

    GENERATE_REQUEST = "generateRequest"
    LOAD = "load"
    UPDATE = "update"
    REMOVE = "remove"
    CLOSE = "close"
    RESOLVED = "resolved"
    FAILED = "rejected or nothing stored"
    SESSION_CLOSED = "session closed"


class Part(IntEnum):
    """What one task can tell."""

    SETTLED = 0  # the promise of the call
    CLOSED = 1  # `closed` resolves, for every session that closes in this task
    STATUSES = 2  # keystatuseschange
    MESSAGE = 3


UNINITIALIZED, REQUESTING, LOADING = SessionState.UNINITIALIZED, SessionState.REQUESTING, SessionState.LOADING
SPENT, CALLABLE = SessionState.SPENT, SessionState.CALLABLE
CLOSING, CLOSED = SessionState.CLOSING, SessionState.CLOSED
GENERATE, LOAD, UPDATE, REMOVE, CLOSE = Step.GENERATE_REQUEST, Step.LOAD, Step.UPDATE, Step.REMOVE, Step.CLOSE
RESOLVED, FAILED, ENDED = Step.RESOLVED, Step.FAILED, Step.SESSION_CLOSED
REFUSED: Final = InvalidStateError

Transitions = Mapping[SessionState, Mapping[Step, SessionState | type[InvalidStateError]]]

TRANSITIONS: Final[Transitions] = MappingProxyType({
    UNINITIALIZED: {GENERATE: REQUESTING, LOAD: LOADING, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: REFUSED,
                    ENDED: CLOSED},
    REQUESTING:    {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: REFUSED,
                    ENDED: CLOSED, RESOLVED: CALLABLE, FAILED: SPENT},
    LOADING:       {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: REFUSED,
                    ENDED: CLOSED, RESOLVED: CALLABLE, FAILED: SPENT},
    SPENT:         {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: REFUSED,
                    ENDED: CLOSED},
    CALLABLE:      {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: CALLABLE, REMOVE: CALLABLE, CLOSE: CLOSING,
                    ENDED: CLOSED},
    CLOSING:       {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: CLOSING,
                    ENDED: CLOSED},
    CLOSED:        {GENERATE: REFUSED,    LOAD: REFUSED, UPDATE: REFUSED,  REMOVE: REFUSED,  CLOSE: CLOSED},
})  # fmt: skip
"""Every call in every state. What is missing cannot happen: only what is under way is answered, closed is the end.

A `close` that changes no state resolves at once and asks the CDM nothing.
"""

Order = tuple[Part, ...]

TELLS: Final[Mapping[Step, Order]] = MappingProxyType({
    GENERATE: (Part.SETTLED, Part.CLOSED, Part.STATUSES, Part.MESSAGE),
    LOAD:     (Part.SETTLED, Part.CLOSED, Part.STATUSES, Part.MESSAGE),
    UPDATE:   (Part.CLOSED, Part.SETTLED, Part.STATUSES, Part.MESSAGE),  # only an acknowledged release closes here
    REMOVE:   (Part.SETTLED, Part.CLOSED, Part.STATUSES, Part.MESSAGE),
    CLOSE:    (Part.SETTLED, Part.CLOSED, Part.STATUSES),
})  # fmt: skip
"""What the task of each call tells, in the order of EME 6.6. Attributes have their new values before any of it."""

MONITOR: Final[Order] = (Part.CLOSED, Part.STATUSES, Part.MESSAGE)
"""A task that no call asked for (EME 6, Monitor for CDM State Changes)."""


def after(state: SessionState, step: Step) -> SessionState | None:
    """The state that a step leads to; None: the call is refused with InvalidStateError."""
    to = TRANSITIONS[state][step]
    return to if isinstance(to, SessionState) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`slot` is the smallest number that was free when the session was created; `back` is 1 for the newest session.

    `parent` is the slot of the session that holds the root key (EME embedded-keys explainer), None where there is none.
    """

    slot: int
    back: int = 1
    session_type: SessionType = SessionType.TEMPORARY
    state: SessionState = UNINITIALIZED
    init_data_type: str = ""
    init_data: bytes = b""
    statuses: Statuses = ()
    parent: int | None = None


Table = tuple[Session, ...]
"""The sessions of one MediaKeys that are not closed, in creation order."""


def session_id(key_system: str, draw: Draw, number: int, attempt: int = 0) -> str:
    """Clear Key: a decimal number that fits 32 bits (EME 9.1.2); else 32 hex digits.

    A draw and no counter, so that the ids of one client tell nothing of those of another. `attempt` counts the draws
    that were in use already; no client makes 2**32 sessions.
    """
    counter = number + (attempt << 32)
    if key_system == CLEARKEY:
        return str(int.from_bytes(draw.value(Purpose.SESSION, counter, 4), "big"))
    return draw.value(Purpose.SESSION, counter, 16).hex()
