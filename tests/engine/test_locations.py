"""Alternatives for where resources lie: failover, priority and weight, and a steering server that says what is best."""

from __future__ import annotations

import json

import pytest

from player.clock import SECOND
from player.engine.events import LocationChosen, LocationExcluded, Steered, SteeringFailed
from player.stream.events import Ended, SegmentFailed, SegmentLoaded, Stalled
from player.wire.http import Request
from tests.engine.origins import Answer, Played, Script, mpd, period, play, video, vod

DVB = 'xmlns:dvb="urn:dvb:dash:dash-extensions:2014-1"'
THREE = "".join(f'<BaseURL serviceLocation="{name}">http://{name}.test/</BaseURL>' for name in "abc")


def weighted(**given: tuple[int, int]) -> str:
    return "".join(
        f'<BaseURL {DVB} serviceLocation="{name}" dvb:priority="{priority}" dvb:weight="{weight}">'
        f"http://{name}.test/</BaseURL>"
        for name, (priority, weight) in given.items()
    )


def hosts(played: Played, part: str = ".m4s") -> str:
    """The first letter of the host of each request, in order."""
    return "".join(target[0] for target in played.origin.of(part))


def served(document: str, failing: str = "", status: int = 503, from_s: float = 0, to_s: float = 1e9) -> Script:
    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return document
        return status if request.host[0] in failing and from_s <= at < to_s else None

    return answer


def live(bases: str = THREE, **attributes: str) -> str:
    return mpd(bases, period("p", start="PT0S"), **attributes)


# ── failover ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("dash:R9")
def test_the_first_location_is_used_while_it_works() -> None:
    played = play(served(live()))
    assert set(hosts(played)) == {"a"}
    assert [event.location for event in played.of(LocationChosen)] == ["a"]


@pytest.mark.rule("dash:R9")
@pytest.mark.parametrize("status", [503, 403, 404, 0])
def test_segments_go_on_under_another_location_at_once(status: int) -> None:
    played = play(served(live(), failing="a", status=status, from_s=5))
    assert played.error is None
    assert not played.of(Stalled)
    assert not played.of(SegmentFailed)
    (excluded,) = played.of(LocationExcluded)
    assert excluded.location == "a"
    assert played.of(LocationChosen)[-1].failovers == 1
    assert hosts(played).rstrip("b").rstrip("a") == ""


@pytest.mark.rule("dash:R9")
def test_init_segments_fail_over_as_well() -> None:
    played = play(served(vod(THREE, period("p", duration="PT4S")), failing="ab"), as_fast_as_possible=True)
    assert played.error is None
    assert hosts(played, "init.mp4") == "abc"
    assert set(hosts(played)) == {"c"}


@pytest.mark.rule("dash:R9")
def test_a_location_comes_back_after_a_minute() -> None:
    played = play(
        served(vod(THREE, period("p", duration="PT200S")), failing="a", from_s=0, to_s=5),
        duration_us=100 * SECOND,
    )
    excluded, used = played.of(LocationExcluded), hosts(played)
    assert [event.location for event in excluded] == ["a"]
    assert 60 * SECOND < excluded[0].until_us < 61 * SECOND
    assert set(used) == {"b"}  # and nobody leaves a location that works

    both = play(
        served(vod(THREE, period("p", duration="PT200S")), failing="bc", from_s=62),
        duration_us=100 * SECOND,
    )
    assert set(hosts(both)) == {"a"}


@pytest.mark.rule("dash:R9")
def test_when_every_location_fails_the_ordinary_law_of_retries_holds() -> None:
    document = vod(THREE, period("p", duration="PT20S"))
    played = play(served(document, failing="abc"), as_fast_as_possible=True)
    assert played.error is not None
    assert played.error.code == "http-status"
    assert len(played.origin.of("init.mp4")) <= 6

    outage = play(served(live(), failing="abc", from_s=5, to_s=9), duration_us=30 * SECOND)
    assert outage.error is None
    numbers = [event.number for event in outage.of(SegmentLoaded)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.rule("dash:R9")
def test_a_segment_that_is_not_there_yet_is_no_fault_of_its_location() -> None:
    missed: set[str] = set()

    def answer(request: Request, at: float) -> Answer:
        if ".mpd" in request.target:
            return live()
        if request.target.endswith("/29.m4s") and request.host not in missed:
            missed.add(request.host)
            return 404
        return None

    played = play(answer)
    assert not played.of(LocationExcluded)
    assert set(hosts(played)) == {"a"}


@pytest.mark.rule("dash:R9")
def test_priority_and_weight_decide_and_the_draw_is_the_clients_own() -> None:
    document = live(weighted(a=(2, 1), b=(1, 0), c=(1, 9)))
    first, again = (play(served(document), duration_us=8 * SECOND) for _ in range(2))
    assert set(hosts(first)) == {"c"}
    assert [repr(event) for event in first.events] == [repr(event) for event in again.events]
    failing = play(served(document, failing="c"), duration_us=8 * SECOND)
    assert set(hosts(failing)) == {"b"}
    failing = play(served(document, failing="cb"), duration_us=8 * SECOND)
    assert set(hosts(failing)) == {"a"}


# ── steering ─────────────────────────────────────────────────────────────────────────────────────────────────────────

STEERING = '<ContentSteering defaultServiceLocation="b"{}>http://s.test/steer?x=1</ContentSteering>'


def steered(reply: object, *, before: bool = False) -> Script:
    document = live(STEERING.format(' queryBeforeStart="true"' if before else "") + THREE)

    def answer(request: Request, at: float) -> Answer:
        if request.host == "s.test":
            return reply(at) if callable(reply) else reply  # type: ignore[return-value]
        return document if ".mpd" in request.target else None

    return answer


def says(*order: str, **more: object) -> str:
    return json.dumps({"VERSION": 1, "TTL": 5, "PATHWAY-PRIORITY": order} | more)


@pytest.mark.rule("dash:R9")
def test_the_steering_server_is_obeyed_and_told_what_is_used() -> None:
    played = play(steered(lambda at: says("c", "a") if at < 9 else says("a", "c")))
    assert not played.of(Stalled)
    assert [event.pathways[0] for event in played.of(Steered)][:3] == ["c", "c", "a"]
    used = hosts(played)
    assert set(used[used.index("a") :]) == {"a"}
    assert set(used[: used.index("a")]) <= {"b", "c"}
    asked = played.origin.of("s.test")
    assert asked[0] == "s.test/steer?x=1"
    assert "&_DASH_pathway=%22c%22" in asked[1]
    assert "_DASH_throughput=" in asked[-1]
    assert played.origin.at("s.test")[1] - played.origin.at("s.test")[0] == pytest.approx(5, abs=0.1)


@pytest.mark.rule("dash:R9")
def test_playback_waits_for_the_steering_server_only_where_the_mpd_says_so() -> None:
    before = play(steered(says("c"), before=True), duration_us=8 * SECOND)
    assert set(hosts(before)) == {"c"}
    assert hosts(before, "init.mp4") == "c"
    ahead = play(steered(says("c")), duration_us=8 * SECOND)
    assert hosts(ahead, "init.mp4") == "b"  # the default location, until the server has spoken
    assert set(hosts(ahead)[1:]) == {"c"}


@pytest.mark.rule("dash:R9")
@pytest.mark.parametrize(
    "reply",
    [
        404,
        "no JSON",
        "[" * 50_000,
        "{}",
        '{"VERSION": 2, "PATHWAY-PRIORITY": ["c"]}',
        '{"VERSION": 1, "PATHWAY-PRIORITY": []}',
        '{"VERSION": 1, "PATHWAY-PRIORITY": [1, null]}',
        json.dumps({"VERSION": 1, "PATHWAY-PRIORITY": ["c" * 1000]}),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_steering_server_that_speaks_nonsense_changes_nothing(reply: Answer, *, before: bool) -> None:
    played = play(steered(reply, before=before), duration_us=8 * SECOND)
    assert played.error is None
    assert set(hosts(played)) == {"b"}
    assert len(played.of(SteeringFailed)) == played.origin.count("s.test") == 1


@pytest.mark.rule("dash:R9")
def test_steering_that_flips_each_time_makes_no_flood() -> None:
    flips = iter(range(10_000))

    def reply(at: float) -> str:
        return says(*("ab" if next(flips) % 2 else "ba"), **{"TTL": 0.001, "RELOAD-URI": "/steer2?y"})

    played = play(steered(reply))
    assert played.error is None
    assert played.origin.count("s.test") <= 6
    assert all("/steer2?y" in target for target in played.origin.of("s.test")[1:])
    assert not played.of(Stalled)
    assert played.of(Ended)[0].played_us == 20 * SECOND


@pytest.mark.rule("dash:R9")
def test_steering_ends_when_its_server_is_gone_and_waits_when_it_is_told_to() -> None:
    gone = play(steered(410), duration_us=60 * SECOND)
    assert gone.origin.count("s.test") == 1
    waits = play(steered((429, (("retry-after", "20"),), b"")), duration_us=50 * SECOND)
    assert waits.origin.count("s.test") == 3


@pytest.mark.rule("dash:R9")
def test_a_pathway_that_fails_is_left_for_the_next_in_the_order() -> None:
    orders = steered(says("c", "b", "a"), before=True)

    def answer(request: Request, at: float) -> Answer:
        return 503 if request.host == "c.test" else orders(request, at)

    played = play(answer, duration_us=8 * SECOND)
    assert hosts(played).lstrip("c").strip("b") == ""
    assert hosts(played, "init.mp4") == "cb"
    assert video() in live()
