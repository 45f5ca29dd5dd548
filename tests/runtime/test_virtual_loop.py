"""Virtual time: the loop jumps from timer to timer, in order, and says so when nothing can happen any more."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.runtime import virtual_loop
from player.runtime.clock import SystemClock, running_clock
from player.runtime.virtual_loop import DeadlockError, NoProgressError, VirtualLoop, run_virtual

HOUR_S = 3_600


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def test_the_loop_is_the_run_clock_and_starts_at_zero() -> None:
    async def main() -> tuple[int, int, bool]:
        clock = running_clock()
        return clock.now(), clock.epoch_us, clock is _loop()

    assert run_virtual(main()) == (0, VIRTUAL_EPOCH_US, True)


@pytest.mark.rule("storm:L5")
@pytest.mark.parametrize("delay_us", [0, 1, 2, 999, 1_000, 333_333, 20 * SECOND + 7])
def test_time_moves_by_whole_microseconds_exactly(delay_us: int) -> None:
    async def main() -> int:
        for _ in range(100):
            await asyncio.sleep(delay_us / SECOND)
        return _loop().now()

    assert run_virtual(main()) == 100 * delay_us


@pytest.mark.rule("storm:L5")
def test_a_timer_that_is_due_now_runs_without_time_moving() -> None:
    async def main() -> int:
        done = asyncio.Event()
        _loop().call_at(_loop().time(), done.set)
        await done.wait()
        return _loop().now()

    assert run_virtual(main()) == 0


@pytest.mark.rule("storm:L5")
def test_timers_of_one_instant_run_in_the_order_in_which_they_were_set() -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        for number in range(100):
            _loop().call_at(1.0, ran.append, number)
        await asyncio.sleep(2)
        return ran

    assert run_virtual(main()) == list(range(100))


@pytest.mark.rule("storm:L5")
def test_a_deadlock_names_the_tasks_that_wait() -> None:
    async def main() -> None:
        await asyncio.gather(
            asyncio.create_task(asyncio.Event().wait(), name="waits for ever"),
            asyncio.create_task(asyncio.sleep(1), name="does end"),
        )

    with pytest.raises(DeadlockError, match=r"waits for ever") as caught:
        run_virtual(main())
    assert "does end" not in str(caught.value)


@pytest.mark.rule("storm:L5")
def test_callbacks_without_end_at_one_instant_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "CALLBACKS_AT_REST", 10_000)

    async def main() -> None:
        await asyncio.sleep(1)
        while True:
            await asyncio.sleep(0)

    with pytest.raises(NoProgressError, match=r"10000 callbacks at 1\.000000 s"):
        run_virtual(main())


def test_many_callbacks_are_no_fault_while_the_clock_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_loop, "CALLBACKS_AT_REST", 100)

    async def main() -> None:
        for _ in range(1_000):
            await asyncio.sleep(1e-6)

    run_virtual(main())


@pytest.mark.rule("storm:L5")
def test_48_virtual_hours_pass_in_a_moment_and_to_the_microsecond() -> None:
    async def main() -> tuple[int, int]:
        ticks = 0
        await asyncio.sleep(48 * HOUR_S)  # more than the 24 h that one select of asyncio waits at most
        while _loop().now() < 49 * HOUR_S * SECOND:
            await asyncio.sleep(0.9)
            ticks += 1
        return ticks, _loop().now()

    assert run_virtual(main()) == (4_000, 49 * HOUR_S * SECOND)


def test_asyncio_s_own_tools_work_unchanged() -> None:
    async def main() -> list[object]:
        got: list[object] = []
        queue: asyncio.Queue[int] = asyncio.Queue()
        condition = asyncio.Condition()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        got.append(_loop().now())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 3)
        got.append(_loop().now())
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(2))
            group.create_task(queue.put(1))
        got.append(await queue.get())
        async with condition:
            condition.notify_all()
        got += await asyncio.gather(asyncio.sleep(1, "a"), asyncio.sleep(0.5, "b"))
        got.append(_loop().now())
        return got

    assert run_virtual(main()) == [5 * SECOND, 8 * SECOND, 1, "a", "b", 11 * SECOND]


def test_cancelled_timers_neither_run_nor_pile_up() -> None:
    async def main() -> int:
        for _ in range(10_000):
            _loop().call_later(HOUR_S, pytest.fail, "a cancelled timer ran").cancel()
            await asyncio.sleep(0)
        return len(_loop()._timers)

    assert run_virtual(main()) < 300


async def _thread() -> None:
    await asyncio.to_thread(print)


async def _address() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def _socket() -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def _server() -> None:
    await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


async def _subprocess() -> None:
    await asyncio.create_subprocess_exec(sys.executable)


@pytest.mark.parametrize("attempt", [_thread, _address, _socket, _server])
def test_what_cannot_be_virtual_is_refused(attempt: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with pytest.raises(RuntimeError, match="in virtual time"):
        run_virtual(attempt())


def test_an_error_of_the_main_coroutine_comes_out_and_its_tasks_are_cancelled() -> None:
    ended: list[str] = []

    async def other() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        ended.append("other")

    async def main() -> None:
        task = asyncio.create_task(other())
        await asyncio.sleep(1)
        assert not task.done()
        raise LookupError("main")

    with pytest.raises(LookupError, match="main"):
        run_virtual(main())
    assert ended == ["other"]


def test_the_system_clock_counts_from_its_epoch() -> None:
    clock = SystemClock()
    ahead = SystemClock(clock.epoch_us + 10 * SECOND)
    first = clock.now()
    assert 0 <= first <= clock.now() < 5 * SECOND
    assert -10 * SECOND <= ahead.now() < -5 * SECOND


PROGRAM = """
import asyncio
from player.runtime.virtual_loop import VirtualLoop, run_virtual
async def worker(name, log):
    for i in range(5):
        await asyncio.sleep(0.5)
        log.append((asyncio.get_running_loop().now(), name))
async def main():
    log = []
    await asyncio.gather(*(worker(f"w{i}", log) for i in range(20)))
    return log
print(run_virtual(main()))
"""


def _interpreters() -> list[str]:
    """The one that runs the tests, and python3.11 to python3.14 as far as they are there and start."""
    own = f"python3.{sys.version_info.minor}"
    others = [path for minor in range(11, 15) if (path := which(f"python3.{minor}")) and Path(path).name != own]
    return [sys.executable, *(path for path in others if _starts(path))]


def _starts(interpreter: str) -> bool:
    return subprocess.run([interpreter, "-c", "pass"], capture_output=True, check=False).returncode == 0


@pytest.mark.rule("storm:L5")
@pytest.mark.parametrize("interpreter", _interpreters())
def test_every_interpreter_found_gives_the_same_order_under_any_hash_seed(interpreter: str) -> None:
    root = Path(__file__).parents[2]
    runs = {
        subprocess.run(
            [interpreter, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_nothing_of_this_waits_in_real_time() -> None:
    async def main() -> None:
        await asyncio.sleep(10 * 365 * 24 * HOUR_S)

    awaited: Awaitable[None] = main()
    assert isinstance(awaited, Coroutine)
    run_virtual(awaited)
