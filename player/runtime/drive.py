"""The play driver of one client: carries actions out, hands results back, and decides nothing.

After every input the pending actions are carried out until none is left (the CDM runs inline), then the events go to
the listener, then one timer is set for the machine's deadline. Whatever raises ends this client and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

from player.chance import Draw
from player.clock import MILLISECOND, SECOND, Clock
from player.eme.cdm import Cdm
from player.engine.actions import (
    Action,
    Cancel,
    CdmCall,
    CdmDone,
    Control,
    Deliver,
    Fetch,
    Fetched,
    Finish,
    OpenCdm,
    Progress,
    Start,
    Stop,
)
from player.engine.machine import Machine
from player.errors import KeystormError
from player.runtime.cache import ParseCache
from player.runtime.fetch import Fetcher
from player.runtime.sinks import Sink
from player.trace.event import Event

Listen = Callable[[int, Event], None]
"""Called with the instant (µs on the run clock) and the event; it must not call the drive back."""

MakeCdm = Callable[[str], Cdm]
"""Makes the client's CDM for a key system."""


def _nobody(now: int, event: Event) -> None:
    """Nobody listens."""


class Drive:
    """One run of one machine: `await run()`, once."""

    __slots__ = (
        "_cache",
        "_cdm",
        "_clock",
        "_done",
        "_draw",
        "_due",
        "_fetcher",
        "_fetches",
        "_listen",
        "_make_cdm",
        "_sink",
        "_timer",
        "machine",
    )

    def __init__(
        self,
        machine: Machine,
        *,
        clock: Clock,
        fetcher: Fetcher,
        cache: ParseCache,
        make_cdm: MakeCdm,
        draw: Draw,
        sink: Sink,
        listen: Listen = _nobody,
    ) -> None:
        self.machine = machine
        self._clock = clock
        self._fetcher = fetcher
        self._cache = cache
        self._make_cdm = make_cdm
        self._draw = draw
        self._sink = sink
        self._listen = listen
        self._cdm: Cdm | None = None
        self._done: asyncio.Future[KeystormError | None] | None = None
        self._fetches: dict[int, asyncio.Task[None]] = {}  # by identity of the action
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None

    async def run(self) -> KeystormError | None:
        """Play until the machine has ended; the error that ended it, if any.

        Raises: whatever the CDM, the sink, the listener or a parser raised in a way that it should not.
        """
        self._done = asyncio.get_running_loop().create_future()
        try:
            self._turn(lambda now: self.machine.receive(Start(), now))
            return await self._done
        finally:
            await self._leave()

    def stop(self) -> None:
        """End as if the duration asked for were over; `run` returns soon after."""
        self._turn(lambda now: self.machine.receive(Stop(), now))

    def control(self, control: Control) -> None:
        """What a user does: before, during or after the run, where it does nothing any more."""
        if self._done is None:
            self.machine.receive(control, self._clock.now())
        else:
            self._turn(lambda now: self.machine.receive(control, now))

    def _turn(self, feed: Callable[[int], None]) -> None:
        """One input and all that follows from it at this instant."""
        done = self._done
        if done is None or done.done():
            return
        try:
            now = self._clock.now()
            feed(now)
            self._carry_out(now)
            self._arm(now)
        except Exception as error:  # noqa: BLE001  # it ends this client, wherever it comes from
            self._fail(error)

    def _carry_out(self, now: int) -> None:
        while actions := self.machine.actions(now):
            for action in actions:
                self._begin(action, now)
        while (event := self.machine.next_event()) is not None:
            self._listen(now, event)

    def _begin(self, action: Action, now: int) -> None:
        match action:
            case Fetch():
                self._fetches[id(action)] = asyncio.get_running_loop().create_task(self._fetch(action), name=action.url)
            case CdmCall():
                self.machine.receive(self._call_cdm(action, now), now)
            case Deliver():
                samples = action.fragment.samples[action.start : action.stop]
                self._sink.write(action.period, action.track, action.buffer, samples, action)
            case Cancel():
                self._cancel(action.fetch)
            case OpenCdm():
                self._cdm = self._make_cdm(action.key_system)
            case Finish():
                self._finish(action.error)
            case _:
                assert_never(action)

    def _call_cdm(self, action: CdmCall, now: int) -> CdmDone:
        if self._cdm is None:
            raise RuntimeError("a CDM call before its CDM was opened")
        return CdmDone(action.call, self._cdm.handle(action.call, now, self._draw))

    def _finish(self, error: KeystormError | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(error)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    async def _fetch(self, action: Fetch) -> None:
        watched = action.progress or action.parts
        try:
            result = await (self._fetcher.fetch(action, self._tell) if watched else self._fetcher.fetch(action))
        except Exception as error:  # noqa: BLE001  # a fetcher that raises ends this client
            self._fail(error)
            return
        self._fetches.pop(id(action), None)
        if isinstance(result, Fetched):
            self._turn(lambda now: self.machine.receive(self._cache.with_parsed(result, now), now))
        else:
            self._turn(lambda now: self.machine.receive(result, now))

    def _tell(self, progress: Progress) -> None:
        self._turn(lambda now: self.machine.receive(progress, now))

    def _cancel(self, action: Fetch) -> None:
        task = self._fetches.pop(id(action), None)
        if task is not None:
            task.cancel()

    def _arm(self, now: int) -> None:
        """One timer for the machine's deadline."""
        due = self.machine.deadline()
        if due == self._due and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = None if due is None else self._call_in(max(0, due - now))

    def _call_in(self, delay_us: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_us / SECOND, self._wake)

    def _wake(self) -> None:
        early_us = 0 if self._due is None else self._due - self._clock.now()
        if early_us > 0:  # uvloop's timers may end 0.4 ms early, and go in whole ms
            self._timer = self._call_in(max(early_us, MILLISECOND))
            return
        self._timer = None
        self._turn(self.machine.handle_deadline)

    async def _leave(self) -> None:
        """Nothing of this client runs on: no timer, no fetch."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._fetches.values())
        self._fetches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
