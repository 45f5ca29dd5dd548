"""The track buffer's ends, and the choice of quality."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from player.clock import SECOND
from player.engine.profile import Profile, parse
from player.isobmff.model import Fragment
from player.isobmff.sample import Sample
from player.isobmff.samples import Samples
from player.mpd.model import Representation, SegmentBase
from player.stream import buffer, choice
from player.stream.buffer import FOREVER, Pending, TrackBuffer
from player.stream.choice import Estimate


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


def test_a_wish_wins_over_throughput() -> None:
    rules = ideal().stream
    assert choice.pick(LADDER, "highest", 0, None, rules).id == "high"
    assert choice.pick(LADDER, "lowest", 1e9, None, rules).id == "low"
    assert choice.pick(LADDER, "mid", 1e9, None, rules).id == "mid"
    assert choice.pick(LADDER, "unheard-of", 1_200_000, None, rules).id == "mid"


@given(st.floats(0, 1e8))
def test_throughput_chooses_the_highest_rung_it_can_carry(rate: float) -> None:
    rules = ideal().stream
    chosen = choice.pick(LADDER, "auto", rate, None, rules)
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
