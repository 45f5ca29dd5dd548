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
from player.errors import EmeError
from player.runtime.key_status_map import KeyStatusMap
from player.runtime.listeners import EventStream, Listeners
from player.trace.event import Event

E = TypeVar("E", bound=Event)


class Calls(Protocol):
    """What a session asks of its MediaKeys; `number` is the session's, never used again."""

    def generate_request(self, number: int, init_data_type: str, init_data: bytes) -> asyncio.Future[None]: ...

    def update(self, number: int, response: bytes) -> asyncio.Future[None]: ...

    def close(self, number: int) -> asyncio.Future[None]: ...


class MediaKeySession:
    """Methods give a future and never raise: a check that fails gives one that has failed already (EME 6.6).

    `closed` resolves once, with the reason; it is never rejected.
    """

    def __init__(self, calls: Calls, number: int, row: Session) -> None:
        self._calls = calls
        self._number = number
        self._row = row
        self._expiration_ms = 0
        self._listeners = Listeners()
        self.session_id = ""
        self.parent: MediaKeySession | None = None
        self.closed: asyncio.Future[ClosedReason] = asyncio.get_running_loop().create_future()
        self.key_statuses = KeyStatusMap(lambda: self._row.statuses)

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

    def update(self, response: object) -> asyncio.Future[None]:
        """Hand a license to the CDM. Fails with EmeTypeError or InvalidStateError."""
        try:
            data = copied(response)
        except EmeError as error:
            return failed(error)
        return self._calls.update(self._number, data)

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

    def show(self, row: Session, parent: MediaKeySession | None) -> None:
        """A task of the page has run: `row` is what it made of the session."""
        self._row = row
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
                    self.closed.set_result(event.reason)
            case Message() | KeyStatusesChanged():
                self._dispatch(event)

    def _dispatch(self, event: Message | KeyStatusesChanged) -> None:
        self._listeners.tell(event)
        if event.session.state is SessionState.CLOSED:
            self._listeners.end()  # nothing is told of a session after this


def failed(error: EmeError) -> asyncio.Future[None]:
    """A future that has failed already, as a method's synchronous checks leave it."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
