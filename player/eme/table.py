"""The calls of MediaKeys and MediaKeySession (EME 5 and 6.6): what is decided at once, before the CDM is asked.

Functions take the state of one client, the run's pool and plain values. A call gives its token or its error; what
follows comes from `settle` when the CDM has answered. Knows no key system, no message body, no store and no time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from player.eme import cdm
from player.eme.cdm import Close, GenerateRequest, Remove, Update
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError
from player.eme.key_system import KeySystem
from player.eme.session import (
    CALLABLE,
    CLOSE,
    CLOSED,
    GENERATE,
    LOAD,
    REMOVE,
    SPENT,
    UNINITIALIZED,
    UPDATE,
    Session,
    Step,
    after,
    session_id,
)
from player.eme.state import State, ask, become, enter, expiration_ms, find, leave, row, session_number
from player.eme.status import SessionType
from player.eme.tasks import destroy, lose, overtaken, settle
from player.errors import EmeError
from player.ids import Pool

__all__ = [
    "Load",
    "State",
    "abandon",
    "close",
    "create_session",
    "destroy",
    "drop",
    "expiration_ms",
    "find",
    "generate_request",
    "is_sane",
    "leaves_first",
    "load",
    "lose",
    "overtaken",
    "remove",
    "row",
    "session_id",
    "session_number",
    "settle",
    "update",
]

_MAX_SESSION_ID: Final = 512  # characters; choice: as Chromium. EME 6.6 load hints at tens of alphanumerics


class Load(NamedTuple):
    """A load under way. The shell looks the id up in its store; `call` is what the CDM is asked then."""

    slot: int
    number: int
    session_type: SessionType
    session_id: str

    def call(self, record: bytes) -> cdm.Load:
        return cdm.Load(slot=self.slot, number=self.number, session_type=self.session_type, record=record)


def create_session(
    state: State,
    pool: Pool,
    session_type: str = SessionType.TEMPORARY,
    *,
    attached: bool = True,
    told_encrypted: bool = True,
) -> int:
    """EME 5 createSession: the slot of the new session. `attached`: whether an element uses these MediaKeys.

    `told_encrypted`: whether such an element has told of init data.

    Raises: EmeTypeError for a type that EME does not have, NotSupportedError for one that was not granted,
    InvalidStateError where the CDM is gone for good, or works only once it is attached.
    """
    if state.lost and not state.supports.create_after_loss:
        raise InvalidStateError("the CDM is gone")
    if session_type not in state.supports.enumerated:
        raise EmeTypeError(f"there is no session type {session_type!r}")
    kind = SessionType(session_type)
    if kind not in state.supports.session_types:
        raise NotSupportedError(f"sessions of type {kind} are not supported here")
    if state.supports.needs_attach and not attached:
        raise InvalidStateError("this key system makes sessions only once it is attached to a media element")
    if state.supports.needs_encrypted_event and not told_encrypted:
        raise InvalidStateError("this key system makes sessions only once an element has told of init data")
    return enter(state, pool, kind).slot


def generate_request(
    state: State, pool: Pool, slot: int, init_data_type: str, init_data: bytes
) -> GenerateRequest | EmeError:
    """EME 6.6 generateRequest, steps 1 to 8. The session is spent before its arguments are looked at (step 3)."""
    it = find(state, slot)
    if it is None or after(it.state, GENERATE) is None:
        return _refused(it, GENERATE)
    wrong = _wrong_arguments(state.supports, init_data_type, init_data) or _gone(state)
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


def load(state: State, pool: Pool, slot: int, stored_id: str) -> Load | EmeError:
    """EME 6.6 load, steps 1 to 5. The session is spent before its argument is looked at (step 3)."""
    it = find(state, slot)
    to = None if it is None else after(it.state, LOAD)
    if it is None or to is None:
        return _refused(it, LOAD)
    wrong = _wrong_load(it, stored_id) or _gone(state)
    become(state, pool, slot, to if wrong is None else SPENT)
    return wrong or Load(slot, session_number(state, it), it.session_type, stored_id)


def update(state: State, pool: Pool, slot: int, response: bytes) -> Update | EmeError:  # noqa: ARG001 — one shape for all calls
    """EME 6.6 update, steps 1 to 5."""
    it = find(state, slot)
    if it is None or after(it.state, UPDATE) is None:
        return _refused(it, UPDATE)
    if not response:
        return EmeTypeError("the response is empty")
    return Update(slot=slot, number=session_number(state, it), response=response)


def remove(state: State, pool: Pool, slot: int) -> Remove | EmeError:  # noqa: ARG001 — one shape for all calls
    """EME 6.6 remove, steps 1 to 3."""
    it = find(state, slot)
    if it is None or after(it.state, REMOVE) is None:
        return _refused(it, REMOVE)
    return Remove(slot=slot, number=session_number(state, it))


def close(state: State, pool: Pool, slot: int) -> Close | EmeError | None:
    """EME 6.6 close, steps 1 to 4. None: closing or closed already, which resolves at once."""
    it = find(state, slot)
    if it is None:
        return None
    to = after(it.state, CLOSE)
    if to is None:
        return _refused(it, CLOSE)
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


def abandon(state: State, pool: Pool, slot: int) -> None:
    """Let go of a session that never became callable, even with a request under way: its page wants no more of it."""
    leave(state, pool, slot)


def leaves_first(state: State) -> list[int]:
    """The callable sessions, each after those that hang on it: the order in which a page lets go of them."""
    waiting = [it for it in state.table if it.state is CALLABLE]
    order: list[int] = []
    while waiting:
        parents = {it.parent for it in waiting}
        leaves = [it for it in waiting if it.slot not in parents] or waiting
        order += [it.slot for it in leaves]
        waiting = [it for it in waiting if it not in leaves]
    return order


def is_sane(stored_id: str) -> bool:
    """EME 6.6 load, 8.1 to 8.2: printable ASCII, for ids in base64 exist in the field."""
    return len(stored_id) <= _MAX_SESSION_ID and stored_id.isascii() and stored_id.isprintable()


def _wrong_arguments(supports: KeySystem, init_data_type: str, init_data: bytes) -> EmeError | None:
    """EME 6.6 generateRequest, steps 4 to 6, in their order."""
    if not init_data_type:
        return EmeTypeError("the init data has no type")
    if not init_data:
        return EmeTypeError("the init data is empty")
    known = init_data_type.lower() if supports.any_case else init_data_type
    if known not in supports.init_data_types:
        return NotSupportedError(f"init data of type {init_data_type!r}")
    return None


def _wrong_load(it: Session, stored_id: str) -> EmeError | None:
    """EME 6.6 load, steps 4 and 5."""
    if not stored_id:
        return EmeTypeError("the session id is empty")
    if it.session_type is SessionType.TEMPORARY:
        return EmeTypeError("a temporary session is never stored")
    return None


def _gone(state: State) -> EmeError | None:
    return InvalidStateError("the CDM is gone") if state.lost else None


def _refused(it: Session | None, call: Step) -> EmeError:
    return InvalidStateError(f"{call} on a session that is {CLOSED if it is None else it.state}")
