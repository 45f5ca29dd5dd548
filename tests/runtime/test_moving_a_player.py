"""`Player` as one drives it: start, wait for an event, seek, pause, another rate; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from player.backend.serve import Backend, in_process
from player.backend.spec import BackendSpec
from player.chance import Draw
from player.errors import UsageError
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from player.stream.events import Ended, Paused, RateChanged, Seeked, Started, Unpaused

T = TypeVar("T")
URL = "http://origin.test/x.mpd"


def played(main: Callable[[Callable[..., Player], Backend], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        front, backend = in_process(BackendSpec(seed=1))
        network = MemoryNetwork(front, loop)

        def made(url: str, **options: Any) -> Player:
            return Player(url, seed=1, fetcher=network.fetcher(0, Draw(1, 0)), **options)

        return await main(made, backend)

    return run_virtual(run())


@pytest.mark.rule("dash:P5")
def test_a_player_is_driven_like_a_media_element() -> None:
    async def main(made: Callable[..., Player], backend: Backend) -> None:
        async with made(backend.vod_url) as p:
            assert (p.position_s, p.buffered_s, p.rate) == (0.0, (), 1.0)
            playing = p.start()
            await p.until(Started)
            await asyncio.sleep(1)
            assert p.position_s == 1.0
            assert p.buffered_s == ((0.0, 16.0),)
            seeked = asyncio.create_task(p.until(Seeked))
            await asyncio.sleep(0)
            p.seek(10)
            await seeked
            p.pause()
            await asyncio.sleep(5)
            assert p.position_s == pytest.approx(10)
            p.resume()
            p.rate = 2
            await asyncio.sleep(1)
            assert (p.position_s, p.rate) == (pytest.approx(12), 2.0)
            result = await playing
            assert result.ended
            assert result.stalls == ()
            assert result.played_s == pytest.approx(1 + 6)
            p.seek(0)  # nothing to move any more
            assert p.position_s == 16.0

    played(main)


def test_events_come_in_the_order_in_which_one_acts() -> None:
    async def main(made: Callable[..., Player], backend: Backend) -> list[str]:
        async with made(backend.vod_url) as p:
            told = p.events(Started, Paused, Unpaused, Seeked, RateChanged, Ended)
            playing = p.start(duration_s=4)
            await p.until(Started)
            p.rate = 0.5
            p.pause()
            p.seek(3)
            p.resume()
            await playing
            return [event.name.removeprefix("stream:") async for event in told]

    assert played(main) == ["started", "rate", "paused", "unpaused", "seeked", "ended"]  # 3 s are not there yet


def test_what_is_asked_before_the_playback_is_where_it_starts() -> None:
    async def main(made: Callable[..., Player], backend: Backend) -> float:
        async with made(backend.vod_url, rate=2.0) as p:
            p.seek(12)
            started = asyncio.create_task(p.until(Started))
            await asyncio.sleep(0)
            result = await p.play()
            event = await started
            assert isinstance(event, Started)
            assert event.position_us == 12_000_000
            return result.played_s

    assert played(main) == 4.0


@pytest.mark.rule("dash:P9")
def test_a_live_player_starts_at_a_wall_time_and_goes_live_when_told() -> None:
    async def main(made: Callable[..., Player], backend: Backend) -> None:
        began = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=24)  # the stream, on the virtual clock
        async with made(backend.live_url, start=began + timedelta(seconds=10)) as p:
            p.start()
            await p.until(Started)
            assert p.position_s == pytest.approx(10, abs=0.1)
            p.seek("live")
            await p.until(Seeked)
            assert p.position_s > 13

    played(main)


@pytest.mark.parametrize(
    "options",
    [
        {"start": -1.0},
        {"start": float("nan")},
        {"start": "now"},
        {"start": datetime(2026, 1, 1)},  # noqa: DTZ001 — that is the fault
        {"rate": 0.4},
        {"rate": 2.1},
        {"rate": float("nan")},
        {"representation": "script:soon=v1"},
    ],
)
def test_what_means_nothing_is_refused_when_the_player_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Player(URL, **options)
