"""What ffmpeg and Shaka Packager push to an origin in real time, played while they write it, and again in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from player.clock import SECOND
from tests.presentations.broadcasts import LIVE
from tests.presentations.encoders import Encoders
from tests.presentations.frames import FrameSink
from tests.presentations.replay import again
from tests.presentations.shows import PLAYED_S, SOURCES, Show, available_us, described, of_kind

pytestmark = pytest.mark.oracle


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
                assert get.at_us >= available_us(body, kind, listed.index(get.path)) - 1000


@pytest.mark.parametrize("name", LIVE)
def test_the_samples_are_those_of_the_source(name: str, shows: Mapping[str, Show], encoders: Encoders) -> None:
    show = shows[name]
    for number, (kind, source) in enumerate(SOURCES.items()):
        played, frames = show.sink.frames[number], encoders.frames(source)
        first = frames.index(played[0])
        assert played == frames[first : first + len(played)], kind
        assert len(played) > 25 * (PLAYED_S - 1)


# ── once more, on the virtual clock ──────────────────────────────────────────────────────────────────────────────────

SKEWS = {"fast": 3 * SECOND, "slow": -3 * SECOND}


@pytest.mark.rule("dash:O2")
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("name", LIVE)
def test_a_wrong_clock_asks_for_nothing_that_is_not_there(
    name: str, skew: str, shows: Mapping[str, Show], encoders: Encoders, tmp_path: Path
) -> None:
    show, sink = shows[name], FrameSink()
    result, origin = again(show, SKEWS[skew], sink, tmp_path / "trace")
    assert result.error is None
    assert result.ended is LIVE[name].ends
    assert [row for row in origin.asked if row[2] != 200] == []
    last = show.origin.whole(f"{name}/x.mpd")[-1].body
    for number, (kind, written) in enumerate(described(show).items()):
        paths = [f"{name}/{ask.path}" for ask in written.media]
        asked = [(at, path) for at, path, _ in origin.asked if path in paths]
        first = paths.index(asked[0][1])
        assert [path for _, path in asked] == paths[first : first + len(asked)]
        frames = encoders.frames(SOURCES[kind])
        began = frames.index(sink.frames[number][0])
        assert sink.frames[number] == frames[began : began + len(sink.frames[number])]
        if b'type="dynamic"' in last:
            early = [path for at, path in asked if at < available_us(last, kind, paths.index(path)) - 1000]
            assert early == []


@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize("name", LIVE)
def test_two_replays_write_the_same_trace(name: str, shows: Mapping[str, Show], tmp_path: Path) -> None:
    traces = [tmp_path / "first", tmp_path / "second"]
    for trace in traces:
        again(shows[name], SKEWS["fast"], FrameSink(), trace)
    first, second = (trace.read_bytes() for trace in traces)
    assert len(first) > 1000
    assert first == second
