"""Listening to events: callbacks by kind, and streams to iterate over. Listeners change nothing and stop nobody."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from player.trace.event import Event

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class EventStream(AsyncIterator[E_co], Generic[E_co]):
    """The events of some kinds from the moment the stream was made; it ends with its source, or by `aclose`."""

    __slots__ = ("__weakref__", "_ended", "_kinds", "_queue", "_waiter")

    def __init__(self, kinds: tuple[type[E_co], ...]) -> None:
        self._kinds = kinds
        self._queue: deque[E_co] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def __aiter__(self) -> EventStream[E_co]:
        return self

    async def __anext__(self) -> E_co:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._queue.popleft()

    async def aclose(self) -> None:
        self._queue.clear()
        self.end()

    def tell(self, event: Event) -> None:
        if not self._ended and (not self._kinds or isinstance(event, self._kinds)):
            self._queue.append(event)  # type: ignore[arg-type]  # it is of one of the kinds
            self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Listeners:
    """Those who listen to one source. A stream that its reader has dropped is forgotten."""

    __slots__ = ("_callbacks", "_ended", "_streams")

    def __init__(self) -> None:
        self._callbacks: list[tuple[type[Event], Callable[[Event], object]]] = []
        self._streams: list[weakref.ref[EventStream[Event]]] = []  # a list: a set would wake them in no order
        self._ended = False

    def on(self, kind: type[E], callback: Callable[[E], object]) -> None:
        self._callbacks.append((kind, callback))  # type: ignore[arg-type]  # called with events of `kind` only

    def events(self, *kinds: type[E]) -> EventStream[E]:
        """A stream of these kinds; of all, if none is given."""
        stream = EventStream(kinds)
        if self._ended:
            stream.end()
        self._streams = [ref for ref in self._streams if ref() is not None]
        self._streams.append(weakref.ref(stream))
        return stream

    def tell(self, event: Event) -> None:
        """A callback that raises stops neither the others nor the source: the loop's exception handler is told."""
        for kind, callback in list(self._callbacks):
            if isinstance(event, kind):
                self._call(callback, event)
        for ref in self._streams:
            stream = ref()
            if stream is not None:
                stream.tell(event)

    def end(self) -> None:
        """Nothing more is told: every stream ends."""
        self._ended = True
        for ref in self._streams:
            stream = ref()
            if stream is not None:
                stream.end()

    def _call(self, callback: Callable[[Event], object], event: Event) -> None:
        try:
            callback(event)
        except Exception as error:  # noqa: BLE001  # as DOM dispatch does
            context = {"message": f"a listener to {event.name} raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
