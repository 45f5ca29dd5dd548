"""A broadcast once more, on the virtual clock: each upload is there from the instant on at which it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from player.chance import Draw
from player.runtime.clock import running_clock
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.runtime.virtual_loop import run_virtual
from player.wire.http import Reply, Request
from tests.presentations.broadcasts import LIVE
from tests.presentations.frames import FrameSink
from tests.presentations.ingest import NEVER, Ingest, Stored
from tests.presentations.memory_origin import SWIFT
from tests.presentations.shows import PLAYED_S, UPLOADS_FIRST, Show, content_keys


@dataclass(slots=True)
class Replay:
    """`epoch_us`: wall time of the recording at run-clock 0. A request for what is being uploaded waits for its end.

    `asked`: wall time of the recording, path, status.
    """

    recorded: Ingest
    epoch_us: int
    asked: list[tuple[int, str, int]] = field(default_factory=list)
    _waiting: dict[int, Stored] = field(default_factory=dict)
    _replies: list[Reply] = field(default_factory=list)

    def receive(self, request: Request, now: int) -> None:
        path, wall_us = urlsplit(request.target).path.lstrip("/"), self.epoch_us + now
        if path == "time":
            told = datetime.fromtimestamp(wall_us / 1_000_000, UTC).isoformat()
            self._replies.append(Reply(request.id, 200, (), told.encode()))
            return
        there = self._there(path, wall_us)
        self.asked.append((wall_us, path, 200 if there else 404))
        if not there:
            self._replies.append(Reply(request.id, 404, (), b""))
        elif there[-1].whole_us <= wall_us:
            self._replies.append(Reply(request.id, 200, (), there[-1].body))
        else:
            self._waiting[request.id] = there[-1]

    def _there(self, path: str, wall_us: int) -> Sequence[Stored]:
        begun = [one for one in self.recorded.stored.get(path, ()) if one.begun_us <= wall_us < one.gone_us]
        whole = [one for one in begun if one.whole_us <= wall_us]
        return whole if path.endswith(".mpd") else begun

    def gone(self, request_id: int, now: int) -> None:
        self._waiting.pop(request_id, None)

    def replies(self) -> Iterable[Reply]:
        ready, self._replies = self._replies, []
        return ready

    def deadline(self) -> int | None:
        due = min((upload.whole_us for upload in self._waiting.values()), default=NEVER)
        return None if due == NEVER else due - self.epoch_us

    def handle_deadline(self, now: int) -> None:
        over = [number for number, upload in self._waiting.items() if upload.whole_us <= self.epoch_us + now]
        self._replies += [Reply(number, 200, (), self._waiting.pop(number).body) for number in over]


def again(show: Show, skew_us: int, sink: FrameSink, trace: Path) -> tuple[PlayResult, Replay]:
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
