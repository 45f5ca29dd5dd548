"""A day of a live stream on the virtual clock: no wrong request, no stall, and the same bytes of trace each time."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from player.backend.spec import Addressing, BackendSpec, ContentSpec, Rotation
from player.clock import SECOND
from tests.presentations.long_live import HOUR, Watched, watch

MINUTE = 60 * SECOND
FLIGHT = SECOND // 10  # longest way of an answer
MPD = "/live/manifest.mpd"
SKEWS = {"fast": 3 * SECOND, "right": 0, "slow": -3 * SECOND}
STREAMS = {
    "new Periods, timeline, fast clock": (Rotation.NEW_PERIOD, Addressing.TIME, "fast"),
    "keys in the media, numbers, slow clock": (Rotation.IN_BAND, Addressing.NUMBER, "slow"),
    "new Periods, numbers, slow clock": (Rotation.NEW_PERIOD, Addressing.NUMBER, "slow"),
    "keys in the media, timeline, fast clock": (Rotation.IN_BAND, Addressing.TIME, "fast"),
    "keys under a root": (Rotation.HIERARCHY, Addressing.NUMBER, "right"),
}
QUICK = 2


def streams() -> list[object]:
    return [
        pytest.param(*stream, id=name, marks=pytest.mark.long if place >= QUICK else ())
        for place, (name, stream) in enumerate(STREAMS.items())
    ]


def stream(rotation: Rotation, addressing: Addressing) -> BackendSpec:
    """A new key every five minutes."""
    content = ContentSpec(
        tracks=("video-180p", "audio"), rotation=rotation, addressing=addressing, crypto_period_s=300, mpd_refresh_s=4
    )
    return BackendSpec(content=content, seed=1)


def assert_played_without_a_wrong_request(watched: Watched, length_us: int) -> None:
    assert watched.refused() == []
    assert watched.stalls == []
    assert_played(watched, length_us)


def assert_played(watched: Watched, length_us: int) -> None:
    assert watched.error is None
    assert watched.ended is not None
    assert watched.ended.played_us == length_us
    assert sum(target == MPD for _, target, _ in watched.origin.asked) >= length_us // (4 * SECOND)
    for track in ("video-180p", "audio"):
        streams = watched.media(track)
        assert sum(map(len, streams)) >= length_us // (2 * SECOND)
        for media in streams:
            assert len(media) == len(set(media))
            assert_none_left_out(media)


def assert_none_left_out(media: list[str]) -> None:
    """By number: each follows the one before; by time: two seconds, give or take a frame of sound."""
    names = [int(found[1]) for target in media if (found := re.search(r"(\d+)\.m4s", target))]
    steps = [after - before for before, after in pairwise(names)]
    assert min(steps) > 0
    assert max(steps) - min(steps) <= 1024 * ("time-" in media[0])


@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize(("rotation", "addressing", "skew"), streams())
def test_half_an_hour_after_a_day(rotation: Rotation, addressing: Addressing, skew: str) -> None:
    length = 30 * MINUTE
    watched = watch(stream(rotation, addressing), hours_before=23, length_us=length, skew_us=SKEWS[skew])
    assert_played_without_a_wrong_request(watched, length)


@pytest.mark.rule("dash:O3")
def test_the_same_half_hour_gives_the_same_trace() -> None:
    first, again = (
        watch(stream(Rotation.NEW_PERIOD, Addressing.TIME), hours_before=23, length_us=6 * MINUTE, skew_us=-1)
        for _ in range(2)
    )
    assert first.trace_bytes > 50_000
    assert (first.trace, first.trace_bytes) == (again.trace, again.trace_bytes)
    assert first.origin.asked == again.origin.asked


def test_without_the_time_from_the_origin_a_fast_clock_asks_too_early() -> None:
    """The origin does refuse what is not there yet: it is the clock's correction that the others show."""
    spec = stream(Rotation.IN_BAND, Addressing.NUMBER)
    watched = watch(spec, hours_before=23, length_us=MINUTE, skew_us=3 * SECOND, sync_clock=False)
    assert watched.refused()


OUTAGES = [(minute * MINUTE, minute * MINUTE + 3 * SECOND) for minute in (1, 4, 6, 9)]


@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize("skew", ["fast", "slow"])
def test_an_origin_that_goes_away_for_seconds_and_comes_back(skew: str) -> None:
    length = 12 * MINUTE
    spec = stream(Rotation.NEW_PERIOD, Addressing.TIME)
    watched = watch(spec, hours_before=23, length_us=length, skew_us=SKEWS[skew], down=OUTAGES)
    assert_played_without_a_wrong_request(watched, length)


def assert_refused_only_until_the_restart_was_seen(watched: Watched) -> None:
    """What the old stream promised is asked for until the next refresh tells of the new one."""
    for since, stream in watched.origin.streams:
        seen = min(at for at, target, status in stream.asked if target == MPD and status == 200)
        assert [row for row in stream.asked if row[2] >= 400 and row[0] > seen + FLIGHT] == []
        assert seen - max(since, 0) <= 5 * SECOND


@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize(("rotation", "addressing", "skew"), streams())
def test_an_origin_that_begins_anew(rotation: Rotation, addressing: Addressing, skew: str) -> None:
    length, restarts = 12 * MINUTE, [4 * MINUTE + 777_777, 9 * MINUTE + 33]
    down = [(at - 2 * SECOND, at) for at in restarts]
    spec = stream(rotation, addressing)
    watched = watch(spec, hours_before=23, length_us=length, skew_us=SKEWS[skew], down=down, restarts=restarts)
    assert_refused_only_until_the_restart_was_seen(watched)
    assert_played(watched, length)
    assert len(watched.stalls) <= len(restarts)


@pytest.mark.long(25)
@pytest.mark.rule("dash:O3")
@pytest.mark.parametrize(("rotation", "addressing", "skew"), streams()[:QUICK])
def test_twenty_four_hours_twice(rotation: Rotation, addressing: Addressing, skew: str) -> None:
    length, restarts = 24 * HOUR, [6 * HOUR + 777_777, 13 * HOUR + 33, 20 * HOUR - 1]
    gone = [(at - 2 * SECOND, at) for at in restarts]
    down = [*gone, *((hour * HOUR + 100 * SECOND, hour * HOUR + 103 * SECOND) for hour in range(24))]
    first, again = (
        watch(
            stream(rotation, addressing),
            hours_before=0,
            length_us=length,
            skew_us=SKEWS[skew],
            down=down,
            restarts=restarts,
        )
        for _ in range(2)
    )
    assert_refused_only_until_the_restart_was_seen(first)
    assert_played(first, length)
    assert len(first.stalls) <= len(restarts)
    assert (first.trace, first.trace_bytes) == (again.trace, again.trace_bytes)
