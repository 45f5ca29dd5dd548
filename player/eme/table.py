"""The calls of MediaKeys and MediaKeySession (EME 5 and 6.6): what is decided at once, before the CDM is asked.

Functions take the state of one client, the run's pool and plain values. A call gives its token or its error; what
follows comes from `settle` when the CDM has answered. Knows no key system, no message body and no time.
"""

from __future__ import annotations

from player.eme.cdm import Close, GenerateRequest, Update
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError
from player.eme.key_system import KeySystem
from player.eme.session import (
    CLOSE,
    CLOSED,
    GENERATE,
    SPENT,
    UNINITIALIZED,
    UPDATE,
    Session,
    after,
    session_id,
)
from player.eme.state import State, ask, become, enter, expiration_ms, find, leave, row, session_number
from player.eme.status import SessionType
from player.eme.tasks import settle
from player.errors import EmeError
from player.ids import Pool

__all__ = [
    "State",
    "close",
    "create_session",
    "drop",
    "expiration_ms",
    "find",
    "generate_request",
    "row",
    "session_id",
    "session_number",
    "settle",
    "update",
]

def create_session(
    state: State, pool: Pool, session_type: str = SessionType.TEMPORARY, *, attached: bool = True
) -> int:
    """EME 5 createSession: the slot of the new session. `attached`: whether an element uses these MediaKeys.

    Raises: EmeTypeError for a type that EME does not have, NotSupportedError for one that was not granted,
    InvalidStateError where the CDM works only once it is attached.
    """
    if session_type not in state.supports.enumerated:
        raise EmeTypeError(f"there is no session type {session_type!r}")
    kind = SessionType(session_type)
    if kind not in state.supports.session_types:
        raise NotSupportedError(f"sessions of type {kind} are not supported here")
    if state.supports.needs_attach and not attached:
        raise InvalidStateError("this key system makes sessions only once it is attached to a media element")
    return enter(state, pool, kind).slot


def generate_request(
    state: State, pool: Pool, slot: int, init_data_type: str, init_data: bytes
) -> GenerateRequest | EmeError:
    """EME 6.6 generateRequest, steps 1 to 8. The session is spent before its arguments are looked at (step 3)."""
    it = find(state, slot)
    if it is None or after(it.state, GENERATE) is None:
        return _refused(it, "generateRequest")
    wrong = _wrong_arguments(state.supports, init_data_type, init_data)
    if wrong is not None:
        become(state, pool, slot, SPENT)
        return wrong
    ask(state, pool, slot, init_data_type, init_data)
    return GenerateRequest(
        slot=slot,
        number=session_number(state, it),
        session_type=it.session_type,
        init_data_type=init_data_type,
        init_data=init_data,
    )


def update(state: State, pool: Pool, slot: int, response: bytes) -> Update | EmeError:  # noqa: ARG001 — one shape for all calls
    """EME 6.6 update, steps 1 to 5."""
    it = find(state, slot)
    if it is None or after(it.state, UPDATE) is None:
        return _refused(it, "update")
    if not response:
        return EmeTypeError("the response is empty")
    return Update(slot=slot, number=session_number(state, it), response=response)


def close(state: State, pool: Pool, slot: int) -> Close | EmeError | None:
    """EME 6.6 close, steps 1 to 4. None: closing or closed already, which resolves at once."""
    it = find(state, slot)
    if it is None:
        return None
    to = after(it.state, CLOSE)
    if to is None:
        return _refused(it, "close")
    if to is it.state:
        return None
    become(state, pool, slot, to)
    return Close(slot=slot, number=session_number(state, it))


def drop(state: State, pool: Pool, slot: int) -> None:
    """Let go of a session that never became callable: nothing is told of it.

    Raises: InvalidStateError for one that is callable or has a request under way; such a one is closed.
    """
    it = find(state, slot)
    if it is None:
        return
    if it.state not in (UNINITIALIZED, SPENT):
        raise InvalidStateError(f"session {slot} is {it.state}: close it")
    leave(state, pool, slot)


def _wrong_arguments(supports: KeySystem, init_data_type: str, init_data: bytes) -> EmeError | None:
    """Steps 4 to 6, in their order."""
    if not init_data_type:
        return EmeTypeError("the init data has no type")
    if not init_data:
        return EmeTypeError("the init data is empty")
    if init_data_type not in supports.init_data_types:
        return NotSupportedError(f"init data of type {init_data_type!r}")
    return None


def _refused(it: Session | None, method: str) -> EmeError:
    return InvalidStateError(f"{method} on a session that is {CLOSED if it is None else it.state}")
