"""What a client does when the world does not do its part: one clear error, or playback that goes on and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, KeyPlan, LicenseSpec, Rotation
from player.clock import SECOND
from player.drm.cause import Cause
from player.drm.events import LicenseAnswered, LicenseFailed, LicenseRequested
from player.drm.plan import ClientPlan
from player.drm.profile import LicenseScope, NextPeriodTrigger
from player.engine.events import ManifestFailed, ManifestLoaded, PlaybackFailed
from player.engine.profile import Profile
from player.ids import ContentKey, KeyId
from player.stream.events import Blocked, Ended, RepresentationChosen, Resumed, SegmentFailed, Stalled
from player.wire.http import Reply, Request, Service
from tests.engine.conftest import Watch

ON_DEMAND = ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT)
LIVE = BackendSpec(content=ContentSpec(tracks=("video-180p", "audio")), seed=1)
VOD = BackendSpec(content=ContentSpec(form=Form.VOD, tracks=("video-180p", "audio")), seed=1)


class Meddled:
    """A service between the network and the backend: `meddle(request, now)` may answer instead of it."""

    def __init__(self, service: Service, meddle: Callable[[Request, int], Reply | None]) -> None:
        self._service = service
        self._meddle = meddle
        self._own: list[Reply] = []

    def receive(self, request: Request, now: int) -> None:
        reply = self._meddle(request, now)
        if reply is None:
            self._service.receive(request, now)
        else:
            self._own.append(reply)

    def gone(self, request_id: int, now: int) -> None:
        self._service.gone(request_id, now)

    def replies(self) -> Iterable[Reply]:
        own, self._own = self._own, []
        return [*own, *self._service.replies()]

    def deadline(self) -> int | None:
        return self._service.deadline()

    def handle_deadline(self, now: int) -> None:
        self._service.handle_deadline(now)


def meddling(
    part: str, status: int, *, from_s: float = 0, to_s: float = 1e9, body: bytes = b""
) -> Callable[[Service], Meddled]:
    """Answer requests whose path holds `part` with this status, between two instants."""

    def meddle(request: Request, now: int) -> Reply | None:
        hit = part in request.target and from_s <= now / SECOND < to_s
        return Reply(request.id, status, (), body) if hit else None

    return lambda service: Meddled(service, meddle)


def license_fault(mode: str) -> BackendSpec:
    return replace(VOD, license=LicenseSpec(faults=(Fault(from_s=0, to_s=1e6, mode=mode),)))


@pytest.mark.rule("decisions:D61")
@pytest.mark.parametrize(
    ("part", "status", "body", "code"),
    [
        ("manifest.mpd", 404, b"", "http-status"),
        ("manifest.mpd", 500, b"", "http-status"),
        ("manifest.mpd", 200, b"<html><body>Not here</body></html>", "not-mpd"),
        ("manifest.mpd", 200, b"", "not-mpd"),
        ("init.mp4", 404, b"", "http-status"),
        ("init.mp4", 200, b"\0" * 64, "bad-box"),
        ("/1.m4s", 200, b"\0\0\0\x10moof", "truncated"),
        ("/1.m4s", 500, b"", "http-status"),
    ],
)
def test_content_on_demand_that_cannot_be_read_ends_with_one_clear_error(
    watch: Watch, part: str, status: int, body: bytes, code: str
) -> None:
    watched = watch(VOD, wrap=meddling(part, status, body=body))
    assert watched.error is not None
    assert watched.error.code == code
    assert "\n" not in str(watched.error)
    assert [event.code for event in watched.of(PlaybackFailed)] == [code]
    assert watched.events[-1][0] < 10


def test_what_comes_before_a_fault_in_a_segment_is_still_delivered(watch: Watch) -> None:
    whole = watch(VOD)
    kept: dict[str, bytes] = {}

    class Cut(Meddled):
        """Segment 1 of each track is segment 0 and the head of another fragment."""

        def replies(self) -> Iterable[Reply]:
            return [self._cut(reply) for reply in super().replies()]

        def receive(self, request: Request, now: int) -> None:
            kept[str(request.id)] = request.target.encode()
            super().receive(request, now)

        def _cut(self, reply: Reply) -> Reply:
            broken = kept[str(reply.id)].endswith(b"/1.m4s")
            return reply._replace(body=reply.body + reply.body[:40]) if broken else reply

    watched = watch(VOD, wrap=lambda service: Cut(service, lambda _request, _now: None))
    assert watched.error is not None
    assert watched.error.code == "truncated"
    assert max(d.samples for d in watched.sink.tracks().values()) >= 100  # two segments of two seconds
    assert watched.sink.tracks()[0].samples <= whole.sink.tracks()[0].samples // 4


@pytest.mark.parametrize(
    ("mode", "code", "attempts"),
    [("error", "license-load", 6), ("empty", "license-rejected", 1), ("down", "license-load", 6)],
)
def test_a_license_server_that_fails_is_tried_as_the_profile_says(
    watch: Watch, mode: str, code: str, attempts: int
) -> None:
    watched = watch(license_fault(mode))
    assert watched.error is not None
    assert watched.error.code == code
    asked = watched.of(LicenseRequested)
    assert [event.attempt for event in asked] == list(range(1, attempts + 1))
    assert {event.origin for event in asked} == {Cause.START}
    assert {event.cause for event in asked[1:]} <= {Cause.RETRY_ERROR, Cause.RETRY_REFUSED}
    assert len(watched.of(LicenseFailed)) == 1


def test_a_refusal_that_is_final_for_the_profile_is_not_repeated(watch: Watch) -> None:
    kid = next(iter(watch(VOD).machine.key_statuses()))
    watched = watch(replace(VOD, license=LicenseSpec(withhold=(kid,))))
    assert [event.outcome for event in watched.of(LicenseAnswered)] == ["http-403"]
    assert watched.error is not None
    assert watched.error.code == "license-load"


def test_no_license_url_is_named_with_the_key(watch: Watch) -> None:
    watched = watch(VOD, wrap=without_license_urls)
    assert watched.error is not None
    assert watched.error.code == "no-license-url"
    assert str(next(iter(watched.machine.key_statuses()))) in str(watched.error)


def without_license_urls(service: Service) -> Service:
    class Stripped(Meddled):
        def replies(self) -> Iterable[Reply]:
            return [r._replace(body=strip(r.body)) for r in super().replies()]

    def strip(body: bytes) -> bytes:
        if b"<MPD" not in body[:200]:
            return body
        return body.replace(b"Laurl", b"Other").replace(b"laurl", b"other")

    return Stripped(service, lambda _request, _now: None)


@pytest.mark.rule("decisions:D32")
def test_keys_given_by_hand_answer_through_the_ordinary_calls(watch: Watch) -> None:
    asked = watch(VOD)
    (kid,) = asked.machine.key_statuses()
    wrong = ContentKey(bytes(16))
    watched = watch(VOD, keys={kid: wrong, KeyId(b"\1" * 16): wrong}, wrap=meddling("/license", 500))
    assert watched.error is None
    assert [event.local for event in watched.of(LicenseRequested)] == [True]
    assert watched.machine.key_statuses()[kid].value == "usable"


@pytest.mark.rule("decisions:D34")
def test_a_live_presentation_cannot_be_rushed(watch: Watch) -> None:
    watched = watch(LIVE, as_fast_as_possible=True, duration_us=None)
    assert watched.error is not None
    assert watched.error.code == "usage"


@pytest.mark.rule("decisions:D34")
def test_a_wait_for_a_key_is_told_as_blocked_when_playing_as_fast_as_possible(watch: Watch) -> None:
    late = replace(VOD, license=LicenseSpec(faults=(Fault(from_s=0, to_s=1e6, mode="slow", delay_s=3.0),)))
    watched = watch(late)
    (blocked,) = watched.of(Blocked)
    assert blocked.position_us == 0
    assert 2.9 * SECOND < blocked.for_us < 3.1 * SECOND
    assert not watched.of(Stalled)
    assert watched.of(Ended)[0].played_us == 16 * SECOND


def test_a_live_segment_that_is_never_there_is_counted_and_played_over(watch: Watch) -> None:
    watched = watch(LIVE, wrap=meddling("video-180p/14.m4s", 404), duration_us=20 * SECOND)
    (failed,) = watched.of(SegmentFailed)
    assert (failed.track, failed.number) == (0, 14)
    assert watched.machine.stream.lost_us == 2 * SECOND
    assert watched.error is None
    assert watched.of(Ended)[0].played_us == 20 * SECOND


@pytest.mark.rule("decisions:D36")
def test_an_outage_of_the_origin_stalls_for_the_network_and_playback_resumes(watch: Watch) -> None:
    watched = watch(LIVE, wrap=meddling("m4s", 503, from_s=4, to_s=14), duration_us=20 * SECOND)
    assert {event.cause for event in watched.of(Stalled)} == {"network"}
    assert len(watched.of(Resumed)) == len(watched.of(Stalled)) > 0
    assert watched.error is None


def test_a_refresh_that_fails_leaves_the_last_mpd_in_force(watch: Watch) -> None:
    watched = watch(LIVE, wrap=meddling("manifest.mpd", 500, from_s=3, to_s=20))
    assert len(watched.of(ManifestFailed)) >= 8
    assert len(watched.of(ManifestLoaded)) == 1
    assert watched.error is None


def test_a_first_mpd_is_tried_again_after_a_server_error(watch: Watch) -> None:
    watched = watch(VOD, wrap=meddling("manifest.mpd", 503, to_s=0.4))
    assert watched.error is None
    assert watched.of(Ended)[0].ended


def test_a_representation_whose_key_is_refused_gives_way_to_another(watch: Watch, ideal: Profile) -> None:
    spec = BackendSpec(
        content=ContentSpec(form=Form.VOD, tracks=("video-180p", "video-720p", "audio"), keys=KeyPlan.RESOLUTION),
        seed=1,
    )
    profile = replace(ideal, scope=replace(ideal.scope, license_scope=LicenseScope.INIT_DATA))
    chosen = watch(spec, profile=profile, representation="highest")
    best = chosen.of(RepresentationChosen)[0].representation
    refused = chosen.of(LicenseRequested)[0].kids
    watched = watch(replace(spec, license=LicenseSpec(withhold=refused)), profile=profile, representation="highest")
    used = [event.representation for event in watched.of(RepresentationChosen) if event.track == 0]
    assert used[0] == best
    assert watched.error is None, watched.error
    assert used[-1] != best
    assert watched.of(Ended)[0].ended


def test_rotation_of_the_root_free_stream_survives_a_stop_in_mid_flight(watch: Watch) -> None:
    spec = replace(LIVE, content=replace(LIVE.content, rotation=Rotation.IN_BAND, first_boundary_s=10.0))
    for stop_at_s in (0.001, 0.03, 0.07, 0.1, 10.031, 10.05):
        watched = watch(spec, plan=ON_DEMAND, duration_us=None, stop_at_s=stop_at_s)
        assert watched.error is None
        assert watched.machine.finished
        assert watched.machine.deadline() is None
