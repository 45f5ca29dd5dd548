"""The track buffer's ends, and the choice of quality."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.clock import SECOND, us
from player.engine.profile import Profile, parse
from player.errors import UsageError
from player.isobmff.model import Fragment
from player.isobmff.sample import Sample
from player.isobmff.samples import Samples
from player.mpd.model import Representation, SegmentBase
from player.stream import buffer, choice, ladder
from player.stream.buffer import FOREVER, Pending, TrackBuffer
from player.stream.choice import NOTHING_REMEMBERED, Estimate
from player.stream.starvation import View


@cache
def ideal() -> Profile:
    return parse((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))


def fragment(start: int, count: int, ticks: int = 1000) -> Fragment:
    samples = Samples.of(Sample(10 * n, 10, ticks, None, b"", ()) for n in range(count))
    return Fragment(track_id=1, timescale=25_000, decode_time=start, data=(0, 10 * count), samples=samples, kids=())


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.data())
def test_the_ready_end_follows_the_clear_samples_and_never_moves_back(counts: list[int], data: st.DataObject) -> None:
    track: TrackBuffer[object] = TrackBuffer(0, 0)
    start_us, total = 0, 0
    for count in counts:
        piece = fragment(start_us * 25 // 1000, count)
        track.push(Pending(piece, None, start_us, 0), start_us + count * 40_000)
        start_us += count * 40_000
        total += count
    assert track.loaded_us == total * 40_000
    released = 0
    while track.pending:
        head = track.pending[0]
        step = data.draw(st.integers(1, len(head.fragment.samples) - head.start))
        track.clear(step)
        released += step
        assert track.ready_us == released * 40_000
    assert track.ready_us == track.loaded_us


def test_the_edge_is_the_least_end_and_a_finished_track_holds_nothing_back() -> None:
    video: TrackBuffer[object] = TrackBuffer(0, 0)
    audio: TrackBuffer[object] = TrackBuffer(1, 0)
    video.ready_us, audio.ready_us = 10 * SECOND, 12 * SECOND
    assert buffer.edge((video, audio)) == 10 * SECOND
    video.ended = True
    assert buffer.edge((video, audio)) == 12 * SECOND
    audio.ended = True
    assert buffer.edge((video, audio)) == buffer.end((video, audio)) == 12 * SECOND


def test_dropping_what_is_not_ready_begins_again_at_the_ready_end() -> None:
    track: TrackBuffer[object] = TrackBuffer(0, 0)
    track.push(Pending(fragment(0, 50), None, 0, 0), 2 * SECOND)
    track.clear(25)
    track.drop_unready()
    assert (track.ready_us, track.loaded_us, track.pending) == (SECOND, SECOND, ())


def rung(name: str, bandwidth: int) -> Representation:
    source = SegmentBase(timescale=1, presentation_time_offset=0, initialization=None, index_range=None)
    return Representation(
        id=name, bandwidth=bandwidth, mime_type="video/mp4", codecs="avc1", base_urls=("http://x/",), source=source
    )


LADDER = (rung("low", 300_000), rung("mid", 900_000), rung("high", 3_000_000))


@pytest.mark.parametrize(
    ("wish", "at_s", "expected"),
    [
        ("highest", 0, "high"),
        ("lowest", 0, "low"),
        ("mid", 0, "mid"),
        ("auto", 0, None),
        ("unheard-of", 0, None),
        ("script:2=low,12=high,20=elsewhere", 0, None),
        ("script:2=low,12=high,20=elsewhere", 2, "low"),
        ("script:2=low,12=high,20=elsewhere", 11.9, "low"),
        ("script:2=low,12=high,20=elsewhere", 12, "high"),
        ("script:2=low,12=high,20=elsewhere", 20, "high"),  # that step is for a track that has such a rung
    ],
)
def test_a_wish_names_a_rung_and_a_script_one_at_each_media_time(wish: str, at_s: float, expected: str | None) -> None:
    rung = ladder.named(LADDER, wish, us(at_s))
    assert (None if rung is None else rung.id) == expected


@pytest.mark.parametrize(
    "wish", ["script:", "script:0", "script:x=low", "script:-1=low", "script:5=low,5=mid", "script:1="]
)
def test_a_script_that_means_nothing_is_refused(wish: str) -> None:
    with pytest.raises(UsageError, match="script"):
        ladder.script(wish)


def test_the_ladder_is_ordered_by_quality_ranking_where_every_rung_has_one() -> None:
    ranked = [replace(rung, quality=quality) for rung, quality in zip(LADDER, (1, 3, 2), strict=True)]
    assert [rung.id for rung in ladder.ordered(ranked)] == ["mid", "high", "low"]
    assert [rung.id for rung in ladder.ordered((*ranked[1:], LADDER[0]))] == ["low", "mid", "high"]


@given(st.floats(0, 1e8))
def test_throughput_chooses_the_highest_rung_it_can_carry(rate: float) -> None:
    rules = ideal().stream
    view = View(rate=rate, buffer_s=10, segment_s=2, current=None)
    chosen = LADDER[choice.pick(LADDER, view, NOTHING_REMEMBERED, rules)]
    assert chosen.bandwidth <= max(rate * rules.factor_up, 300_000)
    better = [r for r in LADDER if r.bandwidth > chosen.bandwidth]
    assert all(r.bandwidth > rate * rules.factor_up for r in better)


def test_the_estimate_settles_on_a_steady_rate_and_ignores_small_fetches() -> None:
    rules, estimate = ideal().stream, Estimate()
    assert choice.throughput(estimate, "video", rules) == rules.first_estimate_video_bps
    estimate = choice.measured(estimate, rules.sample_min_bytes - 1, SECOND, rules)
    assert estimate == Estimate()
    for _ in range(40):
        estimate = choice.measured(estimate, 250_000, SECOND, rules)
    assert abs(choice.throughput(estimate, "video", rules) - 2_000_000) < 20_000


def test_a_fetch_too_fast_to_measure_gives_a_finite_rate() -> None:
    estimate = choice.measured(Estimate(), 1_000_000, 0, ideal().stream)
    assert 0 < choice.throughput(estimate, "video", ideal().stream) < 1e12


def test_forever_lies_beyond_any_run() -> None:
    assert FOREVER > 1000 * 365 * 24 * 3600 * SECOND
