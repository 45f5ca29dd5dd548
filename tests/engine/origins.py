"""A written origin: what it answers is a function of host, path and instant; media is clear and made on the spot.

Every path that ends in `.m4s` is a segment of two seconds, every `init.mp4` an init segment, unless the test says
otherwise. Run-clock 0 is `VIRTUAL_EPOCH_US`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from struct import pack
from typing import TypeVar

from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.eme.cdm import Cdm
from player.engine.machine import Machine
from player.engine.profile import parse
from player.engine.spec import PlayerSpec
from player.errors import KeystormError
from player.ids import Pool
from player.isobmff.writer import FragmentHeader, TrackHeader, box, full_box, init_segment, media_segment
from player.runtime.cache import ParseCache
from player.runtime.clock import running_clock
from player.runtime.drive import Drive
from player.runtime.kinds import EVERY_KIND
from player.runtime.memory import MemoryNetwork
from player.runtime.sinks import HashSink
from player.runtime.virtual_loop import run_virtual
from player.trace.event import Event
from player.wire.http import Reply, Request

E = TypeVar("E", bound=Event)

Answer = bytes | str | int | tuple[int, tuple[tuple[str, str], ...], bytes] | None
"""A body, a status, or status with headers and body; None: what is made on the spot."""

Script = Callable[[Request, float], Answer]
"""What an origin answers at an instant, in seconds of the run clock."""

OTHER_TIME = 1 << 40  # a decode time worlds apart from the MPD: then segments lie where the MPD says
MPD_URL = "http://origin.test/live/x.mpd"


@dataclass
class Origin:
    """`asked`: (seconds, method, host and target) of every request."""

    answer: Script
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list)

    def receive(self, request: Request, now: int) -> None:
        self.asked.append((now / SECOND, request.method, request.host + request.target))
        found = self.answer(request, now / SECOND)
        if found is None:
            found = media(request.target)
        self._replies.append(_reply(request, found))

    def gone(self, request_id: int, now: int) -> None:
        """Nothing waits here."""

    def replies(self) -> Iterable[Reply]:
        ready, self._replies = self._replies, []
        return ready

    def deadline(self) -> int | None:
        return None

    def handle_deadline(self, now: int) -> None:
        """There is none."""

    def count(self, part: str) -> int:
        return len(self.of(part))

    def of(self, part: str) -> list[str]:
        return [target for _, _, target in self.asked if part in target]

    def at(self, part: str) -> list[float]:
        return [time for time, _, target in self.asked if part in target]


def _reply(request: Request, found: Answer) -> Reply:
    match found:
        case int():
            return Reply(request.id, found, (), b"")
        case str():
            return Reply(request.id, 200, (), found.encode())
        case bytes():
            return Reply(request.id, 200, (), found)
        case (status, headers, body):
            return Reply(request.id, status, headers, body)
        case None:
            return Reply(request.id, 404, (), b"")


def media(target: str) -> bytes | None:
    path = target.partition("?")[0]
    if path.endswith("init.mp4"):
        return init()
    return segment() if path.endswith(".m4s") else None


@cache
def init() -> bytes:
    entry = box(b"avc1", bytes(6), pack(">H", 1), bytes(16), pack(">HH", 320, 180), bytes(50))
    return init_segment(TrackHeader(kind="video", timescale=1000, entries=(entry,), width=320, height=180))


@cache
def segment(events: bytes = b"") -> bytes:
    header = FragmentHeader(sequence=1, decode_time=OTHER_TIME, sizes=(8, 8), durations=(1000, 1000))
    return events + media_segment(header, bytes(16))


def emsg(scheme: str, value: str, number: int, message: bytes, delta: int = 0) -> bytes:
    """Version 0, in ms."""
    words = pack(">IIII", 1000, delta, 0, number)
    return full_box(b"emsg", 0, 0, scheme.encode() + b"\0" + value.encode() + b"\0", words, message)


def wall(at_s: float) -> str:
    """An instant of the run clock as the MPD writes it."""
    return datetime.fromtimestamp(VIRTUAL_EPOCH_US / SECOND + at_s, UTC).isoformat().replace("+00:00", "Z")


def mpd(*parts: str, **attributes: str) -> str:
    """Live from 60 s before the run clock begins, unless the attributes say otherwise; "" leaves one out."""
    given = {
        "type": "dynamic",
        "availabilityStartTime": wall(-60),
        "publishTime": wall(-60),
        "minimumUpdatePeriod": "PT2S",
        "timeShiftBufferDepth": "PT30S",
        "suggestedPresentationDelay": "PT6S",
    } | attributes
    written = " ".join(f'{name}="{value}"' for name, value in given.items() if value)
    namespaces = 'xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<MPD {namespaces} {written}>{''.join(parts)}</MPD>"


def vod(*parts: str, **attributes: str) -> str:
    none = dict.fromkeys(
        ("availabilityStartTime", "minimumUpdatePeriod", "timeShiftBufferDepth", "suggestedPresentationDelay"), ""
    )
    return mpd(*parts, **(none | {"type": "static"} | attributes))


def period(name: str, *sets: str, **attributes: str) -> str:
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<Period id="{name}"{written}>{"".join(sets) or video()}</Period>'


def video(inside: str = "", kind: str = "video", folder: str = "v", extra: str = "", **template: str) -> str:
    given = {
        "timescale": "1000",
        "duration": "2000",
        "startNumber": "0",
        "initialization": f"{folder}/init.mp4",
        "media": f"{folder}/$Number$.m4s",
    } | template
    timeline = given.pop("timeline", "")
    written = " ".join(f'{name}="{value}"' for name, value in given.items() if value)
    source = f"<SegmentTemplate {written}>{timeline}</SegmentTemplate>"
    return (
        f'<AdaptationSet contentType="{kind}" mimeType="{kind}/mp4" id="{kind}">{extra}'
        f'<Representation id="{folder}" bandwidth="50000" codecs="avc1.42C00C">{inside}{source}</Representation>'
        "</AdaptationSet>"
    )


@dataclass
class Played:
    """Events with their instants in seconds of the run clock."""

    machine: Machine
    origin: Origin
    events: list[tuple[float, Event]]
    error: KeystormError | None

    def of(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def at(self, kind: type[Event]) -> list[float]:
        return [time for time, event in self.events if isinstance(event, kind)]


def play(answer: Script, **player: object) -> Played:
    """For 20 s, or to the end where `as_fast_as_possible`."""
    return run_virtual(_play(Origin(answer), player))


async def _play(origin: Origin, player: dict[str, object]) -> Played:
    clock = running_clock()
    network = MemoryNetwork(origin, clock)
    skew_us = int(player.pop("skew_us", 0))  # type: ignore[call-overload]
    wanted, stop_at_s = player.pop("wanted", EVERY_KIND), player.pop("stop_at_s", None)
    given: dict[str, object] = {
        "mpd_url": MPD_URL,
        "profile": parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8")),
        "duration_us": None if player.get("as_fast_as_possible") else 20 * SECOND,
    }
    draw, events = Draw(1, 0), []
    machine = Machine(
        PlayerSpec(**(given | player)),  # type: ignore[arg-type]
        Pool(),
        draw,
        epoch_us=clock.epoch_us + skew_us,
        wanted=wanted,  # type: ignore[arg-type]
    )
    drive = Drive(
        machine,
        clock=clock,
        fetcher=network.fetcher(0, draw),
        cache=ParseCache(),
        make_cdm=no_cdm,
        draw=draw,
        sink=HashSink(),
        listen=lambda now, event: events.append((now / SECOND, event)),
    )
    if isinstance(stop_at_s, int):
        asyncio.get_running_loop().call_later(stop_at_s, drive.stop)
    try:
        async with asyncio.timeout(3600):
            error = await drive.run()
    except TimeoutError:
        drive.stop()
        raise
    finally:
        network.close()
    return Played(machine, origin, events, error)


def no_cdm(name: str) -> Cdm:
    raise AssertionError(f"clear media needs no CDM, least of all {name}")
