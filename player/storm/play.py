"""The driver `play`: one task a client, each with its own machine, all on one loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from player.cdm.make import make
from player.clock import us
from player.eme.element_quirks import element_quirks
from player.engine.machine import Machine
from player.engine.spec import VIRTUAL_CDM, CdmLatency, PlayerSpec
from player.ids import Pool
from player.runtime.cache import ParseCache
from player.runtime.drive import Drive, Listen
from player.runtime.sinks import NullSink
from player.runtime.virtual_loop import run_virtual
from player.storm import stage
from player.storm.gauge import Gauge
from player.storm.observe import WANTED, Observations
from player.storm.population import Client, client
from player.storm.record import Record
from player.storm.spec import ClockKind, StormSpec, StrategySpec
from player.storm.stage import Stage
from player.storm.strategy import Overlaid, overlay
from player.trace.event import Event
from player.trace.writer import TraceWriter

Progress = Callable[[float], None]
"""Told the run clock (s) about once a second."""


def run(
    spec: StormSpec, strategy: StrategySpec, *, trace: TraceWriter | None = None, progress: Progress | None = None
) -> Record:
    """Play the storm under one strategy. Raises: BackendError, UsageError; one bad client never ends it."""
    if spec.clock is ClockKind.VIRTUAL:
        return run_virtual(_play(spec, strategy, trace, progress))
    return asyncio.run(_play(spec, strategy, trace, progress))


async def _play(
    spec: StormSpec, strategy: StrategySpec, trace: TraceWriter | None, progress: Progress | None
) -> Record:
    laid = overlay(spec, strategy)
    seen, gauge = Observations(), Gauge()
    virtual = spec.clock is ClockKind.VIRTUAL
    setting = stage.virtual(laid.backend, spec.link) if virtual else stage.real(laid.backend)
    async with setting as here:
        crowd = _Crowd(spec, laid, here, seen, trace)
        with _no_collection(), gauge.measuring(here.clock, real=not virtual):
            await crowd.play(progress)
    return Record(
        spec=spec,
        strategy=strategy,
        backend=laid.backend,
        seen=seen,
        gauge=gauge,
        tables=crowd.tables(),
        server_log=tuple(here.server_log),
        server_counts=here.server_counts,
    )


class _Crowd:
    """All clients of one run in this process, and what they share."""

    def __init__(
        self, spec: StormSpec, laid: Overlaid, here: Stage, seen: Observations, trace: TraceWriter | None
    ) -> None:
        self._spec = spec
        self._laid = laid
        self._stage = here
        self._seen = seen
        self._trace = trace
        self._pool = Pool()
        self._cache = ParseCache()
        self._drives: dict[int, Drive] = {}

    async def play(self, progress: Progress | None) -> None:
        """Join every client at its instant, end all at the end of the run."""
        clients = [client(self._spec, number) for number in range(self._spec.clients)]
        tasks = [asyncio.create_task(self._one(c), name=f"client {c.number}") for c in clients]
        watch = asyncio.create_task(self._watch(progress), name="progress")
        await stage.until(self._stage.clock, us(self._spec.end_s))
        for drive in list(self._drives.values()):
            drive.stop()
        watch.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def tables(self) -> int:
        """Distinct key tables that all clients together have used."""
        return self._pool.count(tuple)

    async def _one(self, who: Client) -> None:
        await stage.until(self._stage.clock, who.join_us)
        try:
            drive = self._drives[who.number] = self._drive(who)
            await drive.run()
        except Exception as error:  # noqa: BLE001  # it is counted as lost and never ends the run
            self._seen.lose(who.number, error)
        finally:
            self._drives.pop(who.number, None)

    def _drive(self, who: Client) -> Drive:
        clock = self._stage.clock
        return Drive(
            Machine(self._player(who), self._pool, who.draw, epoch_us=clock.epoch_us, client=who.number, wanted=WANTED),
            clock=clock,
            fetcher=self._stage.fetcher(who.number, who.draw),
            cache=self._cache,
            make_cdm=lambda key_system: make(key_system, self._laid.cdm, self._pool, clock.epoch_us),
            draw=who.draw,
            sink=NullSink(),
            listen=self._listener(who),
        )

    def _player(self, who: Client) -> PlayerSpec:
        virtual = self._spec.clock is ClockKind.VIRTUAL
        return PlayerSpec(
            mpd_url=self._stage.mpd_url,
            profile=self._spec.profile,
            representation=self._spec.representation,
            media=self._spec.media,
            live_delay_us=who.live_delay_us,
            sync_clock=False,
            annotate=True,
            cdm_latency=VIRTUAL_CDM if virtual else CdmLatency(),
            plan=self._laid.plan,
            element=element_quirks(self._laid.cdm.quirks),
        )

    def _listener(self, who: Client) -> Listen:
        listen = self._seen.listener(who.number)
        return listen if self._trace is None else partial(_both, listen, self._trace, who.number)

    async def _watch(self, progress: Progress | None) -> None:
        while progress is not None:
            progress(self._stage.clock.now() / 1_000_000)
            await asyncio.sleep(1)


def _both(listen: Listen, trace: TraceWriter, number: int, now: int, event: Event) -> None:
    listen(now, event)
    trace.write(now, number, event)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No cyclic garbage collection while measuring: a pause makes clients open connections, which makes garbage."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
