"""One CDM beside a page: it is asked, what it stores is stored first, and it is woken when it wants to be.

A CDM that raises, or answers with something else, fails its call and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from player.chance import Draw
from player.clock import SECOND, Clock
from player.eme.cdm import Call, Cdm, CdmResult, Decrypt, Decrypted, DeviceCall, Handled, KeysCall, Record, SessionCall
from player.errors import EmeError

Save = Callable[[tuple[Record, ...]], None]


class CdmRunner:
    """`save` stores records and raises EmeError where it cannot; `wake` is called when the CDM's time has come."""

    def __init__(self, cdm: Cdm, *, clock: Clock, draw: Draw, save: Save, wake: Callable[[], None]) -> None:
        self._cdm = cdm
        self._clock = clock
        self._draw = draw
        self._save = save
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None

    def handle(self, call: SessionCall | KeysCall | DeviceCall) -> Handled:
        try:
            result = self._asked(call)
        except EmeError as error:
            return Handled(error=error.name, reason=error.message)
        if isinstance(result, Handled):
            return result
        return Handled(error="InvalidStateError", reason="the CDM failed")

    def decrypt(self, call: Decrypt) -> Decrypted:
        try:
            result = self._asked(call)
        except EmeError as error:
            return Decrypted(clear=call.start, error=error.message)
        return result if isinstance(result, Decrypted) else Decrypted(clear=call.start, error="the CDM failed")

    def arm(self, due: int | None) -> None:
        """One timer: expiry, start of a key, renewal. `due` in µs on the run clock; None: not to be woken."""
        self.stop()
        self._due = due
        if due is not None:
            delay_us = max(0, due - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay_us / SECOND, self._ring)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _asked(self, call: Call) -> CdmResult | None:
        """None: it raised. Raises: EmeError where what it wants to be stored cannot be."""
        try:
            result = self._cdm.handle(call, self._clock.now(), self._draw)
            if result.records:
                self._save(result.records)
        except EmeError:
            raise
        except Exception as error:  # noqa: BLE001  # the page goes on
            asyncio.get_running_loop().call_exception_handler({"message": "the CDM raised", "exception": error})
            return None
        return result

    def _ring(self) -> None:
        self._timer = None
        if self._due is not None and self._clock.now() < self._due:  # uvloop's timers may end early
            self.arm(self._due)
        else:
            self._wake()
