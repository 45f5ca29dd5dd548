"""The clock of the presentation: every form of UTCTiming, fallback, and a clock of our own that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.engine.events import ClockSynced
from player.stream.events import Ended, SegmentFailed, SegmentLoaded, Stalled
from player.wire.http import Request
from tests.engine.origins import Answer, Script, mpd, period, play, wall

NTP_US = 2_208_988_800 * SECOND


def timing(form: str, value: str, year: int = 2014) -> str:
    return f'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:{form}:{year}" value="{value}"/>'


def date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(VIRTUAL_EPOCH_US / SECOND + at), UTC), usegmt=True)


def ntp(at: float) -> bytes:
    us = VIRTUAL_EPOCH_US + int(at * SECOND) + NTP_US
    return ((us << 32) // SECOND % (1 << 64)).to_bytes(8, "big")


def clocked(*timings: str, strict: bool = False, dated: bool = False, **more: str) -> Script:
    """An origin with time servers. `strict`: a segment is not there before it is complete."""

    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return mpd(period("p", start="PT0S"), *timings, **more)
        if request.host == "time.test":
            clocks: dict[str, Answer] = {
                "/iso": wall(at),
                "/ntp": ntp(at),
                "/head": (200, (("date", date(at)),), b""),
                "/bad": "yesterday",
            }
            return clocks.get(request.target, 503)
        if strict and request.target.endswith(".m4s"):
            number = int(request.target.rpartition("/")[2].removesuffix(".m4s"))
            if 60 + at < 2 * number + 2:
                return (404, (("date", date(at)),) if dated else (), b"")
        return None

    return answer


@pytest.mark.rule("dash:R10")
@pytest.mark.parametrize("skew_s", [3, -3, 3600])
@pytest.mark.parametrize(
    ("form", "value", "off_s"),
    [
        ("http-iso", "http://time.test/iso", 0.05),
        ("http-xsdate", "http://time.test/iso", 0.05),
        ("http-ntp", "http://time.test/ntp", 0.05),
        ("http-head", "http://time.test/head", 1.05),
        ("http-iso", "http://time.test/none http://time.test/iso", 0.05),
    ],
)
def test_a_skewed_clock_is_set_right(form: str, value: str, off_s: float, skew_s: int) -> None:
    played = play(clocked(timing(form, value)), skew_us=skew_s * SECOND, duration_us=6 * SECOND)
    assert played.error is None
    offset = played.of(ClockSynced)[-1].offset_us + skew_s * SECOND
    assert -off_s * SECOND < offset <= 0  # rather late than early
    assert not played.of(SegmentFailed)


@pytest.mark.rule("dash:R10")
def test_the_mpd_may_write_the_time_itself() -> None:
    played = play(clocked(timing("direct", wall(0))), skew_us=3 * SECOND, duration_us=6 * SECOND)
    assert abs(played.of(ClockSynced)[0].offset_us + 3 * SECOND) < SECOND // 10


@pytest.mark.rule("dash:R10")
def test_descriptors_are_tried_in_order_until_one_answers() -> None:
    timings = (
        timing("sntp", "time.test"),
        timing("direct", "soon"),
        timing("http-iso", "http://time.test/down"),
        timing("http-xsdate", "http://time.test/bad"),
        timing("http-head", "http://time.test/head", 2012),
        timing("http-iso", "http://time.test/iso"),
    )
    played = play(clocked(*timings), duration_us=6 * SECOND)
    assert played.origin.of("time.test") == ["time.test/down", "time.test/bad", "time.test/head"]
    assert [method for _, method, target in played.origin.asked if "head" in target] == ["HEAD"]
    assert len(played.of(ClockSynced)) == 1


@pytest.mark.rule("dash:R10")
def test_where_no_clock_answers_our_own_has_to_do() -> None:
    played = play(clocked(timing("http-iso", "http://time.test/a http://time.test/b")), duration_us=6 * SECOND)
    assert played.error is None
    assert not played.of(ClockSynced)
    assert played.of(Ended)


@pytest.mark.rule("dash:R10")
def test_the_clock_is_set_again_every_ten_minutes() -> None:
    played = play(clocked(timing("http-iso", "http://time.test/iso")), duration_us=650 * SECOND)
    assert played.origin.at("time.test") == pytest.approx([0.03, 600], abs=0.2)


@pytest.mark.rule("dash:R10")
@pytest.mark.parametrize("skew_s", [3.0, -3.0])
def test_without_utc_timing_a_clock_that_is_fast_learns_from_the_servers_date(skew_s: float) -> None:
    origin = clocked(strict=True, dated=True, suggestedPresentationDelay="PT4S")
    played = play(origin, skew_us=int(skew_s * SECOND), duration_us=30 * SECOND)
    assert played.error is None
    assert not played.of(SegmentFailed)
    numbers = [event.number for event in played.of(SegmentLoaded)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(played.of(ClockSynced)) in ((1, 2) if skew_s > 0 else (0,))
    assert len(played.of(Stalled)) <= 1
