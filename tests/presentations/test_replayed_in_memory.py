"""The broadcasts of both tools once more, on the virtual clock: with a wrong clock, and twice to the same trace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from player.chance import Draw
from player.clock import SECOND
from player.runtime.clock import running_clock
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.runtime.virtual_loop import run_virtual
from tests.presentations.broadcasts import LIVE
from tests.presentations.encoders import Encoders
from tests.presentations.frames import FrameSink
from tests.presentations.memory_origin import SWIFT
from tests.presentations.replay import Replay
from tests.presentations.shows import PLAYED_S, SOURCES, UPLOADS_FIRST, Show, available_us, content_keys, described

pytestmark = pytest.mark.oracle

SKEWS = {"fast": 3 * SECOND, "slow": -3 * SECOND}


def replay(show: Show, skew_us: int, sink: FrameSink, trace: Path) -> tuple[PlayResult, Replay]:
    """From the instant on at which it was joined over sockets too."""
    joined_us = show.origin.whole(f"{show.name}/x.mpd")[UPLOADS_FIRST - 1].whole_us
    origin = Replay(show.origin, joined_us)
    return run_virtual(_replay(show.name, origin, sink, trace), joined_us + skew_us), origin


async def _replay(name: str, origin: Replay, sink: FrameSink, trace: Path) -> PlayResult:
    network, recipe = MemoryNetwork(origin, running_clock(), SWIFT), LIVE[name]
    async with (
        asyncio.timeout(120),
        Player(
            f"http://live.test/{name}/x.mpd",
            keys=content_keys(recipe.keys),
            sink=sink,
            seed=1,
            trace=trace,
            fetcher=network.fetcher(0, Draw(1, 0)),
        ) as player,
    ):
        result = await player.play(duration_s=None if recipe.ends else PLAYED_S)
    network.close()
    return result


@pytest.mark.rule("dash:O2")
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("name", LIVE)
def test_a_wrong_clock_asks_for_nothing_that_is_not_there(
    name: str, skew: str, shows: Mapping[str, Show], encoders: Encoders, tmp_path: Path
) -> None:
    show, sink = shows[name], FrameSink()
    result, origin = replay(show, SKEWS[skew], sink, tmp_path / "trace")
    assert result.error is None
    assert result.ended is LIVE[name].ends
    assert [row for row in origin.asked if row[2] != 200] == []
    last = show.origin.whole(f"{name}/x.mpd")[-1].body
    for number, (kind, written) in enumerate(described(show).items()):
        paths = [f"{name}/{ask.path}" for ask in written.media]
        asked = [(at, path) for at, path, _ in origin.asked if path in paths]
        first = paths.index(asked[0][1])
        assert [path for _, path in asked] == paths[first : first + len(asked)]
        frames = encoders.frames(SOURCES[kind])
        began = frames.index(sink.frames[number][0])
        assert sink.frames[number] == frames[began : began + len(sink.frames[number])]
        if b'type="dynamic"' in last:
            early = [path for at, path in asked if at < available_us(last, kind, paths.index(path)) - 1000]
            assert early == []


@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize("name", LIVE)
def test_two_replays_write_the_same_trace(name: str, shows: Mapping[str, Show], tmp_path: Path) -> None:
    traces = [tmp_path / "first", tmp_path / "again"]
    for trace in traces:
        replay(shows[name], SKEWS["fast"], FrameSink(), trace)
    first, again = (trace.read_bytes() for trace in traces)
    assert len(first) > 1000
    assert first == again
