"""`Player`: one presentation, played by the whole machine, with its events and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from player.cdm.make import make
from player.cdm.own import OwnCdm
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import Clock, seconds, us
from player.drm.keys import ExtendedStatus
from player.eme.element_quirks import element_quirks
from player.eme.surface_quirks import surface_quirks
from player.engine.actions import Control, Pause, Resume, Seek, SetRate
from player.engine.machine import Machine
from player.engine.profile import Profile
from player.engine.spec import VIRTUAL_CDM, CdmLatency, PlayerSpec
from player.errors import UsageError
from player.ids import ContentKey, KeyId, Pool
from player.runtime import controls
from player.runtime.cache import ParseCache
from player.runtime.clock import running_clock
from player.runtime.controls import Position
from player.runtime.drive import Drive
from player.runtime.fetch import Fetcher
from player.runtime.file_sink import sink_named
from player.runtime.http import HttpFetcher
from player.runtime.kinds import EVERY_KIND
from player.runtime.listeners import EventStream, Listeners
from player.runtime.player_keys import PlayerKeys
from player.runtime.profiles import load_profile, with_license_scope
from player.runtime.result import PlayResult, ResultFold
from player.runtime.seed import run_seed
from player.runtime.sinks import Sink
from player.runtime.version import version
from player.runtime.virtual_loop import VirtualLoop
from player.stream.ladder import AUTO, script
from player.stream.state import NORMAL
from player.trace.encode import Header
from player.trace.event import Event
from player.trace.writer import TraceWriter
from player.wire.cmcd import Transmission

E = TypeVar("E", bound=Event)

CLIENT: Final = 0
"""The number of the one client."""


class Player:
    """Plays one MPD, once: `async with Player(url) as p: result = await p.play()`. Leaving stops and closes all.

    `license_scope` and `key_system` None: as the profile and the content say. `representation`: "auto", "highest",
    "lowest", an @id, or a script of them such as `script:0=v1,12=v3`. `start`: seconds, "live", or a wall time; None:
    the start, or live. `seed` None: chance comes from the operating system. On a virtual loop the run clock is the
    loop's, and a `fetcher` without sockets must be given. Raises: UsageError, ScenarioError.
    """

    def __init__(
        self,
        mpd: str,
        *,
        license_url: str | None = None,
        license_headers: Mapping[str, str] | None = None,
        keys: Mapping[KeyId, ContentKey] | None = None,
        key_system: str | None = None,
        profile: str | Profile = "ideal",
        license_scope: str | None = None,
        representation: str = AUTO,
        start: Position | datetime | None = None,
        rate: float = 1.0,
        cdm: CdmSpec | OwnCdm | None = None,
        sink: Sink | str = "hash",
        seed: int | None = None,
        trace: Path | None = None,
        cmcd: str | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        script(representation)
        self._cdm_spec = CdmSpec() if cdm is None else cdm
        self._spec = PlayerSpec(
            mpd_url=mpd,
            profile=with_license_scope(load_profile(profile) if isinstance(profile, str) else profile, license_scope),
            key_system=key_system,
            license_url=license_url,
            license_headers=tuple((license_headers or {}).items()),
            keys=dict(keys or {}),
            representation=representation,
            rate=controls.rate_ppm(rate),
            **controls.start(start),
            element=element_quirks(self._cdm_spec.quirks),
            cmcd=None if cmcd is None else _transmission(cmcd),
        )
        self._sink = sink_named(sink) if isinstance(sink, str) else sink
        self._seed = seed
        self._trace = trace
        self._fetcher = fetcher
        self._listeners = Listeners()
        self._clock: Clock | None = None
        self._drive: Drive | None = None
        self._media_keys: PlayerKeys | None = None
        self._before: list[Control] = []  # asked for before there is anything to play
        self._over = asyncio.Event()
        self._left = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = True
        if self._drive is not None:
            self.stop()
            await self._over.wait()
        self._listeners.end()

    async def play(self, *, duration_s: float | None = None, as_fast_as_possible: bool = False) -> PlayResult:
        """Play to the end, or `duration_s` of media. A playback error is a value of the result.

        Raises: UsageError for a second call, or where a trace or sink file cannot be written.
        """
        if self._drive is not None or self._left:
            raise UsageError("a player plays once, and not after it was left")
        duration_us = None if duration_s is None else us(duration_s)
        spec = replace(self._spec, duration_us=duration_us, as_fast_as_possible=as_fast_as_possible)
        fold = ResultFold(spec.mpd_url)
        try:
            async with AsyncExitStack() as stack:
                drive = await self._set_up(spec, fold, stack)
                error = await drive.run()
            return replace(fold.result(self._sink, error), quirks=self._cdm_spec.quirks)
        finally:
            self._over.set()
            self._listeners.end()

    def start(self, *, duration_s: float | None = None) -> asyncio.Task[PlayResult]:
        """`play` in a task of its own: `playing = p.start(); await p.until(Started); p.seek(60); await playing`."""
        return asyncio.get_running_loop().create_task(self.play(duration_s=duration_s), name=self._spec.mpd_url)

    def seek(self, position: Position) -> None:
        """Go there, or as near as there is media; before the playback: start there. Raises: UsageError."""
        self._control(Seek(controls.position_us(position)))

    def pause(self) -> None:
        self._control(Pause())

    def resume(self) -> None:
        self._control(Resume())

    @property
    def rate(self) -> float:
        """Of playback: the one asked for, or while a live stream catches up with its target latency, that one."""
        machine = None if self._drive is None else self._drive.machine
        return (self._spec.rate if machine is None else machine.stream.rate) / NORMAL

    @rate.setter
    def rate(self, rate: float) -> None:
        """From 0.5 to 2. Raises: UsageError."""
        self._control(SetRate(controls.rate_ppm(rate)))

    def _control(self, control: Control) -> None:
        if self._drive is None:
            self._before.append(control)
        else:
            self._drive.control(control)

    def stop(self) -> None:
        """End now, as if the duration asked for were over."""
        if self._drive is not None:
            self._drive.stop()

    @overload
    def events(self) -> EventStream[Event]: ...

    @overload
    def events(self, *kinds: type[E]) -> EventStream[E]: ...

    def events(self, *kinds: type[Event]) -> EventStream[Any]:
        """Events of these kinds from now on, of all if none is given; the stream ends with the playback."""
        return self._listeners.events(*kinds)

    async def until(self, condition: type[Event] | Callable[[Event], bool], *, timeout_s: float | None = None) -> Event:
        """The next event of a kind, or for which a function holds.

        Raises: TimeoutError; EOFError where the playback ends without it.
        """
        holds = partial(_is_of, condition) if isinstance(condition, type) else condition
        async with asyncio.timeout(timeout_s):
            async for event in self.events(Event):
                if holds(event):
                    return event
        raise EOFError("the playback has ended")

    @property
    def position_s(self) -> float:
        """On the presentation timeline."""
        if self._drive is None or self._clock is None:
            return 0.0
        return seconds(self._drive.machine.position_us(self._clock.now()))

    @property
    def buffered_s(self) -> tuple[tuple[float, float], ...]:
        """The ranges that can be played without a fetch: there is one at most."""
        if self._drive is None or self._clock is None:
            return ()
        held = self._drive.machine.buffered_us(self._clock.now())
        return () if held is None else ((seconds(held[0]), seconds(held[1])),)

    @property
    def key_statuses(self) -> Mapping[KeyId, ExtendedStatus]:
        """The extended status of every key met, as of now."""
        return {} if self._drive is None else self._drive.machine.key_statuses()

    @property
    def media_keys(self) -> PlayerKeys | None:
        """The player's sessions, to look at; None before it plays."""
        return self._media_keys

    async def _set_up(self, spec: PlayerSpec, fold: ResultFold, stack: AsyncExitStack) -> Drive:
        clock = self._clock = running_clock()
        virtual = isinstance(clock, VirtualLoop)
        spec = replace(spec, cdm_latency=VIRTUAL_CDM if virtual else CdmLatency())
        draw, pool = Draw(run_seed(self._seed), CLIENT), Pool()
        self._media_keys = PlayerKeys(draw, surface_quirks(self._cdm_spec.quirks))
        self._drive = Drive(
            Machine(spec, pool, draw, epoch_us=clock.epoch_us, client=CLIENT, wanted=EVERY_KIND),
            clock=clock,
            fetcher=self._fetcher or await _own_fetcher(clock, stack),
            cache=ParseCache(),
            make_cdm=lambda key_system: make(key_system, self._cdm_spec, pool, clock.epoch_us),
            draw=draw,
            sink=self._sink,
            listen=partial(self._hear, fold, self._open_trace(virtual, stack)),
        )
        stack.callback(self._sink.close)
        for control in self._before:
            self._drive.control(control)
        return self._drive

    def _hear(self, fold: ResultFold, trace: TraceWriter | None, now: int, event: Event) -> None:
        fold.take(event)
        if trace is not None:
            trace.write(now, CLIENT, event)
        if self._media_keys is not None:
            self._media_keys.hear(event)
        self._listeners.tell(event)

    def _open_trace(self, virtual: bool, stack: AsyncExitStack) -> TraceWriter | None:
        if self._trace is None:
            return None
        try:
            file = stack.enter_context(self._trace.open("wb"))
        except OSError as error:
            raise UsageError(f"{self._trace}: {error.strerror}") from None
        header = Header(version=version(), seed=self._seed, clock="virtual" if virtual else "real")
        writer = TraceWriter(file, header)
        stack.callback(writer.close)
        return writer


def _transmission(name: str) -> Transmission:
    """Raises: UsageError."""
    try:
        return Transmission(name)
    except ValueError:
        raise UsageError(f"CMCD goes by {' or '.join(Transmission)}, not {name!r}") from None


async def _own_fetcher(clock: Clock, stack: AsyncExitStack) -> Fetcher:
    fetcher = HttpFetcher(clock)
    stack.push_async_callback(fetcher.close)
    return fetcher


def _is_of(kind: type[Event], event: Event) -> bool:
    return isinstance(event, kind)
