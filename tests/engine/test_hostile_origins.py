"""An origin that answers anything at any time: playback ends in bounded time, with at most one clear error."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.clock import SECOND
from player.engine.events import PlaybackFailed
from player.stream.events import Ended
from player.wire.http import Request
from tests.engine.origins import Answer, emsg, mpd, period, play, segment, video, vod, wall

VALIDITY = "urn:mpeg:dash:event:2012"
INBAND = f'<InbandEventStream schemeIdUri="{VALIDITY}" value="1"/>'
TIMING = '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="http://t.test/1 http://t.test/2"/>'
STEER = '<ContentSteering queryBeforeStart="true">http://s.test/x</ContentSteering>'
BASES = '<BaseURL serviceLocation="a">http://a.test/</BaseURL><BaseURL serviceLocation="b">http://b.test/</BaseURL>'
PATCH = "<PatchLocation>http://p.test/x.patch</PatchLocation>"
LINK = '<Period xlink:href="http://l.test/1" {}/>'
MOVED = "<Location>http://m.test/1.mpd</Location><Location>http://origin.test/live/x.mpd</Location>"


def times(first: int, count: int, *, offset: int = 0) -> str:
    runs = f'<SegmentTimeline><S t="{first * 2000}" d="2000" r="{count - 1}"/></SegmentTimeline>'
    return video(duration="", timeline=runs, startNumber=str(first), presentationTimeOffset=str(offset))


SETS = st.sampled_from(
    [
        video(),
        video(INBAND),
        video() + video(kind="audio", folder="s"),
        video(folder="w"),
        video(kind="audio", folder="s"),
        times(25, 15),
        times(0, 5),
        times(30, 10, offset=60_000),
    ]
)
PERIODS = st.one_of(
    st.builds(lambda sets, start: period("a", sets, start=f"PT{start}S"), SETS, st.sampled_from([0, 10, 55])),
    st.builds(lambda sets, start: period("b", sets, start=f"PT{start}S"), SETS, st.sampled_from([60, 66])),
    st.builds(lambda sets: period("c", sets, duration="PT4S"), SETS),
    st.sampled_from([LINK.format('xlink:actuate="onLoad"'), LINK.format('start="PT66S"'), LINK.format("")]),
)
EXTRAS = st.lists(st.sampled_from([TIMING, STEER, BASES, PATCH, MOVED]), max_size=4, unique=True).map("".join)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "minimumUpdatePeriod": st.sampled_from(["PT0S", "PT1S", ""]),
        "availabilityStartTime": st.sampled_from([wall(-60), wall(-3600), wall(0), wall(60)]),
        "publishTime": st.sampled_from([wall(-60), wall(0), wall(10), ""]),
        "availabilityEndTime": st.sampled_from([wall(5), wall(-100)]),
        "mediaPresentationDuration": st.sampled_from(["PT64S", "PT70S"]),
        "id": st.just("m"),
    },
)
DOCUMENTS = st.builds(
    lambda form, extras, periods, attributes: form(extras, *periods, **attributes),
    st.sampled_from([mpd, mpd, mpd, vod]),
    EXTRAS,
    st.lists(PERIODS, min_size=1, max_size=3),
    ATTRIBUTES,
)
FAULTS = st.sampled_from([404, 503, 0, 304, "", "<html/>", "{}", b"\0\0\0\1", (200, (("etag", "x"),), b"<MPD/>")])
SMALL = st.sampled_from(
    [
        period("r", video(folder="r"), duration="PT4S"),
        LINK.format('xmlns:xlink="http://www.w3.org/1999/xlink" xlink:actuate="onLoad"'),
        json.dumps({"VERSION": 1, "TTL": 0, "PATHWAY-PRIORITY": ["b", "a"]}),
        json.dumps({"VERSION": 1, "RELOAD-URI": "http://[", "PATHWAY-PRIORITY": ["c"]}),
        wall(3),
        wall(-5000),
        segment(emsg(VALIDITY, "1", 1, wall(500).encode()) + emsg(VALIDITY, "3", 2, b"\xff")),
        segment(emsg(VALIDITY, "1", 1, b"", delta=1 << 31)),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=5),
    small=st.lists(st.one_of(SMALL, FAULTS, st.none()), min_size=1, max_size=6),
    faulty=st.sets(st.integers(0, 200), max_size=20),
)
def test_whatever_an_origin_answers_playback_ends_in_bounds(
    documents: list[str], small: list[Answer], faulty: set[int]
) -> None:
    count = iter(range(1_000_000))

    def answer(request: Request, at: float) -> Answer:
        number = next(count)
        if number and number in faulty:
            return small[number % len(small)]
        if ".mpd" in request.target:
            return documents[min(int(at) // 5, len(documents) - 1)]
        if request.host[0] in "tslp":
            return small[number % len(small)]
        return None

    played = play(answer, duration_us=15 * SECOND, stop_at_s=60)
    assert len(played.origin.asked) < 400
    assert len(played.of(Ended)) <= 1
    assert len(played.of(PlaybackFailed)) == (played.error is not None)
    if played.error is not None:
        assert played.error.code
        assert "\n" not in str(played.error)
