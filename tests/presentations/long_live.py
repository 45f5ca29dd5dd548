"""A live stream of the embedded origin that has run for long, played on the virtual clock with every request noted."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from player.backend.serve import in_process
from player.backend.spec import BackendSpec
from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.engine.machine import Machine
from player.engine.profile import Profile, parse
from player.engine.spec import VIRTUAL_CDM, Media, PlayerSpec
from player.errors import KeystormError
from player.ids import Pool
from player.runtime.cache import ParseCache
from player.runtime.clock import running_clock
from player.runtime.drive import Drive
from player.runtime.kinds import EVERY_KIND
from player.runtime.memory import MemoryNetwork
from player.runtime.sinks import NullSink
from player.runtime.virtual_loop import run_virtual
from player.stream.events import Ended, Stalled
from player.trace.encode import Header
from player.trace.event import Event
from player.trace.writer import TraceWriter
from player.wire.http import Reply, Request, Service

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

HOUR: Final = 3600 * SECOND
CLOSED: Final = 0


@dataclass(slots=True)
class Since:
    """A service whose run clock began `before_us` ago, and which is down between the two instants of each pair.

    While it is down it closes every connection; it notes what it was asked and what it refused.
    """

    service: Service
    before_us: int
    down: Sequence[tuple[int, int]] = ()
    asked: list[tuple[int, str, int]] = field(default_factory=list)  # instant, target, status
    _open: dict[int, tuple[int, str]] = field(default_factory=dict)
    _closed: list[Reply] = field(default_factory=list)

    def receive(self, request: Request, now: int) -> None:
        self._open[request.id] = (now, request.target)
        if any(first <= now < last for first, last in self.down):
            self._closed.append(Reply(request.id, CLOSED, (), b""))
        else:
            self.service.receive(request, now + self.before_us)

    def gone(self, request_id: int, now: int) -> None:
        self._open.pop(request_id, None)
        self.service.gone(request_id, now + self.before_us)

    def replies(self) -> Iterator[Reply]:
        closed, self._closed = self._closed, []
        for reply in (*closed, *self.service.replies()):
            if reply.id in self._open:
                self.asked.append((*self._open.pop(reply.id), reply.status))
            yield reply

    def deadline(self) -> int | None:
        due = self.service.deadline()
        return None if due is None else due - self.before_us

    def handle_deadline(self, now: int) -> None:
        self.service.handle_deadline(now + self.before_us)


@dataclass(slots=True)
class Restarting:
    """One stream after another behind the same URL: each from an instant on, the first from the start."""

    streams: Sequence[tuple[int, Since]]
    _serving: dict[int, Since] = field(default_factory=dict)

    @property
    def asked(self) -> list[tuple[int, str, int]]:
        return [row for _, stream in self.streams for row in stream.asked]

    def receive(self, request: Request, now: int) -> None:
        stream = next(stream for since, stream in reversed(self.streams) if since <= now)
        self._serving[request.id] = stream
        stream.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        stream = self._serving.pop(request_id, None)
        if stream is not None:
            stream.gone(request_id, now)

    def replies(self) -> Iterator[Reply]:
        for _, stream in self.streams:
            for reply in stream.replies():
                self._serving.pop(reply.id, None)
                yield reply

    def deadline(self) -> int | None:
        return min((due for _, stream in self.streams if (due := stream.deadline()) is not None), default=None)

    def handle_deadline(self, now: int) -> None:
        for _, stream in self.streams:
            due = stream.deadline()
            if due is not None and due <= now:
                stream.handle_deadline(now)


@dataclass(slots=True)
class Watched:
    """What one run came to. `trace`: SHA-256 of all its bytes."""

    origin: Restarting
    stalls: list[Stalled] = field(default_factory=list)
    ended: Ended | None = None
    error: KeystormError | None = None
    trace: str = ""
    trace_bytes: int = 0

    def refused(self) -> list[tuple[int, str, int]]:
        return [row for row in self.origin.asked if row[2] >= 400]

    def media(self, track: str) -> list[list[str]]:
        """Targets of the segments of a track that each stream gave, in order."""
        segments = re.compile(rf"/live/{track}/(?:time-)?\d+\.m4s")
        return [
            [target for _, target, status in stream.asked if segments.fullmatch(target) and status == 200]
            for _, stream in self.origin.streams
        ]


@cache
def _ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


def watch(
    backend: BackendSpec,
    *,
    hours_before: int,
    length_us: int,
    skew_us: int,
    down: Sequence[tuple[int, int]] = (),
    restarts: Sequence[int] = (),
    sync_clock: bool = True,
) -> Watched:
    """Play `length_us` of a stream that began `hours_before`, with a clock that is wrong by `skew_us`.

    `down`: from one instant to another nothing answers. `restarts`: instants at which the origin begins anew.
    """
    spec = PlayerSpec(
        mpd_url="http://origin.test/live/manifest.mpd",
        profile=_ideal(),
        representation="lowest",
        media=Media.SIGNALS,
        cdm_latency=VIRTUAL_CDM,
        live_delay_us=6 * SECOND,
        duration_us=length_us,
        sync_clock=sync_clock,
    )
    began = (-hours_before * HOUR, *restarts)
    return run_virtual(_watch(backend, spec, began, skew_us, down))


async def _watch(
    backend: BackendSpec, spec: PlayerSpec, began: Sequence[int], skew_us: int, down: Sequence[tuple[int, int]]
) -> Watched:
    clock, draw, pool = running_clock(), Draw(backend.seed or 0, 0), Pool()
    fronts = [in_process(replace(backend, seed=7 + n), VIRTUAL_EPOCH_US + at)[0] for n, at in enumerate(began)]
    streams = [(at, Since(front, -at, down)) for at, front in zip(began, fronts, strict=True)]
    watched = Watched(Restarting(streams))
    network = MemoryNetwork(watched.origin, clock)
    file = _Digest()
    writer = TraceWriter(file, Header(version="0", seed=backend.seed, clock="virtual"))

    def hear(now: int, event: Event) -> None:
        writer.write(now, 0, event)
        if isinstance(event, Stalled):
            watched.stalls.append(event)
        elif isinstance(event, Ended):
            watched.ended = event

    drive = Drive(
        Machine(spec, pool, draw, epoch_us=clock.epoch_us + skew_us, client=0, wanted=EVERY_KIND),
        clock=clock,
        fetcher=network.fetcher(0, draw),
        cache=ParseCache(),
        make_cdm=lambda name: make(name, CdmSpec(features=("embedded_keys",)), pool, clock.epoch_us),
        draw=draw,
        sink=NullSink(),
        listen=hear,
    )
    watched.error = await drive.run()
    network.close()
    writer.close()
    watched.trace, watched.trace_bytes = file.sha256.hexdigest(), file.size
    return watched


class _Digest(io.BytesIO):
    """A file that keeps only the digest of what is written: a day's trace is large."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: Buffer) -> int:
        data = bytes(data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)
