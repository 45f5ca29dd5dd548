"""The broadcasts of both tools, sent and played over real sockets at the same time, and what each MPD promised."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

from player.ids import ContentKey, KeyId
from player.runtime.player import Player
from player.runtime.result import PlayResult
from tests.presentations.broadcasts import LIVE, Studio
from tests.presentations.encoders import Encoders
from tests.presentations.file_server import listening
from tests.presentations.frames import FrameSink
from tests.presentations.ingest import Get, Ingest
from tests.presentations.recipes import Keys
from tests.presentations.written_out import Written, periods_of

PLAYED_S: Final = 4
UPLOADS_FIRST: Final = 3  # of the MPD, until it is played
SOURCES: Final = {"video": "low", "audio": "en"}


@dataclass(frozen=True, slots=True)
class Show:
    """One broadcast as it was played. `asked`: its requests, with paths relative to the MPD."""

    name: str
    origin: Ingest
    sink: FrameSink
    result: PlayResult

    @property
    def asked(self) -> list[Get]:
        lead = f"{self.name}/"
        return [
            Get(get.at_us, get.path.removeprefix(lead), get.status)
            for get in self.origin.asked
            if get.path.startswith(lead)
        ]

    def mpd_at(self, at_us: int) -> bytes:
        return self.origin.whole(f"{self.name}/x.mpd", at_us)[-1].body


async def show_all(encoders: Encoders, folder: Path) -> Mapping[str, Show]:
    origin = Ingest()
    async with listening(origin.answer) as url, asyncio.timeout(50), asyncio.TaskGroup() as group:
        studio = Studio(encoders, folder, url)
        playing = {}
        for name in LIVE:
            group.create_task(studio.send(name))
            playing[name] = group.create_task(show(name, origin, url))
    return {name: task.result() for name, task in playing.items()}


async def show(name: str, origin: Ingest, url: str) -> Show:
    recipe, sink = LIVE[name], FrameSink()
    await origin.until(f"{name}/x.mpd", UPLOADS_FIRST)
    async with Player(f"{url}/{name}/x.mpd", keys=content_keys(recipe.keys), sink=sink, seed=1) as player:
        result = await player.play(duration_s=None if recipe.ends else PLAYED_S)
    return Show(name, origin, sink, result)


def content_keys(keys: Keys | None) -> dict[KeyId, ContentKey]:
    return {KeyId.cenc(bytes.fromhex(kid)): ContentKey(bytes.fromhex(key)) for kid, key in (keys or {}).items()}


def described(show: Show) -> Mapping[str, Written]:
    """What the last MPD says of each kind."""
    last = show.origin.whole(f"{show.name}/x.mpd")
    longest = max(last, key=lambda mpd: (sum(len(one.media) for one in periods_of(mpd.body, Path())[0]), mpd.begun_us))
    return {kind: of_kind(longest.body, kind) for kind in SOURCES}


def of_kind(mpd: bytes, kind: str) -> Written:
    return next(one for one in periods_of(mpd, Path())[0] if one.kind == kind)


def available_us(mpd: bytes, kind: str, place: int) -> Fraction:
    """Wall time at which a segment may be asked for: its end, less the offset (ISO/IEC 23009-1, 5.3.9.5.3)."""
    text = mpd.decode()
    began = re.search(r'availabilityStartTime="([^"]+)"', text)
    assert began is not None
    offset = re.search(r'availabilityTimeOffset="([^"]+)"', text)
    since = (
        Fraction(datetime.fromisoformat(began[1]).timestamp())
        + of_kind(mpd, kind).ends[place]
        - Fraction(offset[1] if offset else "0")
    )
    return since * 1_000_000
