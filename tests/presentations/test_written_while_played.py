"""What ffmpeg and Shaka Packager push to an origin in real time, played over real sockets while they write it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest

from player.ids import ContentKey, KeyId
from player.runtime.player import Player
from player.runtime.result import PlayResult
from tests.presentations.broadcasts import LIVE, Studio
from tests.presentations.encoders import Encoders
from tests.presentations.file_server import listening
from tests.presentations.frames import FrameSink
from tests.presentations.ingest import Get, Ingest
from tests.presentations.written_out import Written, periods_of

pytestmark = pytest.mark.oracle

PLAYED_S = 4
TWO_SEGMENTS = 3  # uploads of the MPD until it is played
SOURCES = {"video": "low", "audio": "en"}


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


@pytest.fixture(scope="module")
def shows(encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Show]:
    """All at the same time: each takes as long as its source."""
    for name in SOURCES.values():
        encoders.source(name)
    return asyncio.run(show_all(encoders, tmp_path_factory.mktemp("pipes")))


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
    await origin.until(f"{name}/x.mpd", TWO_SEGMENTS)
    keys = {KeyId.cenc(bytes.fromhex(kid)): ContentKey(bytes.fromhex(key)) for kid, key in (recipe.keys or {}).items()}
    async with Player(f"{url}/{name}/x.mpd", keys=keys, sink=sink, seed=1) as player:
        result = await player.play(duration_s=None if recipe.ends else PLAYED_S)
    return Show(name, origin, sink, result)


@pytest.mark.parametrize("name", LIVE)
def test_it_is_played_to_its_end_or_for_the_time_asked(name: str, shows: Mapping[str, Show]) -> None:
    result = shows[name].result
    assert result.error is None
    assert result.ended is LIVE[name].ends
    if not result.ended:
        assert result.played_s == pytest.approx(PLAYED_S, abs=0.001)
    assert [track.kind for track in result.tracks] == ["video", "audio"]
    assert set(result.keys.values()) <= {"usable"}


@pytest.mark.rule("dash:O2")
@pytest.mark.parametrize("name", LIVE)
def test_segments_are_asked_for_once_in_order_and_none_that_is_not_there(name: str, shows: Mapping[str, Show]) -> None:
    show = shows[name]
    assert [get for get in show.asked if get.status != 200] == []
    for written in described(show).values():
        asked = [get.path for get in show.asked if get.path in [ask.path for ask in written.media]]
        first = [ask.path for ask in written.media].index(asked[0])
        assert asked == [ask.path for ask in written.media[first : first + len(asked)]]
        assert [get.path for get in show.asked].count(written.init.path) == 1
        if LIVE[name].ends:
            assert asked[-1] == written.media[-1].path


@pytest.mark.rule("dash:O2")
@pytest.mark.parametrize("name", LIVE)
def test_no_segment_is_asked_for_before_the_mpd_makes_it_available(name: str, shows: Mapping[str, Show]) -> None:
    show = shows[name]
    for kind, written in described(show).items():
        paths = [ask.path for ask in written.media]
        for get in (get for get in show.asked if get.path in paths):
            read = max(mpd.at_us for mpd in show.asked if mpd.path == "x.mpd" and mpd.at_us <= get.at_us)
            body = show.mpd_at(read)
            listed = [ask.path for ask in of_kind(body, kind).media]
            assert get.path in listed
            if b'type="dynamic"' in body:
                assert get.at_us >= available_us(body, written, listed.index(get.path)) - 1000


@pytest.mark.parametrize("name", LIVE)
def test_the_samples_are_those_of_the_source(name: str, shows: Mapping[str, Show], encoders: Encoders) -> None:
    show = shows[name]
    for number, (kind, source) in enumerate(SOURCES.items()):
        played, frames = show.sink.frames[number], encoders.frames(source)
        first = frames.index(played[0])
        assert played == frames[first : first + len(played)], kind
        assert len(played) > 25 * (PLAYED_S - 1)


def described(show: Show) -> Mapping[str, Written]:
    """What the last MPD says of each kind."""
    last = show.origin.whole(f"{show.name}/x.mpd")
    longest = max(last, key=lambda mpd: (sum(len(one.media) for one in periods_of(mpd.body, Path())[0]), mpd.begun_us))
    return {kind: of_kind(longest.body, kind) for kind in SOURCES}


def of_kind(mpd: bytes, kind: str) -> Written:
    return next(one for one in periods_of(mpd, Path())[0] if one.kind == kind)


def available_us(mpd: bytes, written: Written, place: int) -> Fraction:
    """Wall time at which a segment may be asked for: its end, less the offset (ISO/IEC 23009-1, 5.3.9.5.3)."""
    text = mpd.decode()
    began = re.search(r'availabilityStartTime="([^"]+)"', text)
    assert began is not None
    offset = re.search(r'availabilityTimeOffset="([^"]+)"', text)
    starts = of_kind(mpd, written.kind).starts
    end = starts[place + 1] if place + 1 < len(starts) else starts[place] + (starts[1] - starts[0] if place else 1)
    since = Fraction(datetime.fromisoformat(began[1]).timestamp()) + end - Fraction(offset[1] if offset else "0")
    return since * 1_000_000
