"""The MPD while it is played: where it is asked for, when, what of it comes, and what ends it."""

from __future__ import annotations

import pytest

from player.clock import SECOND
from player.engine.events import ManifestFailed, ManifestLoaded, MpdEventMet, PatchRefused
from player.engine.manifest import Manifest
from player.mpd.parse import parse as read_mpd
from player.stream.events import Ended, SegmentLoaded, Stalled, Started
from player.wire.http import Request
from tests.engine.origins import Answer, emsg, mpd, period, play, segment, video, vod, wall

VALIDITY = "urn:mpeg:dash:event:2012"


def timeline(first: int, count: int) -> str:
    return video(
        duration="",
        timeline=f'<SegmentTimeline><S t="{first * 2000}" d="2000" r="{count - 1}"/></SegmentTimeline>',
        startNumber=str(first),
    )


def growing(at_s: float, **attributes: str) -> str:
    """A timeline that lists what is complete."""
    last = int((60 + at_s) // 2)
    return mpd(period("p", timeline(last - 15, 15), start="PT0S"), publishTime=wall(at_s), **attributes)


def test_a_live_timeline_is_played_without_a_stall() -> None:
    played = play(lambda request, at: growing(at) if ".mpd" in request.target else None)
    assert played.error is None
    assert not played.of(Stalled)
    assert played.of(Ended)[0].played_us == 20 * SECOND
    numbers = [event.number for event in played.of(SegmentLoaded)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


# ── Location ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:R1")
def test_locations_that_point_at_each_other_cost_one_request_a_refresh() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        other = "b" if "a.mpd" in request.target else "a"
        return mpd(f"<Location>http://origin.test/live/{other}.mpd</Location>", period("p", start="PT0S"))

    played = play(answer)
    assert played.error is None
    asked = played.origin.of(".mpd")
    assert len(asked) == pytest.approx(13, abs=2)
    assert asked[1:4] == [f"origin.test/live/{name}.mpd" for name in "aba"]


@pytest.mark.rule("dash:R1")
def test_a_location_that_fails_gives_way_to_the_next_and_at_last_to_where_the_mpd_came_from() -> None:
    places = "<Location>http://dead.test/1.mpd</Location><Location>http://dead.test/2.mpd</Location>"

    def answer(request: Request, at: float) -> Answer:
        if request.host == "dead.test":
            return 503
        return mpd(places, period("p", start="PT0S")) if ".mpd" in request.target else None

    played = play(answer, duration_us=10 * SECOND)
    asked = played.origin.of(".mpd")
    assert asked[:5] == [
        "origin.test/live/x.mpd",
        "dead.test/1.mpd",
        "dead.test/2.mpd",
        "origin.test/live/x.mpd",
        "dead.test/1.mpd",
    ]
    assert played.error is None


# ── validators and old versions ──────────────────────────────────────────────────────────────────────────────────────


def test_an_mpd_that_has_not_changed_is_validated_by_its_date() -> None:
    told: list[str | None] = []

    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        told.append(request.header("if-modified-since"))
        body = mpd(period("p", start="PT0S")).encode()
        return (304, (), b"") if told[-1] else (200, (("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),), body)

    played = play(answer, duration_us=10 * SECOND)
    assert told[0] is None
    assert set(told[1:]) == {"Thu, 01 Jan 2026 00:00:00 GMT"}
    assert len(played.of(ManifestLoaded)) == 1


@pytest.mark.rule("dash:R2")
def test_an_older_mpd_is_not_taken_unless_the_origin_keeps_to_it() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        return growing(at - 10 if 5 < at < 7 else at)

    played = play(answer)
    assert [event.code for event in played.of(ManifestFailed)] == ["stale-mpd"]
    assert not played.of(Stalled)

    kept = play(lambda request, at: growing(at if at < 5 else at - 3) if ".mpd" in request.target else None)
    assert [event.code for event in kept.of(ManifestFailed)].count("stale-mpd") <= 2
    assert kept.of(ManifestLoaded)[-1].version > 5


# ── patches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def patched(at: float, inside: str = "", before: str = "") -> str:
    return (
        '<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" xmlns:d="urn:mpeg:dash:schema:mpd:2011" mpdId="m" '
        f'originalPublishTime="{before}" publishTime="{wall(at)}">{inside}</Patch>'
    )


class Patching:
    """An origin that answers with patches of what each client had last."""

    def __init__(self, lie: str = "", ttl: str = "") -> None:
        self.lie, self.ttl, self.publish, self.last = lie, ttl, "", 0

    def __call__(self, request: Request, at: float) -> Answer:
        count = int((60 + at) // 2)
        if ".patch" in request.target:
            return self.patch(at, count)
        if ".mpd" not in request.target:
            return None
        self.publish, self.last = wall(at), count
        offer = f"<PatchLocation{self.ttl}>x.patch</PatchLocation>"
        return mpd(offer, period("p", timeline(count - 15, 15), start="PT0S"), id="m", publishTime=self.publish)

    def patch(self, at: float, count: int) -> Answer:
        before, added = self.publish, count - self.last
        grow = "".join('<S xmlns="urn:mpeg:dash:schema:mpd:2011" d="2000"/>' for _ in range(added))
        path = "/MPD/Period[1]/AdaptationSet[1]/Representation[1]/SegmentTemplate[1]/SegmentTimeline"
        body = {
            "": patched(at, f'<add sel="{path}">{grow}</add>', before),
            "mismatch": patched(at, "", "2020-01-01T00:00:00Z"),
            "operation": patched(at, '<add sel="/MPD/Period[9]"/>', before),
            "emptied": patched(at, '<remove sel="/MPD/Period[1]"/>', before),
            "back": patched(-60, "", before),
            "html": "<html></html>",
        }.get(self.lie)
        if body is None:
            return 404
        if not self.lie:
            self.publish, self.last = wall(at), count
        return body


@pytest.mark.rule("dash:R3")
def test_a_live_stream_is_refreshed_by_patches_alone() -> None:
    played = play(Patching())
    assert played.error is None
    assert not played.of(PatchRefused)
    assert not played.of(Stalled)
    assert played.origin.count(".mpd") == 1
    assert played.origin.count(".patch") >= 8
    assert played.of(Ended)[0].played_us == 20 * SECOND


@pytest.mark.rule("dash:R3")
@pytest.mark.parametrize("lie", ["mismatch", "operation", "emptied", "back", "html", "gone"])
def test_a_patch_that_lies_is_answered_by_the_whole_mpd_at_once(lie: str) -> None:
    played = play(Patching(lie))
    assert played.error is None
    assert not played.of(Stalled)
    patches, wholes = played.origin.at(".patch"), played.origin.at(".mpd")
    assert len(patches) == len(played.of(PatchRefused))
    assert all(any(0 < whole - at < 0.1 for whole in wholes) for at in patches)
    assert len(wholes) == pytest.approx(12, abs=2)


@pytest.mark.rule("dash:R3")
def test_a_patch_is_not_asked_for_when_its_time_is_over() -> None:
    played = play(Patching(ttl=' ttl="1"'))
    assert played.origin.count(".patch") == 0
    assert not played.of(Stalled)


# ── events that say that the MPD has expired ─────────────────────────────────────────────────────────────────────────

EVENTS = f'<InbandEventStream schemeIdUri="{VALIDITY}" value="1"/>'


def with_events(at: float, message: bytes, count: int = 1) -> bytes:
    return segment(b"".join(emsg(VALIDITY, "1", number, message) for number in range(count)))


@pytest.mark.rule("dash:R4")
def test_an_mpd_without_update_period_is_fetched_when_an_event_in_a_segment_says_so() -> None:
    def answer(request: Request, at: float) -> Answer:
        published = wall(-60) if at < 8 else wall(8)
        if ".mpd" in request.target:
            return mpd(period("p", video(EVENTS), start="PT0S"), minimumUpdatePeriod="PT0S", publishTime=published)
        if ".m4s" in request.target:
            return with_events(at, wall(-60).encode() + b"\0") if 8 < at < 13 else segment()
        return None

    played = play(answer)
    assert played.error is None
    assert played.origin.count(".mpd") == 2
    assert 8 < played.origin.at(".mpd")[1] < 11
    (met,) = {(event.scheme, event.value, event.inband) for event in played.of(MpdEventMet)}
    assert met == (VALIDITY, "1", True)


@pytest.mark.rule("dash:R4")
def test_events_that_never_come_true_make_no_flood() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return mpd(period("p", video(EVENTS), start="PT0S"), minimumUpdatePeriod="PT0S")
        if ".m4s" in request.target:
            return segment(b"".join(emsg(VALIDITY, "1", n, wall(at + n).encode()) for n in range(500)))
        return None

    played = play(answer)
    assert played.error is None
    assert played.origin.count(".mpd") <= 22


@pytest.mark.rule("dash:R4")
def test_event_boxes_that_the_mpd_does_not_speak_of_are_ignored() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return mpd(period("p", start="PT0S"), minimumUpdatePeriod="")
        return with_events(at, b"") if ".m4s" in request.target else None

    played = play(answer, duration_us=8 * SECOND)
    assert not played.of(MpdEventMet)
    assert played.origin.count(".mpd") == 1


def test_an_event_of_the_mpd_is_told_once_with_its_start() -> None:
    stream = (
        '<EventStream schemeIdUri="urn:x" value="v" timescale="1000"><Event id="7" presentationTime="3000" '
        'duration="500">cue</Event></EventStream>'
    )
    played = play(
        lambda request, at: mpd(period("p", stream + video(), start="PT10S")) if ".mpd" in request.target else None,
        duration_us=8 * SECOND,
    )
    assert len(played.of(ManifestLoaded)) > 2
    (event,) = played.of(MpdEventMet)
    assert (event.id, event.start_us, event.duration_us, event.message_bytes) == ("7", 13 * SECOND, 500_000, 3)


# ── the end of a live stream ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:R5")
@pytest.mark.parametrize("how", ["static", "duration", "availabilityEndTime"])
def test_a_live_stream_that_ends_is_played_to_its_end_and_no_longer_refreshed(how: str) -> None:
    whole = period("p", start="PT0S")
    ends = {
        "static": vod(whole, mediaPresentationDuration="PT70S"),
        "duration": mpd(whole, mediaPresentationDuration="PT70S", minimumUpdatePeriod=""),
        "availabilityEndTime": mpd(whole, availabilityEndTime=wall(10)),
    }
    played = play(
        lambda request, at: (ends[how] if at > 5 else mpd(whole)) if ".mpd" in request.target else None,
        duration_us=None,
    )
    assert played.error is None
    (ended,) = played.of(Ended)
    assert ended.ended
    assert ended.position_us == (68 if how == "availabilityEndTime" else 70) * SECOND  # the last one comes too late
    assert len(played.origin.at(".mpd")) <= 6


@pytest.mark.rule("dash:R5")
def test_a_period_that_ends_does_not_end_a_stream_that_goes_on() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        second = period("b", video(folder="w"), start="PT68S") if at > 13 else ""
        return mpd(period("a", start="PT0S", duration="PT68S"), second)

    played = play(answer)
    assert played.error is None
    assert played.of(Ended)[0].position_us > 70 * SECOND
    assert played.origin.count("/w/") >= 3


# ── what is remembered, and where playback starts ────────────────────────────────────────────────────────────────────


def test_a_client_of_a_plain_origin_remembers_nothing_of_what_others_need() -> None:
    played = play(lambda request, at: growing(at) if ".mpd" in request.target else None, wanted=frozenset())
    assert played.machine.upkeep is None
    assert played.machine.stream.played_us == 0


def test_the_target_latency_counts_from_the_capture_where_the_mpd_says_when_that_is() -> None:
    wish = '<ServiceDescription><Latency target="4000"/></ServiceDescription>'
    captured = f'<ProducerReferenceTime id="0" type="captured" wallClockTime="{wall(-61)}" presentationTime="0"/>'

    def starts(inside: str) -> int:
        document = mpd(wish, period("p", video(inside), start="PT0S"), suggestedPresentationDelay="PT9S")
        played = play(lambda request, at: document if ".mpd" in request.target else None, duration_us=4 * SECOND)
        assert played.error is None
        return played.of(Started)[0].position_us

    assert starts("") == pytest.approx(56 * SECOND, abs=SECOND // 10)
    assert starts(captured) - starts("") == pytest.approx(SECOND, abs=1000)


def test_keys_of_an_initialization_set_are_known_before_any_period_names_them() -> None:
    kid = "01234567-89ab-cdef-0123-456789abcdef"
    protection = (
        '<ContentProtection xmlns:cenc="urn:mpeg:cenc:2013" value="cenc" '
        f'schemeIdUri="urn:mpeg:dash:mp4protection:2011" cenc:default_KID="{kid}"/>'
    )
    ahead = f'<InitializationSet id="1" contentType="video">{protection}</InitializationSet>'
    document = read_mpd(mpd(ahead, period("p", start="PT0S")).encode(), "http://origin.test/x.mpd")
    assert [str(one) for p in Manifest(document).protections for one in p.default_kids] == [kid]
