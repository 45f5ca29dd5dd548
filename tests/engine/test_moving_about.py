"""Seek, pause, rate and start position in the whole machine, on virtual time; instants and stalls by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, LicenseSpec, Rotation
from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.drm.events import LicenseRequested
from player.drm.plan import ClientPlan
from player.drm.profile import NextPeriodTrigger
from player.eme.events import WaitingForKey
from player.engine.actions import Control, Pause, Resume, Seek, SetRate
from player.engine.machine import Machine
from player.engine.spec import VIRTUAL_CDM, PlayerSpec
from player.engine.window import LIVE as LIVE_EDGE
from player.errors import KeystormError
from player.ids import Pool
from player.runtime.cache import ParseCache
from player.runtime.clock import running_clock
from player.runtime.drive import Drive
from player.runtime.kinds import EVERY_KIND
from player.runtime.links import Link
from player.runtime.memory import MemoryNetwork
from player.runtime.profiles import load_profile
from player.runtime.sinks import HashSink
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from player.stream.events import (
    Ended,
    Paused,
    RateChanged,
    RepresentationChosen,
    Resumed,
    Seeked,
    Seeking,
    SegmentAbandoned,
    SegmentFailed,
    SegmentLoaded,
    Stalled,
    Started,
    TrackOpened,
    Unpaused,
)
from player.stream.profile import AbandonRule, StarvationRule
from player.trace.event import Event
from player.wire.http import Reply, Request, Service

VOD = BackendSpec(content=ContentSpec(form=Form.VOD, tracks=("video-180p", "audio"), rotation=Rotation.NONE), seed=1)
LIVE = BackendSpec(content=ContentSpec(tracks=("video-180p", "audio"), rotation=Rotation.NONE), seed=1)
PERIODS = replace(LIVE, content=replace(LIVE.content, rotation=Rotation.NEW_PERIOD, first_boundary_s=10.0))

FIXED = Link(latency_from_us=20_000, latency_to_us=20_000, bits_per_second=10**9)


@dataclass
class Asked:
    """What was asked of the origin, with instants of the run clock (µs)."""

    inner: Service
    requests: list[tuple[int, str]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)  # of the answers

    def receive(self, request: Request, now: int) -> None:
        self.requests.append((now, request.target))
        self.inner.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        self.inner.gone(request_id, now)

    def replies(self) -> list[Reply]:
        replies = list(self.inner.replies())
        self.statuses |= {reply.status for reply in replies}
        return replies

    def deadline(self) -> int | None:
        return self.inner.deadline()

    def handle_deadline(self, now: int) -> None:
        self.inner.handle_deadline(now)


@dataclass
class Moved:
    machine: Machine
    asked: Asked
    events: list[tuple[int, Event]] = field(default_factory=list)
    error: KeystormError | None = None

    def of(self, *kinds: type[Event]) -> list[tuple[float, Any]]:
        return [(at / SECOND, event) for at, event in self.events if isinstance(event, kinds)]

    def one(self, kind: type[Event]) -> Any:
        ((_, event),) = self.of(kind)
        return event

    def segments(self) -> list[tuple[int, int]]:
        return [(e.track, e.number) for _, e in self.events if isinstance(e, SegmentLoaded)]


Step = tuple[float, Control]


def move(
    backend: BackendSpec,
    *steps: Step,
    stop_at_s: float | None = None,
    look: Callable[[Machine, int], None] = lambda _machine, _now: None,
    link: Link = FIXED,
    wrap: Callable[[Service], Asked] = Asked,
    **player: Any,
) -> Moved:
    """Play, and do each step at its instant; `look` is called with every step and event."""
    return run_virtual(_move(backend, steps, stop_at_s, look, link, wrap, player))


async def _move(
    backend: BackendSpec,
    steps: tuple[Step, ...],
    stop_at_s: float | None,
    look: Callable[[Machine, int], None],
    link: Link,
    wrap: Callable[[Service], Asked],
    player: dict[str, object],
) -> Moved:
    clock = running_clock()
    assert isinstance(clock, VirtualLoop)
    front, urls = in_process(backend, VIRTUAL_EPOCH_US)
    asked = wrap(front)
    network = MemoryNetwork(asked, clock, link)
    live = backend.content.form is Form.LIVE
    given: dict[str, object] = {
        "mpd_url": urls.live_url if live else urls.vod_url,
        "profile": load_profile("ideal"),
        "representation": "lowest",
        "cdm_latency": VIRTUAL_CDM,
        "live_delay_us": 4 * SECOND if live else None,
        "sync_clock": False,
        "plan": ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT),
    }
    pool, draw = Pool(), Draw(1, 0)
    machine = Machine(
        PlayerSpec(**(given | player)),  # type: ignore[arg-type]
        pool,
        draw,
        epoch_us=clock.epoch_us,
        wanted=EVERY_KIND,
    )
    moved = Moved(machine, asked)

    def listen(now: int, event: Event) -> None:
        moved.events.append((now, event))
        look(machine, now)

    def step(control: Control) -> None:
        drive.control(control)
        look(machine, clock.now())

    drive = Drive(
        machine,
        clock=clock,
        fetcher=network.fetcher(0, draw),
        cache=ParseCache(),
        make_cdm=lambda name: make(name, CdmSpec(), pool, clock.epoch_us),
        draw=draw,
        sink=HashSink(),
        listen=listen,
    )
    for at_s, control in steps:
        clock.call_later(at_s, partial(step, control))
    if stop_at_s is not None:
        clock.call_later(stop_at_s, drive.stop)
    moved.error = await drive.run()
    network.close()
    return moved


def at(control: Control, time_s: float) -> Step:
    return time_s, control


def seek(to_s: float, time_s: float) -> Step:
    return time_s, Seek(round(to_s * SECOND))


# ── seek ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P5")
def test_a_seek_within_the_buffer_asks_for_nothing_and_takes_no_time() -> None:
    """The whole clip (16 s) lies within the goal of 30 s: forward and back again."""
    moved = move(VOD, seek(12, 2.0), seek(1, 3.0))
    assert moved.segments() == move(VOD).segments()
    assert [(t, e.to_us, e.position_us) for t, e in moved.of(Seeking)] == [
        (2.0, 12 * SECOND, 2 * SECOND - started(moved)),
        (3.0, 1 * SECOND, 13 * SECOND),
    ]
    assert [(t, e.position_us, e.for_us) for t, e in moved.of(Seeked)] == [(2.0, 12 * SECOND, 0), (3.0, SECOND, 0)]
    assert not moved.of(Stalled)
    ended = moved.one(Ended)
    assert ended.ended
    assert ended.played_us == (2 * SECOND - started(moved)) + 1 * SECOND + 15 * SECOND


def started(moved: Moved) -> int:
    """The instant of the start, µs."""
    ((at_s, event),) = moved.of(Started)
    assert isinstance(event, Started)
    assert event.startup_us == round(at_s * SECOND)
    return event.startup_us


def short(goal_s: float = 4.0, **stream: Any) -> Any:
    """The ideal profile with a short buffer."""
    ideal = load_profile("ideal")
    return replace(ideal, stream=replace(ideal.stream, buffer_goal_s=goal_s, buffer_goal_max_s=goal_s, **stream))


@pytest.mark.rule("dash:P5")
@pytest.mark.rule("O010")
def test_a_seek_out_of_the_buffer_empties_it_and_fetches_from_there_on() -> None:
    """Goal 4 s, segments of 2 s; at 1 s segments 0 to 2 are there, and 5 starts at 10 s."""
    moved = move(VOD, seek(11, 1.0), profile=short())
    video = [number for track, number in moved.segments() if track == 0]
    assert video == [0, 1, 2, 5, 6, 7]
    (seeking,), (seeked,) = moved.of(Seeking), moved.of(Seeked)
    assert (seeking[0], seeked[0]) == (1.0, pytest.approx(1.02, abs=0.002))
    assert seeked[1].for_us == round((seeked[0] - 1.0) * SECOND)
    assert not moved.of(Stalled, Resumed)
    ended = moved.one(Ended)
    assert ended.ended
    assert ended.played_us == 1 * SECOND - started(moved) + 5 * SECOND


def test_a_seek_into_a_segment_under_way_does_not_ask_for_it_again() -> None:
    slow = Link(latency_from_us=20_000, latency_to_us=20_000, bits_per_second=1_000_000)
    whole = move(VOD, link=slow, profile=short())
    (first, *_), loaded = whole.of(Started), whole.of(SegmentLoaded)
    later = next(at_s for at_s, event in loaded if at_s > first[0] + 1)
    moved = move(VOD, seek(5, later - 0.01), link=slow, profile=short())
    assert moved.segments() == sorted(set(moved.segments()), key=moved.segments().index)
    assert len([target for _, target in moved.asked.requests if ".m4s" in target]) == len(moved.segments())


def test_a_second_seek_into_a_segment_under_way_waits_for_it_too() -> None:
    """Both lie in the first segment, of which nothing has come yet when the second is made."""
    moved = move(LIVE, seek(0.561, 0.061), seek(0, 0.061), stop_at_s=3.0)
    (seeked,) = [event for _, event in moved.of(Seeked)]
    assert (seeked.position_us, seeked.for_us) == (61_000, pytest.approx(20_000, abs=1_000))
    assert [number for track, number in moved.segments() if track == 0][1:3] == [0, 1]


@pytest.mark.parametrize("to_s", [16, 99])
def test_a_seek_to_the_end_or_beyond_ends_there(to_s: float) -> None:
    moved = move(VOD, seek(to_s, 1.0))
    ended = moved.one(Ended)
    assert (ended.ended, ended.position_us) == (True, 16 * SECOND)
    assert ended.played_us == SECOND - started(moved)


def test_a_seek_before_there_is_anything_is_where_playback_starts() -> None:
    moved = move(VOD, seek(9, 0.001))
    assert moved.one(Started).position_us == 9 * SECOND
    assert min(number for _, number in moved.segments()) == 4
    assert not moved.of(Seeking)


def test_a_seek_during_start_up_moves_the_start() -> None:
    moved = move(VOD, seek(9, 0.05))
    assert moved.one(Started).position_us == moved.one(Seeked).position_us == 9 * SECOND
    assert moved.one(Ended).played_us == 7 * SECOND


def test_playing_as_fast_as_possible_can_be_sent_elsewhere_too() -> None:
    moved = move(VOD, seek(11, 0.08), as_fast_as_possible=True, profile=short())
    ended = moved.one(Ended)
    assert (ended.ended, moved.segments()[-1][1], moved.one(Seeked).position_us) == (True, 7, 11 * SECOND)


# ── seek in a live stream ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P5")
def test_a_live_seek_stays_in_the_window() -> None:
    """The window is 24 s deep, the live position 2 + 4 s behind the edge, which lies at 24 s + now."""
    moved = move(LIVE, seek(0, 20.0), at(Seek(LIVE_EDGE), 22.0), seek(999, 24.0), stop_at_s=26.0)
    to = [event.to_us for _, event in moved.of(Seeking)]
    assert to == [20 * SECOND, (22 + 24 - 6) * SECOND, (24 + 24 - 6) * SECOND]
    assert not moved.of(SegmentFailed, Stalled)
    assert moved.one(Ended).played_us == 26 * SECOND - started(moved) - waited(moved)


def waited(moved: Moved) -> int:
    return sum(event.for_us for _, event in moved.of(Seeked))


def test_a_seek_into_another_period_opens_it_and_asks_for_its_key_once() -> None:
    """Periods of 8 s from media time 8 s on; back over three boundaries and forward again."""
    moved = move(PERIODS, seek(21, 20.0), seek(38, 24.0), stop_at_s=28.0)
    opened = [(t, e.period) for t, e in moved.of(TrackOpened) if e.track == 0]
    assert [number for _, number in opened] == list(range(len(opened)))
    kids = [event.kids for _, event in moved.of(LicenseRequested)]
    assert len(kids) == len(set(kids))
    assert not moved.of(SegmentFailed)
    assert len(moved.of(Seeked)) == 2


@pytest.mark.rule("O010")
def test_a_seek_away_from_a_missing_key_waits_no_more_and_one_back_waits_again() -> None:
    """The license of the second key is slow: the position stalls at its first sample."""
    content = replace(LIVE.content, rotation=Rotation.IN_BAND, first_boundary_s=10.0, crypto_period_s=16.0)
    late = replace(
        LIVE, content=content, license=LicenseSpec(faults=(Fault(from_s=9, to_s=12, mode="slow", delay_s=20.0),))
    )
    plain = move(late, stop_at_s=20.0)
    (stall,) = plain.of(Stalled)
    boundary_us = stall[1].position_us
    back = boundary_us / SECOND - 3
    moved = move(late, seek(back, stall[0] + 1), seek(boundary_us / SECOND + 0.5, stall[0] + 2), stop_at_s=stall[0] + 5)
    (told,) = moved.of(Resumed)
    assert (told[0], told[1].for_us) == (stall[0] + 1, SECOND + 1_001)
    assert [round(t, 3) for t, _ in moved.of(WaitingForKey)] == [round(stall[0], 3), round(stall[0] + 2, 3)]
    assert [t for t, _ in moved.of(Seeked)] == [stall[0] + 1]
    assert len(moved.of(LicenseRequested)) == len(plain.of(LicenseRequested))
    assert moved.machine.position_us(0) == boundary_us + 500_000


# ── pause ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P6")
def test_a_pause_stands_still_and_is_no_stall() -> None:
    moved = move(VOD, at(Pause(), 2.0), at(Pause(), 2.5), at(Resume(), 5.0), at(Resume(), 5.5))
    position = 2 * SECOND - started(moved)
    assert [(t, e.position_us) for t, e in moved.of(Paused)] == [(2.0, position)]
    assert [(t, e.position_us) for t, e in moved.of(Unpaused)] == [(5.0, position)]
    assert not moved.of(Stalled)
    ((end_s, ended),) = moved.of(Ended)
    assert end_s == pytest.approx(16 + 3 + started(moved) / SECOND)
    assert ended.played_us == 16 * SECOND


def test_a_pause_before_the_start_holds_it_back_and_fetches_ahead() -> None:
    moved = move(VOD, at(Pause(), 0.01), at(Resume(), 4.0))
    assert [t for t, _ in moved.of(Started)] == [4.0]
    assert max(t for t, _ in moved.of(SegmentLoaded)) < 1


def test_a_seek_while_paused_shows_the_place_and_stays_there() -> None:
    moved = move(VOD, at(Pause(), 1.0), seek(9, 2.0), at(Resume(), 4.0), profile=short())
    assert moved.one(Seeked).position_us == moved.one(Unpaused).position_us == 9 * SECOND
    ((end_s, _),) = moved.of(Ended)
    assert end_s == 4.0 + 7


@pytest.mark.rule("dash:P6")
def test_a_live_position_that_has_left_the_window_goes_on_at_its_start() -> None:
    """Paused at 2 s for 40 s; the window starts at 24 + 42 - 24 = 42 s then."""
    moved = move(LIVE, at(Pause(), 2.0), at(Resume(), 42.0), stop_at_s=45.0)
    assert moved.one(Seeking).to_us == 42 * SECOND
    assert not moved.of(SegmentFailed, Stalled)
    short_pause = move(LIVE, at(Pause(), 2.0), at(Resume(), 12.0), stop_at_s=16.0)
    assert not short_pause.of(Seeking, SegmentFailed, Stalled)


# ── rate ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P7")
@pytest.mark.parametrize("rate", [500_000, 750_000, 1_000_000, 1_500_000, 2_000_000])
def test_the_end_comes_when_the_rate_says_so(rate: int) -> None:
    moved = move(VOD, rate=rate)
    ((end_s, ended),) = moved.of(Ended)
    assert round(end_s * SECOND) == started(moved) - (-16 * SECOND * 1_000_000 // rate)
    assert (ended.ended, ended.played_us, ended.position_us) == (True, 16 * SECOND, 16 * SECOND)


@pytest.mark.rule("dash:P7")
def test_a_change_of_rate_counts_from_its_instant() -> None:
    """From the start to 2 s at 1, to 4 s at 2, to the end at 0.5."""
    moved = move(VOD, at(SetRate(2_000_000), 2.0), at(SetRate(500_000), 4.0))
    first = 2 * SECOND - started(moved)
    assert [(t, e.position_us, e.rate) for t, e in moved.of(RateChanged)] == [
        (2.0, first, 2_000_000),
        (4.0, first + 4 * SECOND, 500_000),
    ]
    ((end_s, _),) = moved.of(Ended)
    assert round(end_s * SECOND) == 4 * SECOND + 2 * (16 * SECOND - first - 4 * SECOND)


@pytest.mark.rule("dash:P7")
def test_at_twice_the_rate_a_live_stream_stalls_once_a_segment() -> None:
    """6 s behind the edge, the next segment at the edge: what lies ahead is used up, then 2 s come every 2 s."""
    moved = move(LIVE, at(SetRate(2_000_000), 1.0), stop_at_s=20.0)
    stalls = [(event.cause, event.position_us) for _, event in moved.of(Stalled)]
    assert stalls[0][0] == "network"
    assert all(position % (2 * SECOND) == 0 for _, position in stalls)
    waits = [event.for_us for _, event in moved.of(Resumed)][1:-1]
    assert all(wait == pytest.approx(SECOND, abs=10_000) for wait in waits)


# ── start ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:P9")
@pytest.mark.parametrize(
    ("asked", "position_s"),
    [
        ({}, 18),
        ({"start_us": LIVE_EDGE}, 18),
        ({"start_us": 10 * SECOND}, 10),
        ({"start_us": 90 * SECOND}, 18),
        ({"start_wall_us": VIRTUAL_EPOCH_US - 12 * SECOND}, 12),  # the stream has run for 24 s
        ({"start_wall_us": 0}, 0),
    ],
)
def test_a_live_start_lies_in_the_window(asked: dict[str, Any], position_s: float) -> None:
    moved = move(LIVE, stop_at_s=3.0, **asked)
    assert moved.one(Started).position_us == pytest.approx(position_s * SECOND, abs=100_000)
    assert not moved.of(SegmentFailed)


@pytest.mark.rule("dash:P9")
@pytest.mark.parametrize("asked", [{"start_us": LIVE_EDGE}, {"start_wall_us": VIRTUAL_EPOCH_US}])
def test_what_only_a_live_stream_has_is_refused_elsewhere(asked: dict[str, Any]) -> None:
    error = move(VOD, **asked).error
    assert error is not None
    assert error.code == "usage"


def test_a_start_in_the_middle_plays_from_there() -> None:
    moved = move(VOD, start_us=5 * SECOND, duration_us=4 * SECOND)
    assert moved.one(Started).position_us == 5 * SECOND
    ended = moved.one(Ended)
    assert (ended.position_us, ended.played_us, ended.ended) == (9 * SECOND, 4 * SECOND, False)
    assert min(number for _, number in moved.segments()) == 2


def test_the_duration_counts_what_is_played_not_how_far_one_gets() -> None:
    """4 s of media: up to 2 s on the clock, then from 10 s on."""
    moved = move(VOD, seek(10, 2.0), duration_us=4 * SECOND)
    ended = moved.one(Ended)
    assert ended.played_us == 4 * SECOND
    assert ended.position_us == 10 * SECOND + 4 * SECOND - (2 * SECOND - started(moved))


# ── representations ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_script_changes_the_representation_at_its_media_times() -> None:
    content = replace(VOD.content, tracks=("video-180p", "video-720p", "audio"))
    names = [e.representation for _, e in move(replace(VOD, content=content)).of(RepresentationChosen)]
    low = names[0]
    high = next(
        e.representation
        for _, e in move(replace(VOD, content=content), representation="highest").of(RepresentationChosen)
    )
    moved = move(replace(VOD, content=content), representation=f"script:0={low},6={high},10={low}")
    events = [event for _, event in moved.of(RepresentationChosen, SegmentLoaded) if event.track == 0]
    played: list[tuple[str, int]] = []
    current = ""
    for event in events:
        if isinstance(event, RepresentationChosen):
            current = event.representation
        elif isinstance(event, SegmentLoaded):
            played.append((current, event.start_us // SECOND))
    assert played == [(low, 0), (low, 2), (low, 4), (high, 6), (high, 8), (low, 10), (low, 12), (low, 14)]


@pytest.mark.rule("dash:P4")
def test_a_segment_that_is_too_slow_to_come_is_fetched_on_a_lower_rung_instead() -> None:
    """20 kbit/s: a segment of 12 kB takes five seconds; after three it is given up, and chosen no more."""
    content = replace(VOD.content, tracks=("video-180p", "video-720p", "audio"))
    slow = Link(latency_from_us=20_000, latency_to_us=20_000, bits_per_second=20_000)
    eager = short(
        30.0,
        first_estimate_video_bps=50_000_000,
        trusted_from_bytes=10**9,
        starvation_rule=StarvationRule.LOW_BUFFER,
        starvation_below_s=5.0,
        starvation_over_s=7.0,
        abandon_rule=AbandonRule.REQUEST_LENGTH,
    )
    moved = move(replace(VOD, content=content), profile=eager, representation="auto", link=slow, stop_at_s=20.0)
    ((given_up_s, abandoned), *_) = moved.of(SegmentAbandoned)
    chosen = [(t, e.representation) for t, e in moved.of(RepresentationChosen) if e.track == 0]
    assert (abandoned.track, abandoned.number) == (0, 0)
    assert [name for _, name in chosen[:2]] == ["video-720p", "video-180p"]
    assert chosen[1][0] == given_up_s
    assert given_up_s - chosen[0][0] > 3
    assert moved.segments().count((0, 0)) == 1
