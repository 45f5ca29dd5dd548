"""MediaKeySession (EME 6) as a view: it shows the row that the last task of the page brought, and passes calls on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

from player.eme.buffer_source import copied
from player.eme.errors import EmeTypeError
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, SessionClosed
from player.eme.session import Session, SessionState
from player.eme.status import ClosedReason
from player.eme.surface_quirks import AS_WRITTEN, SurfaceQuirks
from player.errors import EmeError
from player.runtime.key_status_map import KeyStatusMap
from player.runtime.listeners import EventStream, Listeners
from player.trace.event import Event

E = TypeVar("E", bound=Event)


class Calls(Protocol):
    """What a session asks of its MediaKeys; `number` is the session's, never used again."""

    def generate_request(self, number: int, init_data_type: str, init_data: bytes) -> asyncio.Future[None]: ...

    def load(self, number: int, stored_id: str) -> asyncio.Future[bool]: ...

    def update(self, number: int, response: bytes) -> asyncio.Future[None]: ...

    def remove(self, number: int) -> asyncio.Future[None]: ...

    def close(self, number: int) -> asyncio.Future[None]: ...


class MediaKeySession:
    """Methods give a future and never raise: a check that fails gives one that has failed already (EME 6.6).

    `closed` resolves once, with the reason (None on devices that give none); it is never rejected.
    """

    def __init__(self, calls: Calls, number: int, row: Session, quirks: SurfaceQuirks = AS_WRITTEN) -> None:
        self._calls = calls
        self._number = number
        self._row = row
        self._expiration_ms = 0
        self._listeners = Listeners()
        self.session_id = ""
        self.parent: MediaKeySession | None = None
        self._quirks = quirks
        self.closed: asyncio.Future[ClosedReason | None] = asyncio.get_running_loop().create_future()
        self.key_statuses = KeyStatusMap(lambda: self._row.statuses, swapped=quirks.swapped_for_each)

    @property
    def expiration(self) -> float:
        """Milliseconds since the epoch; NaN where there is no end."""
        return float(self._expiration_ms) if self._expiration_ms else math.nan

    def generate_request(self, init_data_type: object, init_data: object) -> asyncio.Future[None]:
        """Fails with EmeTypeError, NotSupportedError, InvalidStateError or QuotaExceededError."""
        if not isinstance(init_data_type, str):
            return failed(EmeTypeError("the type of init data is a str"))
        try:
            data = copied(init_data)
        except EmeError as error:
            return failed(error)
        return self._calls.generate_request(self._number, init_data_type, data)

    def load(self, session_id: object) -> asyncio.Future[bool]:
        """False where nothing is stored. Fails with EmeTypeError, InvalidStateError or QuotaExceededError."""
        if not isinstance(session_id, str):
            return failed(EmeTypeError("a session id is a str"))
        return self._calls.load(self._number, session_id)

    def update(self, response: object) -> asyncio.Future[None]:
        """Hand a license to the CDM. Fails with EmeTypeError or InvalidStateError."""
        try:
            data = copied(response)
        except EmeError as error:
            return failed(error)
        return self._calls.update(self._number, data)

    def remove(self) -> asyncio.Future[None]:
        """Destroy keys and license; a release message follows where a record is kept. Fails with InvalidStateError."""
        return self._calls.remove(self._number)

    def close(self) -> asyncio.Future[None]:
        """Resolves at once where the session is closing or closed. Fails with InvalidStateError if never callable."""
        return self._calls.close(self._number)

    @overload
    def events(self) -> EventStream[Event]: ...

    @overload
    def events(self, *kinds: type[E]) -> EventStream[E]: ...

    def events(self, *kinds: type[Event]) -> EventStream[Any]:
        """Messages and changes of key statuses, in the page's order; all, if no kind is given."""
        return self._listeners.events(*kinds)

    def on(self, kind: type[E], callback: Callable[[E], object]) -> None:
        self._listeners.on(kind, callback)

    def show(self, row: Session, parent: MediaKeySession | None, session_id: str) -> None:
        """A task of the page has run: `row` is what it made of the session. The id stays once it is there."""
        self._row = row
        self.session_id = self.session_id or session_id
        if parent is not None:
            self.parent = parent

    def take(self, event: Message | KeyStatusesChanged | SessionClosed | ExpirationChanged) -> None:
        """What the page's queue brings."""
        match event:
            case ExpirationChanged():
                self._expiration_ms = event.expiration_ms
            case SessionClosed():
                self._expiration_ms = 0
                if not self.closed.done():
                    self.closed.set_result(None if self._quirks.closed_without_reason else event.reason)
            case Message() | KeyStatusesChanged():
                self._dispatch(event)

    def end(self) -> None:
        """Nothing is told of this session any more."""
        self._listeners.end()

    def _dispatch(self, event: Message | KeyStatusesChanged) -> None:
        self._listeners.tell(event)
        if event.session.state is SessionState.CLOSED:
            self.end()  # nothing is told of a session after this


def failed(error: EmeError) -> asyncio.Future[Any]:
    """A future that has failed already, as a method's synchronous checks leave it."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
