"""setServerCertificate and getStatusForPolicy with `await` (EME 5.1): calls of MediaKeys that concern no session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from player.eme import media_keys
from player.eme.buffer_source import copied
from player.eme.cdm import Handled, KeysCall
from player.eme.errors import InvalidStateError
from player.eme.events import KeysSettled
from player.eme.key_system import KeySystem
from player.eme.status import KeyStatus
from player.errors import EmeError
from player.runtime.task_queue import TaskQueue


class KeysCalls:
    """Their promises, and who settles them: `ask` is the CDM, `queue` the page's."""

    def __init__(self, supports: KeySystem, ask: Callable[[KeysCall], Handled], queue: TaskQueue) -> None:
        self._supports = supports
        self._ask = ask
        self._queue = queue
        self._promises: set[asyncio.Future[Any]] = set()
        self._disposed = False

    def set_server_certificate(self, certificate: object) -> asyncio.Future[bool]:
        return self._begin(lambda: media_keys.set_server_certificate(self._supports, copied(certificate)))

    def get_status_for_policy(self, policy: object, members: Mapping[str, object]) -> asyncio.Future[KeyStatus]:
        takes_empty = self._supports.empty_policy
        return self._begin(lambda: media_keys.get_status_for_policy(policy, members, takes_empty=takes_empty))

    def dispose(self) -> None:
        """Promises under way are cancelled; later calls fail with InvalidStateError."""
        self._disposed = True
        for promise in self._promises:
            promise.cancel()

    def _begin(self, checked: Callable[[], KeysCall | EmeError | bool]) -> asyncio.Future[Any]:
        """The promise of a call once its checks are made: settled at once, or under way."""
        promise: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            token = InvalidStateError("these MediaKeys are disposed of") if self._disposed else checked()
        except EmeError as error:
            token = error
        if isinstance(token, EmeError):
            promise.set_exception(token)
        elif isinstance(token, bool):
            promise.set_result(token)
        else:
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
            self._queue.put(lambda: self._call(token, promise))
        return promise

    def _call(self, call: KeysCall, promise: asyncio.Future[Any]) -> None:
        if not promise.done():
            settled = media_keys.settle(call, self._ask(call))
            self._queue.put(lambda: _settle(promise, settled))


def _settle(promise: asyncio.Future[Any], settled: KeysSettled) -> None:
    if promise.done():
        return
    if settled.error is None:
        promise.set_result(settled.value)
    else:
        promise.set_exception(settled.error)
