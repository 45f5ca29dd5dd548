"""One player against the embedded backend on virtual time: what it did, as events with their instants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TypeVar

import pytest

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, Form
from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.engine.machine import Machine
from player.engine.profile import Profile, parse
from player.engine.spec import VIRTUAL_CDM, PlayerSpec
from player.errors import KeystormError
from player.ids import Pool
from player.runtime.cache import ParseCache
from player.runtime.clock import running_clock
from player.runtime.drive import Drive
from player.runtime.kinds import EVERY_KIND
from player.runtime.links import Link
from player.runtime.memory import MemoryNetwork
from player.runtime.sinks import HashSink
from player.runtime.virtual_loop import run_virtual
from player.trace.event import Event
from player.wire.http import Service

E = TypeVar("E", bound=Event)

EMBEDDED = CdmSpec(features=("embedded_keys",))


@cache
def _ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


@pytest.fixture
def ideal() -> Profile:
    return _ideal()


@dataclass
class Watched:
    """Events with their instants in seconds of the run clock."""

    machine: Machine
    sink: HashSink
    events: list[tuple[float, Event]] = field(default_factory=list)
    error: KeystormError | None = None

    def of(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def at(self, kind: type[Event]) -> list[float]:
        return [time for time, event in self.events if isinstance(event, kind)]


Watch = Callable[..., Watched]


@pytest.fixture
def watch() -> Watch:
    """`watch(backend, **player)`: plays live for `duration_us` (30 s), or on demand as fast as possible."""

    def play(
        backend: BackendSpec,
        *,
        client: int = 0,
        pool: Pool | None = None,
        cdm: CdmSpec = EMBEDDED,
        wrap: Callable[[Service], Service] = lambda service: service,
        link: Link | None = None,
        stop_at_s: float | None = None,
        **player: object,
    ) -> Watched:
        return run_virtual(_play(backend, client, pool or Pool(), cdm, wrap, link, stop_at_s, player))

    return play


async def _play(
    backend: BackendSpec,
    client: int,
    pool: Pool,
    cdm: CdmSpec,
    wrap: Callable[[Service], Service],
    link: Link | None,
    stop_at_s: float | None,
    player: dict[str, object],
) -> Watched:
    clock = running_clock()
    front, urls = in_process(backend, VIRTUAL_EPOCH_US)
    network = MemoryNetwork(wrap(front), clock, link)
    live = backend.content.form is Form.LIVE
    given: dict[str, object] = {
        "mpd_url": urls.live_url if live else urls.vod_url,
        "profile": _ideal(),
        "representation": "lowest",
        "cdm_latency": VIRTUAL_CDM,
        "live_delay_us": 5 * SECOND if live else None,
        "sync_clock": False,
        "duration_us": 30 * SECOND if live else None,
        "as_fast_as_possible": not live,
    }
    draw, sink = Draw(backend.seed or 0, client), HashSink()
    machine = Machine(
        PlayerSpec(**(given | player)),  # type: ignore[arg-type]
        pool,
        draw,
        epoch_us=clock.epoch_us,
        client=client,
        wanted=EVERY_KIND,
    )
    watched = Watched(machine, sink)
    drive = Drive(
        machine,
        clock=clock,
        fetcher=network.fetcher(client, draw),
        cache=ParseCache(),
        make_cdm=lambda name: make(name, cdm, pool, clock.epoch_us),
        draw=draw,
        sink=sink,
        listen=lambda now, event: watched.events.append((now / SECOND, event)),
    )
    if stop_at_s is not None:
        asyncio.get_running_loop().call_later(stop_at_s, drive.stop)
    watched.error = await drive.run()
    network.close()
    return watched
