"""An asyncio loop whose time is virtual: nothing waits, the clock jumps from timer to timer.

For components that are wholly virtual: sockets, threads and subprocesses would never become ready and are refused.
Touches private parts of asyncio (`_run_once`, `_ready`, `_stopping`, `_timer_handle_cancelled`, `_clock_resolution`)
that are the same from Python 3.11 on; the tests guard them.
"""

# ruff: noqa: ARG002, SLF001 (it overrides methods of asyncio, and some of them are private)

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple

from player.clock import SECOND, VIRTUAL_EPOCH_US

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CALLBACKS_AT_REST: Final = 1_000_000
"""So many callbacks without the clock moving mean a loop of `sleep(0)`."""

_EARLY_US: Final = 1e-3  # a due time may be this much too great from arithmetic in floating point
_NO_SOCKETS: Final = "no sockets, pipes or subprocesses in virtual time"
_CANCELLED_MIN: Final = 100  # as asyncio: cancelled timers are swept out beyond this number and half of the heap


class DeadlockError(RuntimeError):
    """Every task waits for something that cannot happen."""


class NoProgressError(RuntimeError):
    """Callbacks run for ever without the clock moving."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Also the run clock of its run. Timers are kept in whole µs and run in the order (time, sequence of the call)."""

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _timer_cancelled_count: int

    def __init__(self, epoch_us: int = VIRTUAL_EPOCH_US) -> None:
        super().__init__(_NothingReady())
        self.epoch_us = epoch_us
        self._now_us = 0
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._calls = 0
        self._callbacks_at_rest = 0
        self._clock_resolution = 1 / SECOND

    def now(self) -> int:
        """µs on the run clock, from 0."""
        return self._now_us

    def time(self) -> float:
        return self._now_us / SECOND

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` at `when` (seconds), rounded up to the next µs."""
        self._check_closed()  # type: ignore[attr-defined]  # private, of BaseEventLoop
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        timer._scheduled = True  # type: ignore[attr-defined]  # so that a cancelled handle reports itself
        self._calls += 1
        heapq.heappush(self._timers, (math.ceil(when * SECOND - _EARLY_US), self._calls, timer))
        return timer

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Refused: virtual hours would pass while the thread works (`getaddrinfo` and `to_thread` end here too)."""
        raise RuntimeError("no threads in virtual time")

    async def create_connection(self, *args: Any, **options: Any) -> NoReturn:
        """Refused, as the selector refuses every socket."""
        raise RuntimeError(_NO_SOCKETS)

    async def create_server(self, *args: Any, **options: Any) -> NoReturn:
        """Refused, before a port is taken."""
        raise RuntimeError(_NO_SOCKETS)

    def _run_once(self) -> None:
        self._sweep()
        if not self._ready and not self._stopping:
            self._jump()
        self._release_due()
        self._run_ready()

    def _jump(self) -> None:
        """Move the clock to the next timer, to the µs."""
        if not self._timers:
            raise DeadlockError(_deadlock_text(self))
        due = self._timers[0][0]
        if due > self._now_us:
            self._now_us = due
            self._callbacks_at_rest = 0

    def _release_due(self) -> None:
        while self._timers and self._timers[0][0] <= self._now_us:
            timer = heapq.heappop(self._timers)[2]
            timer._scheduled = False  # type: ignore[attr-defined]
            self._ready.append(timer)

    def _run_ready(self) -> None:
        count = len(self._ready)  # what these callbacks add has its turn in the next round
        self._callbacks_at_rest += count
        if self._callbacks_at_rest > CALLBACKS_AT_REST:
            self._callbacks_at_rest = 0
            raise NoProgressError(f"{CALLBACKS_AT_REST} callbacks at {self.time():.6f} s and the clock has not moved")
        for _ in range(count):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _sweep(self) -> None:
        """Drop cancelled timers from the head, and from everywhere once they are many."""
        timers = self._timers
        if self._timer_cancelled_count > max(_CANCELLED_MIN, len(timers) // 2):
            timers[:] = [entry for entry in timers if not entry[2].cancelled()]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)[2]._scheduled = False  # type: ignore[attr-defined]
            self._timer_cancelled_count -= 1


class _NothingReady(selectors.BaseSelector):
    """Takes the loop's own wake-up pipe and refuses everything else."""

    def __init__(self) -> None:
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._keys:
            raise RuntimeError(_NO_SOCKETS)
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys.pop(fd)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


def run_virtual(main: Coroutine[Any, Any, T], epoch_us: int = VIRTUAL_EPOCH_US) -> T:
    """`asyncio.run` in virtual time. Raises: DeadlockError, NoProgressError."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(epoch_us)) as runner:
        return runner.run(main)


def _deadlock_text(loop: asyncio.AbstractEventLoop) -> str:
    names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"every task waits for something that cannot happen: {shown or 'none is left'}"
