"""MediaKeys (EME 5): one CDM with its sessions, run beside a page.

A call that passes its checks reaches the CDM through the page's queue, so that whoever called has had time to await;
what the CDM answers is put into the queue in the contract's order. What one task settles is one entry, every event to
dispatch is an entry of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from player.chance import Draw
from player.clock import Clock
from player.eme import table
from player.eme.access import Access
from player.eme.cdm import (
    Cdm,
    Decrypt,
    Decrypted,
    Destroyed,
    DeviceCall,
    DisplayChanged,
    GenerateRequest,
    Handled,
    Load,
    Lost,
    Provision,
    Record,
    SessionCall,
    Settles,
    Wake,
)
from player.eme.errors import EmeTypeError, InvalidStateError
from player.eme.events import KeyStatusesChanged, Output, SessionClosed, Settled
from player.eme.session import CALLABLE, CLOSING, Session
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.eme.surface_quirks import AS_WRITTEN, SurfaceQuirks
from player.eme.tasks import used
from player.errors import EmeError
from player.ids import ContentKey, KeyId, Pool
from player.runtime.cdm_runner import CdmRunner
from player.runtime.keys_calls import KeysCalls
from player.runtime.media_key_session import MediaKeySession, failed
from player.runtime.page_sessions import PageSessions
from player.runtime.page_tasks import Told, entries, running
from player.runtime.task_queue import TaskQueue

Token = SessionCall | table.Load
Promise = asyncio.Future[Any]

GONE: Final = -1  # no session has this slot


class Playing(Protocol):
    """A media element that decrypts with these keys."""

    @property
    def told_encrypted(self) -> bool:
        """Whether it has told of init data in its content."""
        ...

    def attempt_to_resume(self) -> None:
        """A task of the page that follows every change of key statuses (EME 6.6, Update Key Statuses 6)."""
        ...


class MediaKeys:
    """Made by `MediaKeySystemAccess.create_media_keys`. Sessions live until closed or until it is disposed of."""

    def __init__(
        self,
        access: Access,
        cdm: Cdm,
        *,
        draw: Draw,
        pool: Pool,
        clock: Clock,
        queue: TaskQueue,
        page_sessions: PageSessions,
        quirks: SurfaceQuirks = AS_WRITTEN,
    ) -> None:
        self._quirks = quirks
        self._key_system = access.key_system
        self._draw = draw
        self._pool = pool
        self._queue = queue
        self._page_sessions = page_sessions
        self._cdm = CdmRunner(cdm, clock=clock, draw=draw, save=self._save, wake=self._wake)
        self._calls = KeysCalls(access.supports, self._cdm.handle, queue)
        self._state = table.State(supports=access.supports)
        self._sessions: dict[int, MediaKeySession] = {}  # by number; those that are not closed
        self._ids: dict[int, str] = {}  # likewise
        self._promises: dict[int, tuple[Token, Promise]] = {}  # by identity of the token
        self._ended: asyncio.Future[None] | None = None  # set once it is being disposed of
        self._gone = False
        self.elements: tuple[Playing, ...] = ()  # those that these are attached to

    def create_session(self, session_type: str = SessionType.TEMPORARY) -> MediaKeySession:
        """Raises: EmeTypeError, NotSupportedError, InvalidStateError."""
        if not isinstance(session_type, str):
            raise EmeTypeError("the type of a session is a str")
        if self.is_disposed:
            raise InvalidStateError("these MediaKeys are disposed of")
        slot = table.create_session(
            self._state,
            self._pool,
            session_type,
            attached=bool(self.elements),
            told_encrypted=any(element.told_encrypted for element in self.elements),
        )
        row = table.row(self._state, slot)
        number = self._number(row)
        self._sessions[number] = MediaKeySession(self, number, row, self._quirks)
        return self._sessions[number]

    def set_server_certificate(self, certificate: object) -> asyncio.Future[bool]:
        """False where the key system takes none. Fails with EmeTypeError."""
        return self._calls.set_server_certificate(certificate)

    def get_status_for_policy(self, policy: object = None, /, **members: object) -> asyncio.Future[KeyStatus]:
        """What a key with this output rule would be: a mapping or keywords, of which `min_hdcp_version` is known.

        Fails with EmeTypeError, or NotSupportedError for a version that nobody can judge.
        """
        return self._calls.get_status_for_policy(policy, members)

    @property
    def is_shareable(self) -> bool:
        """Whether the key system can serve several elements at once."""
        return self._state.supports.shareable

    # ── the device ───────────────────────────────────────────────────────────────────────────────────────────────────

    def decrypt(self, call: Decrypt) -> Decrypted | None:
        """One fragment for a media element. None: no session is open, and then no CDM is asked (EME 7.5.4, 2 to 4)."""
        if self._gone or not self._state.table:
            return None
        result = self._cdm.decrypt(call)
        self._put(used(self._state, self._pool, result))
        self._cdm.arm(self._state.cdm_due)
        return result

    def change_display(self, hdcp: str) -> None:
        """Another display is attached; "" for one without HDCP."""
        self._queue.put(lambda: self._ask(DisplayChanged(hdcp)))

    def provision(self, kid: KeyId, key: ContentKey) -> None:
        """Not EME: a root key reaches the device by a side channel, and what waits for it opens."""
        self._queue.put(lambda: self._ask(Provision(kid, key)))

    def lose(self, reason: str = ClosedReason.INTERNAL_ERROR) -> None:
        """The CDM becomes unavailable: hardware-context-reset, after which new sessions work, or internal-error."""
        self._queue.put(lambda: self._ask(Lost(ClosedReason(reason))))

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_disposed(self) -> bool:
        return self._ended is not None

    def dispose(self) -> asyncio.Future[None]:
        """Close every callable session, children first, then let go of the CDM; resolves when that is done.

        Sessions that never became callable are dropped without an event, and their promises cancelled.
        """
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
            self._abandon()
            for slot in table.leaves_first(self._state):
                self.close(self._number(table.row(self._state, slot))).add_done_callback(_seen)
            self._queue.put(lambda: self._queue.put(self.destroy))  # behind what the closing sessions tell
        return self._ended

    def destroy(self) -> None:
        """The page has gone: what is to outlive it is stored, and nobody sees anything else of it."""
        if self._gone:
            return
        self._gone = True
        self._ended = self._ended or asyncio.get_running_loop().create_future()
        self._cdm.handle(Destroyed())
        self._cdm.stop()
        table.destroy(self._state)
        for number in tuple(self._sessions):
            self._forget(number)
        for _, promise in self._promises.values():
            promise.cancel()
        self._promises.clear()
        self._calls.dispose()
        if not self._ended.done():
            self._ended.set_result(None)

    def _abandon(self) -> None:
        for row in [row for row in self._state.table if row.state not in (CALLABLE, CLOSING)]:
            number = self._number(row)
            table.abandon(self._state, self._pool, row.slot)
            self._forget(number)
            for token, promise in self._promises.values():
                if token.number == number:
                    promise.cancel()

    def _forget(self, number: int) -> None:
        """The session is closed, or nobody will hear of it again."""
        session, name = self._sessions.pop(number, None), self._ids.pop(number, None)
        if session is not None and self._gone:
            session.end()
        if name is not None:
            self._page_sessions.release(name)

    # ── what the sessions ask ────────────────────────────────────────────────────────────────────────────────────────

    def generate_request(self, number: int, init_data_type: str, init_data: bytes) -> asyncio.Future[None]:
        slot = self._slot(number)
        return self._begin(table.generate_request(self._state, self._pool, slot, init_data_type, init_data))

    def load(self, number: int, stored_id: str) -> asyncio.Future[bool]:
        return self._begin(table.load(self._state, self._pool, self._slot(number), stored_id))

    def update(self, number: int, response: bytes) -> asyncio.Future[None]:
        return self._begin(table.update(self._state, self._pool, self._slot(number), response))

    def remove(self, number: int) -> asyncio.Future[None]:
        return self._begin(table.remove(self._state, self._pool, self._slot(number)))

    def close(self, number: int) -> asyncio.Future[None]:
        return self._begin(table.close(self._state, self._pool, self._slot(number)))

    def _slot(self, number: int) -> int:
        """Slots are used again, so a session is known by its number."""
        return next((row.slot for row in self._state.table if self._number(row) == number), GONE)

    def _begin(self, token: Token | EmeError | None) -> Promise:
        """The promise of a call: failed or resolved at once, or under way."""
        if isinstance(token, EmeError):
            return failed(token)
        promise: Promise = asyncio.get_running_loop().create_future()
        if token is None:
            promise.set_result(None)
            return promise
        self._promises[id(token)] = token, promise
        if isinstance(token, table.Load):
            self._queue.put(lambda: self._load(token))
        else:
            self._queue.put(lambda: self._ask(token))
        return promise

    # ── what the CDM answers ─────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, call: SessionCall | DeviceCall) -> None:
        if self._gone:
            return
        late = None if isinstance(call, DeviceCall) else table.overtaken(self._state, call)
        if late is not None:
            self._put((late,))
            return
        self._answer(call, self._cdm.handle(call))

    def _load(self, token: table.Load) -> None:
        """EME 6.6 load, step 8."""
        late = self._gone or table.overtaken(self._state, token.call(b"")) is not None
        found = b"" if late else self._page_sessions.open(token.session_id)
        call = token.call(found if isinstance(found, bytes) else b"")
        self._renamed(token, call)
        if late:
            self._ask(call)
        elif isinstance(found, Handled):
            self._answer(call, found)
        else:
            self._ids[call.number] = token.session_id
            handled = self._cdm.handle(call)
            if handled.error is not None or handled.value is False:
                self._page_sessions.release(self._ids.pop(call.number))
            self._answer(call, handled)

    def _renamed(self, token: table.Load, call: Load) -> None:
        """The CDM is asked by another token than the one that the promise waits for."""
        _, promise = self._promises.pop(id(token), (token, None))
        if promise is not None:
            self._promises[id(call)] = call, promise

    def _answer(self, call: SessionCall | DeviceCall, handled: Handled) -> None:
        if isinstance(call, GenerateRequest) and handled.error is None and handled.settles is not Settles.NEVER:
            self._id_of(table.row(self._state, call.slot))
        self._put(table.settle(self._state, self._pool, call, handled))
        self._cdm.arm(self._state.cdm_due)

    def _save(self, records: Sequence[Record]) -> None:
        """Raises: QuotaExceededError where the disk does not take them."""
        rows = [(table.row(self._state, record.slot), record.data) for record in records]
        if any(row.session_type is SessionType.TEMPORARY for row, _ in rows):
            raise ValueError("a temporary session is never stored")  # the CDM is at fault
        self._page_sessions.write({self._id_of(row): data for row, data in rows})

    def _id_of(self, row: Session) -> str:
        number = self._number(row)
        if number not in self._ids:
            stored = row.session_type is not SessionType.TEMPORARY
            self._ids[number] = self._page_sessions.name(self._key_system, self._draw, number, stored=stored)
        return self._ids[number]

    def _number(self, row: Session) -> int:
        return table.session_number(self._state, row)

    def _wake(self) -> None:
        self._state.cdm_due = None
        self._ask(Wake())

    # ── what the page sees ───────────────────────────────────────────────────────────────────────────────────────────

    def _put(self, outputs: Sequence[Output]) -> None:
        """Into the page's queue, with the views looked up now: a row tells its number only as of now."""
        for entry in entries(outputs):
            task = [self._told(output) for output in entry]
            self._queue.put(running(task, self._settle))
            if isinstance(entry[0], KeyStatusesChanged) and self.elements:
                self._queue.put(self._attempt_to_resume)
        for output in outputs:
            if isinstance(output, SessionClosed):
                self._forget(self._number(output.session))

    def _attempt_to_resume(self) -> None:
        for element in self.elements:
            element.attempt_to_resume()

    def _told(self, output: Output) -> Told:
        row = output.session
        number = self._number(row)
        parent = None if row.parent is None else table.find(self._state, row.parent)
        return Told(
            session=self._sessions.get(number),
            parent=None if parent is None else self._sessions.get(self._number(parent)),
            session_id="" if self._withholds_id(output) else self._ids.get(number, ""),
            output=output,
        )

    def _withholds_id(self, output: Output) -> bool:
        """Some devices show the id of a session by its promise alone."""
        return self._quirks.message_before_session_id and not isinstance(output, Settled)

    def _settle(self, settled: Settled) -> None:
        _, promise = self._promises.pop(id(settled.call), (None, None))
        if promise is None or promise.done():
            return
        if settled.error is None:
            promise.set_result(settled.value)
        else:
            promise.set_exception(settled.error)


def _seen(promise: Promise) -> None:
    """Nobody awaits it, and what it failed with is no news."""
    if not promise.cancelled():
        promise.exception()
