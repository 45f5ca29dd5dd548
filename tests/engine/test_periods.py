"""Periods that come, go and change, remote ones among them, and origins that begin anew."""

from __future__ import annotations

import pytest

from player.clock import SECOND
from player.engine.events import ManifestFailed, PlaybackFailed, PresentationRestarted, RemoteElementFailed
from player.stream.events import Ended, SegmentLoaded, Stalled, TrackOpened
from player.wire.http import Request
from tests.engine.origins import Answer, Played, Script, mpd, period, play, video, vod, wall

CONTINUITY = "urn:mpeg:dash:period-continuity:2015"
CONNECTIVITY = "urn:mpeg:dash:period-connectivity:2015"


def once(document: str, **more: Answer) -> Script:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return document
        return more.get(request.target[1:]) if request.host == "ads.test" else None

    return answer


def rush(document: str, **more: Answer) -> Played:
    return play(once(document, **more), as_fast_as_possible=True)


# ── transitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:R6")
@pytest.mark.parametrize(("scheme", "inits"), [(CONTINUITY, 1), (CONNECTIVITY, 1), ("urn:other", 2)])
def test_a_period_that_continues_another_needs_no_init_segment_of_its_own(scheme: str, inits: int) -> None:
    goes_on = video(extra=f'<SupplementalProperty schemeIdUri="{scheme}" value="a"/>')
    played = rush(vod(period("a", duration="PT4S"), period("b", goes_on, duration="PT4S")))
    assert played.error is None
    assert played.origin.count("init.mp4") == inits
    assert played.of(Ended)[0].played_us == 8 * SECOND


@pytest.mark.rule("dash:R6")
def test_a_set_that_is_missing_in_one_period_holds_nothing_back() -> None:
    both = video() + video(kind="audio", folder="s")
    document = vod(period("a", both, duration="PT4S"), period("b", duration="PT8S"), period("c", both, duration="PT4S"))
    played = play(once(document), duration_us=None)
    assert not played.of(Stalled)
    assert played.of(Ended)[0].played_us == 16 * SECOND
    assert [(e.track, e.start_us // SECOND) for e in played.of(SegmentLoaded) if e.track == 1] == [
        (1, 0), (1, 2), (1, 12), (1, 14),
    ]  # fmt: skip


@pytest.mark.rule("dash:R6")
def test_a_set_that_begins_with_a_later_period_is_played() -> None:
    document = vod(
        period("a", duration="PT4S"), period("b", video() + video(kind="audio", folder="s"), duration="PT4S")
    )
    played = play(once(document), duration_us=None)
    assert played.error is None
    assert [(event.track, event.kind, event.period) for event in played.of(TrackOpened)] == [
        (0, "video", 0),
        (0, "video", 1),
        (1, "audio", 1),
    ]
    assert played.origin.count("/s/") == 3
    assert not played.of(Stalled)


@pytest.mark.rule("dash:R6")
def test_a_period_that_has_left_the_mpd_is_played_up_to_the_next_one() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        second = period("b", video(folder="w"), start="PT64S")
        return mpd(second if at > 5 else period("a", start="PT0S") + (second if at > 4.5 else ""))

    played = play(answer)
    assert played.error is None
    assert not played.of(Stalled)
    numbers = sorted({event.start_us // SECOND for event in played.of(SegmentLoaded)})
    assert numbers == list(range(numbers[0], numbers[0] + 2 * len(numbers), 2))
    assert played.of(Ended)[0].played_us == 20 * SECOND


def test_an_early_available_period_is_played_once_it_has_a_start() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        first, start = ({"duration": "PT66S"}, {"start": "PT66S"}) if at > 3 else ({}, {})
        return mpd(period("a", start="PT0S", **first), period("b", video(folder="w"), **start))

    played = play(answer)
    assert played.error is None
    assert played.origin.count("/w/init.mp4") == 1
    assert not played.of(Stalled)


# ── remote elements ──────────────────────────────────────────────────────────────────────────────────────────────────


def link(path: str, *, on_load: bool = True, **attributes: str) -> str:
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    actuate = ' xlink:actuate="onLoad"' if on_load else ""
    return f'<Period xlink:href="http://ads.test/{path}"{actuate}{written}/>'


@pytest.mark.rule("dash:R7")
def test_remote_periods_are_put_in_their_place_before_playback_begins() -> None:
    ad = period("ad", video(folder="ad"), duration="PT4S")
    played = rush(vod(link("one"), period("a", duration="PT4S"), link("two")), one=ad, two=ad.replace("ad", "en"))
    assert played.error is None
    assert [target.split("/")[2] for target in played.origin.of("init.mp4")] == ["ad", "v", "en"]
    assert played.of(Ended)[0].played_us == 12 * SECOND


@pytest.mark.rule("dash:R7")
def test_a_period_on_request_is_fetched_when_playback_comes_near() -> None:
    document = vod(
        period("a", duration="PT60S"), link("late", on_load=False, duration="PT4S"), period("c", duration="PT4S")
    )
    late = period("late", video(folder="late"), duration="PT4S")
    played = play(once(document, late=late), duration_us=None)
    (asked,) = played.origin.at("ads.test/late")
    assert 5 < asked < 55
    assert played.of(Ended)[0].played_us == 68 * SECOND
    assert not played.of(Stalled)


@pytest.mark.rule("dash:R7")
@pytest.mark.parametrize("answer", [404, "no XML", "<Other/>", ""])
def test_what_cannot_be_had_stays_as_it_is_written(answer: Answer) -> None:
    document = vod(period("a", duration="PT4S"), link("gone"), period("b", duration="PT4S", start="PT4S"))
    played = rush(document, gone=answer)
    assert played.error is None
    assert played.of(Ended)[0].played_us == 8 * SECOND
    assert played.origin.count("ads.test") == 1


@pytest.mark.rule("dash:R7")
def test_links_within_links_end_with_one_clear_error() -> None:
    again = (
        '<Period xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="http://ads.test/loop" xlink:actuate="onLoad"/>'
    )
    played = rush(vod(link("loop"), period("a", duration="PT4S", start="PT0S")), loop=again)
    assert [event.code for event in played.of(RemoteElementFailed)] == ["remote-loop"]
    assert played.origin.count("ads.test") == 1
    assert played.of(Ended)[0].played_us == 4 * SECOND

    only = rush(vod(link("loop")), loop=again)
    assert [event.code for event in only.of(PlaybackFailed)] == ["nothing-to-play"]


@pytest.mark.rule("dash:R7")
def test_links_that_breed_links_stay_within_bounds() -> None:
    bred = "".join(
        f'<Period xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="http://ads.test/breed{n}" '
        'xlink:actuate="onLoad"/>'
        for n in range(100)
    )
    played = rush(vod(link("breed0"), period("a", duration="PT4S", start="PT0S")), breed0=bred)
    assert played.origin.count("ads.test") == 100
    assert played.of(Ended)[0].played_us == 4 * SECOND
    assert played.of(RemoteElementFailed)


# ── origins that begin anew ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:R8")
def test_playback_goes_on_when_the_origin_begins_anew() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            if at < 6:
                return mpd(period("p", start="PT0S"))
            return mpd(period("p", start="PT0S"), availabilityStartTime=wall(0), publishTime=wall(6))
        return None

    played = play(answer)
    assert played.error is None
    (restarted,) = played.of(PresentationRestarted)
    assert restarted.moved_us == -60 * SECOND
    assert not played.of(Stalled)
    assert played.of(Ended)[0].played_us == 20 * SECOND
    starts = [event.start_us // SECOND for event in played.of(SegmentLoaded)]
    assert starts[-1] < 30


@pytest.mark.rule("dash:R8")
def test_what_the_origin_did_not_make_meanwhile_is_a_gap() -> None:
    def answer(request: Request, at: float) -> Answer:
        if at < 6:
            return mpd(period("p", start="PT0S")) if ".mpd" in request.target else None
        if at < 12:
            return 503
        whole = mpd(period("p", start="PT0S"), availabilityStartTime=wall(10), publishTime=wall(10))
        return whole if ".mpd" in request.target else None

    played = play(answer, duration_us=30 * SECOND)
    assert played.error is None
    assert len(played.of(PresentationRestarted)) == 1
    assert played.machine.stream.lost_us > 2 * SECOND
    assert played.of(Ended)[0].played_us == 30 * SECOND


@pytest.mark.rule("dash:R8")
def test_a_small_correction_of_the_start_is_no_restart() -> None:
    played = play(
        lambda request, at: (
            mpd(period("p", start="PT0S"), availabilityStartTime=wall(-60 + (at > 5) * 0.04))
            if ".mpd" in request.target
            else None
        )
    )
    assert not played.of(PresentationRestarted)
    numbers = [event.number for event in played.of(SegmentLoaded)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.rule("dash:R8")
def test_an_origin_that_begins_anew_without_a_track_ends_with_one_clear_error() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        if at < 6:
            return mpd(period("p", start="PT0S"))
        audio = video(kind="audio")
        return mpd(period("p", audio, start="PT0S"), availabilityStartTime=wall(0), publishTime=wall(6))

    played = play(answer)
    assert [event.code for event in played.of(PlaybackFailed)] == ["restarted"]


@pytest.mark.rule("dash:R8")
def test_a_timeline_that_begins_again_is_played_from_its_live_edge() -> None:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" not in request.target:
            return None
        last = int((60 + at) // 2) if at < 6 else int(at // 2)
        first = max(0, last - 15)
        runs = f'<SegmentTimeline><S t="{first * 2000}" d="2000" r="{last - first - 1}"/></SegmentTimeline>'
        whole = video(duration="", timeline=runs, startNumber=str(first))
        return mpd(period("p", whole, start="PT0S"), publishTime=wall(at))

    played = play(answer)
    assert played.error is None
    assert len(played.of(PresentationRestarted)) == 1
    assert played.of(Ended)[0].played_us == 20 * SECOND


def test_a_refresh_that_leaves_nothing_to_play_leaves_the_last_mpd_in_force() -> None:
    far = link("far", on_load=False, start="PT3600S")
    played = play(
        lambda request, at: mpd(far if at > 5 else period("p", start="PT0S")) if ".mpd" in request.target else None
    )
    assert played.error is None
    assert {event.code for event in played.of(ManifestFailed)} == {"no-periods"}
    assert played.of(Ended)[0].played_us == 20 * SECOND
