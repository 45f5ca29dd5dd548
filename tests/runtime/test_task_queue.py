"""The order of a page: a promise is seen settled before the event that follows it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from player.runtime.task_queue import SPARE_TURNS, TaskQueue
from player.runtime.virtual_loop import VirtualLoop

T = TypeVar("T")

Promise = asyncio.Future[None]
Style = Callable[[Promise], Awaitable[Any]]


def _uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(VirtualLoop, id="virtual"),
    pytest.param(_uvloop, id="uvloop"),
]


def _run(factory: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


async def _promise(promise: Promise) -> None:
    await promise


async def _direct(promise: Promise) -> None:
    await promise


async def _in_timeout(promise: Promise) -> None:
    async with asyncio.timeout(60):
        await promise


async def _task(promise: Promise) -> None:
    await asyncio.create_task(_promise(promise))


async def _wait(promise: Promise) -> None:
    await asyncio.wait([asyncio.ensure_future(_promise(promise))])


async def _group(promise: Promise) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_promise(promise))


def _hops(count: int) -> Style:
    async def style(promise: Promise) -> None:
        awaited: Awaitable[None] = promise
        for _ in range(count):
            awaited = asyncio.create_task(_hop(awaited))
        await awaited

    return style


async def _hop(awaited: Awaitable[None]) -> None:
    await awaited


async def _order(style: Style, spare_turns: int) -> list[str]:
    """One task settles a promise, the next entry dispatches an event: who is seen first?"""
    seen: list[str] = []
    queue = TaskQueue(spare_turns)
    promise: Promise = asyncio.get_running_loop().create_future()

    async def caller() -> None:
        await style(promise)
        seen.append("promise")

    task = asyncio.create_task(caller())
    for _ in range(20):
        await asyncio.sleep(0)
    queue.put(lambda: promise.set_result(None))
    queue.put(lambda: seen.append("event"))
    await task
    for _ in range(20):
        await asyncio.sleep(0)
    return seen


IN_ORDER = ["promise", "event"]
LATE = ["event", "promise"]


@pytest.mark.rule("AO01")
@pytest.mark.parametrize("factory", LOOPS)
@pytest.mark.parametrize("hops", [0, 1, 3])
def test_plain_call_soon_lets_the_event_overtake_the_promise(
    factory: Callable[[], asyncio.AbstractEventLoop], hops: int
) -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        promise: Promise = loop.create_future()

        async def caller() -> None:
            await _hops(hops)(promise)
            seen.append("promise")

        task = asyncio.create_task(caller())
        for _ in range(20):
            await asyncio.sleep(0)
        loop.call_soon(seen.append, "event")  # EME 6.6, update: the event is queued before the promise is settled
        promise.set_result(None)
        await task
        return seen

    assert _run(factory, main()) == LATE


@pytest.mark.rule("AO02")
@pytest.mark.parametrize("factory", LOOPS)
def test_entries_run_first_in_first_out_even_if_one_raises(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> tuple[list[int], list[str]]:
        ran: list[int] = []
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))

        def fault() -> None:
            raise ZeroDivisionError

        queue = TaskQueue()
        queue.put(lambda: ran.append(0))
        queue.put(fault)
        queue.put(lambda: queue.put(lambda: ran.append(3)))
        queue.put(lambda: ran.append(2))
        for _ in range(50):
            await asyncio.sleep(0)
        return ran, told

    assert _run(factory, main()) == ([0, 2, 3], ["a task of the page raised"])


@pytest.mark.rule("AO03")
@pytest.mark.rule("AO05")
@pytest.mark.parametrize("factory", LOOPS)
@pytest.mark.parametrize("hops", range(9))
def test_one_turn_more_than_task_hops_is_needed_and_enough(
    factory: Callable[[], asyncio.AbstractEventLoop], hops: int
) -> None:
    assert _run(factory, _order(_hops(hops), hops)) == LATE
    assert _run(factory, _order(_hops(hops), hops + 1)) == IN_ORDER


@pytest.mark.rule("AO04")
@pytest.mark.rule("AO05")
@pytest.mark.parametrize("factory", LOOPS)
@pytest.mark.parametrize(
    ("style", "hops"),
    [
        pytest.param(_direct, 0, id="await"),
        pytest.param(lambda promise: _hop(_promise(promise)), 0, id="coroutine"),
        pytest.param(_in_timeout, 0, id="timeout"),
        pytest.param(_task, 1, id="create_task"),
        pytest.param(asyncio.gather, 1, id="gather-future"),
        pytest.param(asyncio.shield, 1, id="shield-future"),
        pytest.param(lambda promise: asyncio.wait_for(promise, 60), 1, id="wait_for-future"),
        pytest.param(lambda promise: asyncio.gather(_promise(promise)), 2, id="gather-coroutine"),
        pytest.param(lambda promise: asyncio.wait_for(_promise(promise), 60), 2, id="wait_for-coroutine"),
        pytest.param(_group, 2, id="TaskGroup"),
        pytest.param(_wait, 2, id="wait"),
    ],
)
def test_every_way_to_await_has_its_number_of_hops(
    factory: Callable[[], asyncio.AbstractEventLoop], style: Style, hops: int, request: pytest.FixtureRequest
) -> None:
    assert _run(factory, _order(style, hops + 1)) == IN_ORDER
    if "wait_for" in request.node.callspec.id and sys.version_info >= (3, 12):
        return  # from 3.12 on it awaits directly
    assert _run(factory, _order(style, hops)) == LATE


@pytest.mark.rule("AO06")
@pytest.mark.parametrize("hops", range(4))
def test_by_default_three_hops_are_in_order(hops: int) -> None:
    assert SPARE_TURNS == 4
    assert asyncio.run(_order(_hops(hops), SPARE_TURNS)) == IN_ORDER
    assert asyncio.run(_order(_hops(4), SPARE_TURNS)) == LATE


@pytest.mark.rule("AO07")
def test_a_page_never_waits_for_another() -> None:
    async def main() -> list[str]:
        ran: list[str] = []
        busy, other = TaskQueue(), TaskQueue()
        for number in range(10):
            busy.put(lambda number=number: ran.append(f"busy {number}"))  # type: ignore[misc]
        other.put(lambda: ran.append("other"))
        for _ in range(100):
            await asyncio.sleep(0)
        return ran

    ran = asyncio.run(main())
    assert ran.index("other") == 1
    assert len(ran) == 11


@pytest.mark.rule("AO08")
@pytest.mark.parametrize(
    ("first_hops", "second_hops", "order"), [(0, 0, ["first", "second"]), (1, 0, ["second", "first"])]
)
def test_promises_of_one_task_keep_their_order_at_equal_distance_only(
    first_hops: int, second_hops: int, order: list[str]
) -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        first: Promise = loop.create_future()
        second: Promise = loop.create_future()

        async def caller(promise: Promise, hops: int, name: str) -> None:
            await _hops(hops)(promise)
            seen.append(name)

        tasks = [
            asyncio.create_task(caller(first, first_hops, "first")),
            asyncio.create_task(caller(second, second_hops, "second")),
        ]
        for _ in range(20):
            await asyncio.sleep(0)

        def close() -> None:
            first.set_result(None)
            second.set_result(None)

        TaskQueue().put(close)
        await asyncio.gather(*tasks)
        return seen

    assert asyncio.run(main()) == order


def test_a_queue_without_spare_turns_still_keeps_its_order() -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        queue = TaskQueue(0)
        for number in range(5):
            queue.put(lambda number=number: ran.append(number))  # type: ignore[misc]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return ran

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]


def test_a_negative_number_of_turns_is_refused() -> None:
    async def main() -> None:
        TaskQueue(-1)

    with pytest.raises(ValueError, match="0 or more"):
        asyncio.run(main())
