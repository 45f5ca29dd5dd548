"""One MediaKeySession: the states it can be in, what moves it, and its row in a table that many clients share.

A row has no id and no time, so that clients in the same situation hold the same object: the session's number counts
back from `State.sessions_made`, its id is drawn from that number, and ends stand beside the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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
    SPENT = "spent"  # spent, and never to become callable
    CALLABLE = "callable"
    CLOSING = "closing"
    CLOSED = "closed"


class Step(StrEnum):
    """What can happen to a session: the calls of the page, and what became of them."""

    GENERATE_REQUEST = "generateRequest"
    UPDATE = "update"
    CLOSE = "close"
    RESOLVED = "request resolved"
    REJECTED = "request rejected"
    SESSION_CLOSED = "session closed"


UNINITIALIZED, REQUESTING, SPENT = SessionState.UNINITIALIZED, SessionState.REQUESTING, SessionState.SPENT
CALLABLE, CLOSING, CLOSED = SessionState.CALLABLE, SessionState.CLOSING, SessionState.CLOSED
GENERATE, UPDATE, CLOSE = Step.GENERATE_REQUEST, Step.UPDATE, Step.CLOSE
RESOLVED, REJECTED, ENDED = Step.RESOLVED, Step.REJECTED, Step.SESSION_CLOSED
REFUSED: Final = InvalidStateError

Transitions = Mapping[SessionState, Mapping[Step, SessionState | type[InvalidStateError]]]

TRANSITIONS: Final[Transitions] = MappingProxyType({
    UNINITIALIZED: {GENERATE: REQUESTING, UPDATE: REFUSED,  CLOSE: REFUSED, ENDED: CLOSED},
    REQUESTING:    {GENERATE: REFUSED,    UPDATE: REFUSED,  CLOSE: REFUSED, ENDED: CLOSED, RESOLVED: CALLABLE,
                    REJECTED: SPENT},
    SPENT:         {GENERATE: REFUSED,    UPDATE: REFUSED,  CLOSE: REFUSED, ENDED: CLOSED},
    CALLABLE:      {GENERATE: REFUSED,    UPDATE: CALLABLE, CLOSE: CLOSING, ENDED: CLOSED},
    CLOSING:       {GENERATE: REFUSED,    UPDATE: REFUSED,  CLOSE: CLOSING, ENDED: CLOSED},
    CLOSED:        {GENERATE: REFUSED,    UPDATE: REFUSED,  CLOSE: CLOSED},
})  # fmt: skip
"""Every call in every state. What is missing cannot happen: only a request under way is answered, closed is the end."""


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


def session_id(key_system: str, draw: Draw, number: int) -> str:
    """Clear Key: a decimal number that fits 32 bits (EME 9.1.2); else 32 hex digits.

    A draw and no counter, so that the ids of one client tell nothing of those of another.
    """
    if key_system == CLEARKEY:
        return str(int.from_bytes(draw.value(Purpose.SESSION, number, 4), "big"))
    return draw.value(Purpose.SESSION, number, 16).hex()
