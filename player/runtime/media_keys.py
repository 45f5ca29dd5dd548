"""MediaKeys (EME 5): one CDM with its sessions, run beside a page.

A call that passes its checks reaches the CDM through the page's queue, so that whoever called has had time to await;
what the CDM answers is put into the queue in the contract's order. What one task settles is one entry, every event to
dispatch is an entry of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from player.chance import Draw
from player.clock import SECOND, Clock
from player.eme import table
from player.eme.access import Access
from player.eme.cdm import Cdm, Close, Decrypt, Decrypted, GenerateRequest, Handled, KeysCall, Lost, Update, Wake
from player.eme.errors import EmeTypeError, InvalidStateError
from player.eme.events import KeyStatusesChanged, Message, Output, SessionClosed, Settled
from player.eme.session import Session, session_id
from player.eme.status import KeyStatus, SessionType
from player.eme.tasks import used
from player.errors import EmeError
from player.ids import Pool
from player.runtime.keys_calls import KeysCalls
from player.runtime.media_key_session import MediaKeySession, failed
from player.runtime.task_queue import TaskQueue

Token = GenerateRequest | Update | Close

GONE: Final = -1  # no session has this slot


class Playing(Protocol):
    """A media element that decrypts with these keys."""

    def attempt_to_resume(self) -> None:
        """A task of the page that follows every change of key statuses (EME 6.6, Update Key Statuses 6)."""
        ...


class _Told(NamedTuple):
    """An output with the views it concerns; None: closed long ago."""

    session: MediaKeySession | None
    parent: MediaKeySession | None
    output: Output


class MediaKeys:
    """Made by `MediaKeySystemAccess.create_media_keys`. Sessions live until closed or until it is disposed of."""

    def __init__(self, access: Access, cdm: Cdm, *, draw: Draw, pool: Pool, clock: Clock, queue: TaskQueue) -> None:
        self._access = access
        self._cdm = cdm
        self._draw = draw
        self._pool = pool
        self._clock = clock
        self._queue = queue
        self._state = table.State(supports=access.supports)
        self._sessions: dict[int, MediaKeySession] = {}  # by number; those that are not closed
        self._promises: dict[int, asyncio.Future[None]] = {}  # by identity of the token
        self._timer: asyncio.TimerHandle | None = None
        self._disposed = False
        self._calls = KeysCalls(access.supports, self._handled, queue)
        self.elements: tuple[Playing, ...] = ()  # those that these are attached to

    def create_session(self, session_type: str = SessionType.TEMPORARY) -> MediaKeySession:
        """Raises: EmeTypeError, NotSupportedError, InvalidStateError."""
        if not isinstance(session_type, str):
            raise EmeTypeError("the type of a session is a str")
        if self._disposed:
            raise InvalidStateError("these MediaKeys are disposed of")
        attached = bool(self.elements)
        slot = table.create_session(self._state, self._pool, session_type, attached=attached)
        row = table.row(self._state, slot)
        number = table.session_number(self._state, row)
        self._sessions[number] = MediaKeySession(self, number, row)
        return self._sessions[number]

    def set_server_certificate(self, certificate: object) -> asyncio.Future[bool]:
        """False where the key system takes none. Fails with EmeTypeError."""
        return self._calls.set_server_certificate(certificate)

    def get_status_for_policy(self, policy: object = None, /, **members: object) -> asyncio.Future[KeyStatus]:
        """What a key with this output rule would be: a mapping or keywords, of which `min_hdcp_version` is known.

        Fails with EmeTypeError, or NotSupportedError for a version that nobody can judge.
        """
        return self._calls.get_status_for_policy(policy, members)

    def dispose(self) -> None:
        """Let go of the CDM: promises under way are cancelled, nothing more is told, no session can be made."""
        self._disposed = True
        if self._timer is not None:
            self._timer.cancel()
        for promise in self._promises.values():
            promise.cancel()
        self._promises.clear()
        self._calls.dispose()
        self._sessions.clear()

    @property
    def is_disposed(self) -> bool:
        return self._disposed

    def decrypt(self, call: Decrypt) -> Decrypted | None:
        """One fragment for a media element. None: no session is open, and then no CDM is asked (EME 7.5.4, 2 to 4)."""
        if self._disposed or not self._state.table:
            return None
        try:
            result = self._cdm.handle(call, self._clock.now(), self._draw)
        except Exception as error:  # noqa: BLE001  # a CDM that raises fails the media and nothing else
            context = {"message": "the CDM raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            return Decrypted(clear=call.start, error="the CDM failed")
        if not isinstance(result, Decrypted):
            raise TypeError("a decryption was answered as a session call")
        self._put(used(self._state, self._pool, result))
        self._arm()
        return result

    # ── what the sessions ask ────────────────────────────────────────────────────────────────────────────────────────

    def generate_request(self, number: int, init_data_type: str, init_data: bytes) -> asyncio.Future[None]:
        slot = self._slot(number)
        return self._begin(table.generate_request(self._state, self._pool, slot, init_data_type, init_data))

    def update(self, number: int, response: bytes) -> asyncio.Future[None]:
        return self._begin(table.update(self._state, self._pool, self._slot(number), response))

    def close(self, number: int) -> asyncio.Future[None]:
        return self._begin(table.close(self._state, self._pool, self._slot(number)))

    def _slot(self, number: int) -> int:
        """Slots are used again, so a session is known by its number."""
        rows = self._state.table
        return next((row.slot for row in rows if table.session_number(self._state, row) == number), GONE)

    def _begin(self, token: Token | EmeError | None) -> asyncio.Future[None]:
        """The promise of a call: failed or resolved at once, or under way."""
        if isinstance(token, EmeError):
            return failed(token)
        promise: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if token is None:
            promise.set_result(None)
        else:
            self._promises[id(token)] = promise
            self._queue.put(lambda: self._ask(token))
        return promise

    # ── what the CDM answers ─────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, call: Token | Wake | Lost) -> None:
        if self._disposed:
            return
        outputs = table.settle(self._state, self._pool, call, self._handled(call))
        self._put(outputs)
        self._arm()

    def _handled(self, call: Token | KeysCall | Wake | Lost) -> Handled:
        try:
            result = self._cdm.handle(call, self._clock.now(), self._draw)
        except Exception as error:  # noqa: BLE001  # a CDM that raises fails its call and nothing else
            context = {"message": "the CDM raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            return Handled(error="InvalidStateError", reason="the CDM failed")
        if isinstance(result, Decrypted):
            raise TypeError("a session call was answered as a decryption")
        return result

    def _put(self, outputs: Sequence[Output]) -> None:
        """Into the page's queue, with the views looked up now: a row tells its number only as of now."""
        task: list[_Told] = []
        for output in outputs:
            told = self._told(output)
            if isinstance(output, KeyStatusesChanged | Message):
                self._put_task(task)
                self._put_task([told])
                task = []
                if isinstance(output, KeyStatusesChanged) and self.elements:
                    self._queue.put(self._attempt_to_resume)
            else:
                task.append(told)
        self._put_task(task)
        for number in self._numbers_closed(outputs):
            del self._sessions[number]

    def _attempt_to_resume(self) -> None:
        for element in self.elements:
            element.attempt_to_resume()

    def _put_task(self, task: list[_Told]) -> None:
        if task:
            self._queue.put(lambda: self._run(task))

    def _told(self, output: Output) -> _Told:
        row = output.session
        parent = None if row.parent is None else table.find(self._state, row.parent)
        return _Told(
            session=self._sessions.get(self._number(row)),
            parent=None if parent is None else self._sessions.get(self._number(parent)),
            output=output,
        )

    def _number(self, row: Session) -> int:
        return table.session_number(self._state, row)

    def _numbers_closed(self, outputs: Sequence[Output]) -> list[int]:
        return [self._number(output.session) for output in outputs if isinstance(output, SessionClosed)]

    def _run(self, task: Sequence[_Told]) -> None:
        """One task of the page: every attribute is set before a promise is settled, so nobody sees half of it."""
        for told in task:
            if told.session is not None:
                told.session.show(told.output.session, told.parent)
        for told in task:
            if isinstance(told.output, Settled):
                self._settle(told.session, told.output)
            elif told.session is not None:
                told.session.take(told.output)

    def _settle(self, session: MediaKeySession | None, settled: Settled) -> None:
        call = settled.call
        if session is not None and isinstance(call, GenerateRequest) and settled.error is None:
            session.session_id = session_id(self._access.key_system, self._draw, call.number)
        promise = self._promises.pop(id(call), None)
        if promise is None or promise.done():
            return
        if settled.error is None:
            promise.set_result(None)
        else:
            promise.set_exception(settled.error)

    def _arm(self) -> None:
        """One timer for the CDM: expiry, start of a key, renewal."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._state.cdm_due is not None:
            delay_us = max(0, self._state.cdm_due - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay_us / SECOND, self._wake)

    def _wake(self) -> None:
        self._timer = None
        due = self._state.cdm_due
        if due is not None and self._clock.now() < due:  # uvloop's timers may end early
            self._arm()
        elif not self._disposed:
            self._state.cdm_due = None
            self._ask(Wake())
