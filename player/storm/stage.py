"""Where a storm plays: a clock, a backend, and a network for each client. Two stages, the same play on both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from player.backend.license_server.log import LicenseLogEntry
from player.backend.serve import in_process
from player.backend.spec import BackendSpec, Form
from player.chance import Draw
from player.clock import SECOND, Clock
from player.runtime.clock import SystemClock, running_clock
from player.runtime.fetch import Fetcher
from player.runtime.http import HttpFetcher
from player.runtime.links import Link
from player.runtime.memory import MemoryNetwork
from player.storm.child import child

START_IN_US: Final = 1 * SECOND  # from a backend that is ready to run-clock 0


@dataclass(slots=True, kw_only=True)
class Stage:
    """`server_log`: the license server's own rows; complete when the stage has been left."""

    clock: Clock
    mpd_url: str
    fetcher: Callable[[int, Draw], Fetcher]
    server_log: list[dict[str, Any]] = field(default_factory=list)
    server_counts: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def real(spec: BackendSpec) -> AsyncIterator[Stage]:
    """Real sockets: the backend in a process of its own, one pool of connections for all clients."""
    async with child(spec) as backend:
        epoch_us = SystemClock().epoch_us + START_IN_US
        clock = SystemClock(epoch_us)
        await backend.begin(epoch_us)
        fetcher = HttpFetcher(clock)
        stage = Stage(
            clock=clock,
            mpd_url=backend.live_url if spec.content.form is Form.LIVE else backend.vod_url,
            fetcher=lambda _number, _draw: fetcher,
            server_log=backend.log,
        )
        try:
            yield stage
        finally:
            await fetcher.close()
    stage.server_counts = backend.end


@asynccontextmanager
async def virtual(spec: BackendSpec, link: Link) -> AsyncIterator[Stage]:
    """Virtual time: the same services called directly, over modelled links. To be run on the virtual loop."""
    log: list[dict[str, Any]] = []
    clock = running_clock()
    front, backend = in_process(spec, clock.epoch_us, log=lambda entry: log.append(_row(entry)))
    network = MemoryNetwork(front, clock, link)
    try:
        yield Stage(
            clock=clock,
            mpd_url=backend.live_url if spec.content.form is Form.LIVE else backend.vod_url,
            fetcher=network.fetcher,
            server_log=log,
        )
    finally:
        network.close()


def _row(entry: LicenseLogEntry) -> dict[str, Any]:
    return {
        "time_us": entry.time_us,
        "client": entry.client,
        "sequence": entry.sequence,
        "cause": entry.cause,
        "attempt": entry.attempt,
        "kids": [str(kid) for kid in entry.kids],
        "status": entry.status,
        "done_us": entry.done_us,
    }


async def until(clock: Clock, instant_us: int) -> None:
    """Sleep to an instant of the run clock, never short of it."""
    while (left_us := instant_us - clock.now()) > 0:  # a timer may end early, and nothing else tells
        await asyncio.sleep(left_us / SECOND)
