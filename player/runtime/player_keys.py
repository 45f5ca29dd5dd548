"""The sessions of a running player, to look at: views like those of a page, but the player alone calls them."""

from __future__ import annotations

import asyncio
from typing import Any

from player.chance import Draw
from player.eme.cdm import GenerateRequest
from player.eme.errors import InvalidStateError
from player.eme.events import ExpirationChanged, KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import Session, SessionState, session_id
from player.eme.surface_quirks import AS_WRITTEN, SurfaceQuirks
from player.engine.events import KeySystemChosen
from player.runtime.media_key_session import MediaKeySession, failed
from player.runtime.task_queue import TaskQueue
from player.trace.event import Event

OUTPUTS = (Settled, Message, KeyStatusesChanged, SessionClosed, ExpirationChanged)


class PlayerKeys:
    """What `Player.media_keys` gives. Fed by events in the player's order, through the queue of the player's page."""

    def __init__(self, draw: Draw, quirks: SurfaceQuirks = AS_WRITTEN) -> None:
        self._quirks = quirks
        self.key_system = ""
        self._draw = draw
        self._queue = TaskQueue()
        self._sessions: dict[int, MediaKeySession] = {}  # by slot, which is theirs until they have closed

    @property
    def sessions(self) -> tuple[MediaKeySession, ...]:
        """Those that are not closed, in the order in which they were first heard of."""
        return tuple(self._sessions.values())

    def hear(self, event: Event) -> None:
        if isinstance(event, KeySystemChosen):
            self.key_system = event.key_system
        elif isinstance(event, OUTPUTS):
            self._queue.put(lambda: self._take(event))

    def _take(self, event: Output) -> None:
        row = event.session
        session = self._sessions.get(row.slot) or self._new(row)
        session.show(row, None if row.parent is None else self._sessions.get(row.parent), self._named(event))
        if not isinstance(event, Settled):
            session.take(event)
        if isinstance(event, KeyStatusesChanged) and row.state is SessionState.CLOSED:
            del self._sessions[row.slot]  # the last that is told of it

    def _named(self, event: Output) -> str:
        if isinstance(event, Settled) and isinstance(event.call, GenerateRequest) and event.error is None:
            return session_id(self.key_system, self._draw, event.call.number)
        return ""

    def _new(self, row: Session) -> MediaKeySession:
        session = self._sessions[row.slot] = MediaKeySession(_LookOnly(), row.slot, row, self._quirks)
        return session


class _LookOnly:
    """The player alone calls its sessions."""

    def generate_request(self, _number: int, _init_data_type: str, _init_data: bytes) -> asyncio.Future[None]:
        return _kept()

    def load(self, _number: int, _stored_id: str) -> asyncio.Future[bool]:
        return _kept()

    def update(self, _number: int, _response: bytes) -> asyncio.Future[None]:
        return _kept()

    def remove(self, _number: int) -> asyncio.Future[None]:
        return _kept()

    def close(self, _number: int) -> asyncio.Future[None]:
        return _kept()


def _kept() -> asyncio.Future[Any]:
    return failed(InvalidStateError("the player keeps this session to itself"))
