"""What Shaka Packager and ffmpeg make on demand is asked for exactly as written, and plays to the clear samples."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from player.runtime.player import Player
from player.runtime.result import PlayResult
from tests.presentations.conftest import Made
from tests.presentations.encoders import KEY, Encoders
from tests.presentations.file_server import FileServer, serving
from tests.presentations.frames import FrameSink
from tests.presentations.memory_origin import HOST, MemoryOrigin, play
from tests.presentations.recipes import MUXED, PACKAGED, UNPLAYABLE, Recipe, kind
from tests.presentations.shows import content_keys
from tests.presentations.written_out import Ask, Written, periods

pytestmark = pytest.mark.oracle

SETS: Mapping[str, Mapping[str, Recipe]] = {"packager": PACKAGED, "ffmpeg": MUXED}


def cases() -> Iterator[object]:
    for tool, recipes in SETS.items():
        for name, recipe in recipes.items():
            marks = () if recipe.quick else (pytest.mark.long,)
            yield pytest.param(tool, name, id=f"{tool}-{name}", marks=marks)


async def played(mpd: Path, recipe: Recipe, sink: FrameSink) -> tuple[PlayResult, FileServer]:
    keys = content_keys(recipe.keys)
    async with (
        serving(mpd.parent) as server,
        asyncio.timeout(30),
        Player(f"{server.url}/{mpd.name}", keys=keys, representation=recipe.wish, sink=sink, seed=1) as player,
    ):
        return await player.play(as_fast_as_possible=True), server


@pytest.mark.rule("dash:O1")
@pytest.mark.parametrize(("tool", "name"), list(cases()))
def test_every_segment_is_asked_for_once_in_order_and_gives_the_clear_samples(
    tool: str, name: str, made: Made, encoders: Encoders
) -> None:
    mpd, recipe = made(tool, name), SETS[tool][name]
    sink = FrameSink()
    result, server = asyncio.run(played(mpd, recipe, sink))
    assert result.error is None
    assert result.ended
    assert result.stalls == ()
    assert server.refused == []
    kinds = [one for one in ("video", "audio") if any(kind(track) == one for track in recipe.tracks)]
    assert [track.kind for track in result.tracks] == kinds
    left = list(server.asked)
    for number, track in enumerate(result.tracks):
        ladders = [ladder(period, track.kind) for period in periods(mpd)]
        mine = [ask for ask in left if any(ask in rung.all for rungs in ladders for rung in rungs)]
        left = [ask for ask in left if ask not in mine]
        assert_asked_as_written(mine, ladders, recipe.wish)
        if recipe.wish != "auto":
            expected = clear_digest(mpd, recipe, [wished(rungs, recipe.wish) for rungs in ladders], encoders)
            assert track.sha256 == expected
        elif track.kind == "video":
            assert_each_from_some_source(sink.frames[number], [encoders.frames(name) for name in ("low", "high")])
    assert left == []


def assert_each_from_some_source(played: list[str], sources: list[list[str]]) -> None:
    """Sample by sample one of the qualities, none left out and none twice."""
    assert len(played) == len(sources[0])
    assert all(frame in frames for frame, *frames in zip(played, *sources, strict=True))


def ladder(period: list[Written], wanted: str) -> list[Written]:
    """The Representations of the first set of a kind, from the lowest up; the same of every Period."""
    of_kind = [one for one in period if one.kind == wanted]
    return sorted((one for one in of_kind if one.group == of_kind[0].group), key=lambda one: one.bandwidth)


def wished(rungs: list[Written], wish: str) -> Written:
    return rungs[-1] if wish == "highest" else rungs[0]


def assert_asked_as_written(asked: list[Ask], ladders: list[list[Written]], wish: str) -> None:
    """Period by Period: each segment once and in order, of one Representation or another, its init before it."""
    if wish != "auto":
        expected = [ask for rungs in ladders for ask in wished(rungs, wish).all]
        assert sorted(asked, key=str) == sorted(expected, key=str)
    places = [place for ask in asked if (place := place_of(ask, ladders)) is not None]
    assert places == [(number, at) for number, rungs in enumerate(ladders) for at in range(len(rungs[0].media))]
    for rung in (rung for rungs in ladders for rung in rungs):
        at = [asked.index(ask) for ask in rung.media if ask in asked]
        if at:
            assert asked.count(rung.init) == sum(other.init == rung.init for rungs in ladders for other in rungs)
            assert asked.index(rung.init) < min(at)


def place_of(ask: Ask, ladders: list[list[Written]]) -> tuple[int, int] | None:
    """Number of the Period and of the segment in it; None for an init segment or an index."""
    for number, rungs in enumerate(ladders):
        for rung in rungs:
            if ask in rung.media:
                return number, rung.media.index(ask)
    return None


def clear_digest(mpd: Path, recipe: Recipe, played_of: list[Written], encoders: Encoders) -> str:
    """Of the clear source; of sound from ffmpeg, whose own numbers leave the last frames out, of what can be asked."""
    (first, *more) = played_of
    by_name = first.init.path.partition("/")[0].partition("-")[0].removesuffix(".mp4")
    source = by_name if recipe.tool == "packager" else recipe.tracks[int(first.id)]
    if recipe.tool == "packager" or first.kind == "video":
        return encoders.digest_of(source)
    assert not more
    options = ("-decryption_key", KEY) if recipe.keys else ()
    return encoders.digest(mpd.parent, (first.init, *first.media), options)


@pytest.mark.parametrize("name", UNPLAYABLE)
def test_what_is_not_played_is_refused_in_one_line(name: str, encoders: Encoders, tmp_path: Path) -> None:
    recipe = UNPLAYABLE[name]
    result, _ = asyncio.run(played(recipe.make(encoders, tmp_path / "made"), recipe, FrameSink()))
    assert not result.ended
    assert result.error is not None
    assert result.error.code == "no-tracks"
    assert result.error.message == "/MPD/Period[@id='0']: neither video nor audio in ISO BMFF"


WEBM = (
    '<AdaptationSet id="9" mimeType="video/webm"><SegmentTemplate media="w-$Number$" duration="2"/>'
    '<Representation id="w" bandwidth="900000" codecs="vp09.00.10.08"/></AdaptationSet>'
)


def test_mp4_is_played_where_webm_comes_first(made: Made) -> None:
    folder = made("packager", "number").parent
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    files["x.mpd"] = files["x.mpd"].replace(b"<AdaptationSet", WEBM.encode() + b"<AdaptationSet", 1)
    origin = MemoryOrigin(files)
    result = play(origin, f"http://{HOST}/x.mpd", fast=True, stop_at_s=60)
    assert (result.error, result.ended) == (None, True)
    assert not any("w-" in target for target in origin.asked)


def test_parts_of_a_file_cover_it_without_gap_or_overlap(made: Made) -> None:
    """The second reading itself: index, init and media of one file are the whole file."""
    mpd = made("packager", "one file")
    for one in periods(mpd)[0]:
        if one.kind == "text":
            continue
        parts = sorted(ask.part for ask in one.all if ask.part is not None)
        assert parts[0][0] == 0
        assert all(before[1] + 1 == after[0] for before, after in pairwise(parts))
        assert parts[-1][1] + 1 == (mpd.parent / one.init.path).stat().st_size
