"""What one player asks for, and when, as the keys of a live stream change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from player.backend.serve import build
from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, KeyPlan, LicenseSpec, Rotation
from player.clock import SECOND
from player.drm.cause import Cause
from player.drm.events import InitDataSkipped, KeyStatusChanged, LicenseRequested, PrefetchPlanned, SessionCreated
from player.drm.keys import ExtendedStatus
from player.drm.plan import ClientPlan
from player.drm.profile import LicenseScope, NextPeriodTrigger
from player.eme.events import Encrypted, WaitingForKey
from player.engine.events import ManifestLoaded
from player.engine.profile import Profile
from player.ids import HIERARCHY
from player.stream.events import Ended, Resumed, Stalled, Started
from tests.engine.conftest import Watch

ON_DEMAND = ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT)
JITTER = ClientPlan(trigger=NextPeriodTrigger.MANIFEST_REFRESH_SPREAD, margin_s=1.0)


def backend(rotation: Rotation, **content: object) -> BackendSpec:
    given = {"tracks": ("video-180p", "audio"), "first_boundary_s": 10.0, "rotation": rotation} | content
    return BackendSpec(content=ContentSpec(**given), seed=1)  # type: ignore[arg-type]


def causes(watched: object) -> list[Cause]:
    return [event.cause for event in watched.of(LicenseRequested)]  # type: ignore[attr-defined]


@pytest.mark.rule("backend:S1")
def test_on_demand_asks_when_the_first_segment_under_a_new_key_is_parsed(watch: Watch) -> None:
    watched = watch(backend(Rotation.IN_BAND), plan=ON_DEMAND)
    assert causes(watched) == [Cause.START] + [Cause.ROTATION_DEMAND] * 3
    intended = [event.intended_us / SECOND for event in watched.of(LicenseRequested)][1:]
    assert [round(at) for at in intended] == [10, 18, 26]  # within the time of one segment fetch after the boundary
    assert all(0 < at - boundary < 0.1 for at, boundary in zip(intended, (10, 18, 26), strict=True))
    assert not watched.of(Stalled)


@pytest.mark.rule("P001")
def test_boxes_that_come_with_every_segment_are_told_each_time_and_asked_for_once(watch: Watch) -> None:
    watched = watch(backend(Rotation.IN_BAND), plan=ON_DEMAND)
    told = watched.of(Encrypted)
    assert len(told) > 2 * len({event.init_data for event in told})
    assert len(watched.of(SessionCreated)) == 4  # a session a key
    assert {event.reason for event in watched.of(InitDataSkipped)} >= {"known-from-license"}


@pytest.mark.rule("backend:S2")
def test_jitter_asks_between_the_announcement_and_the_need_less_the_margin(watch: Watch) -> None:
    spec = backend(Rotation.IN_BAND, announced=True, announce_s=8.0)
    watched = watch(spec, plan=JITTER)
    assert set(causes(watched)) == {Cause.START, Cause.ROTATION_PREFETCH}
    planned = watched.of(PrefetchPlanned)
    learnt = watched.at(PrefetchPlanned)
    assert len(planned) >= 3
    for at, event in zip(learnt, planned, strict=True):
        assert at * SECOND <= event.at_us <= event.need_us - SECOND
    asked = [event.intended_us for event in watched.of(LicenseRequested) if event.cause is Cause.ROTATION_PREFETCH]
    assert asked == sorted(event.at_us for event in planned if event.at_us < 30 * SECOND)[: len(asked)]
    assert not watched.of(Stalled)


@pytest.mark.rule("decisions:D82")
def test_an_announced_key_is_needed_when_its_first_sample_is_due(watch: Watch) -> None:
    watched = watch(backend(Rotation.IN_BAND, announced=True, announce_s=8.0), plan=JITTER)
    first = watched.of(PrefetchPlanned)[0]
    started_at, position_us = watched.at(Started)[0], watched.of(Started)[0].position_us
    due_s = started_at + 32 - position_us / SECOND  # the boundary of run-clock 10 s lies at 32 s of media time
    assert first.need_us / SECOND == pytest.approx(due_s, abs=0.2)  # planned before the start-up was over


@pytest.mark.rule("backend:S5")
@pytest.mark.rule("decisions:D75")
def test_embedded_keys_cost_one_root_request_for_the_whole_run(watch: Watch) -> None:
    watched = watch(backend(Rotation.HIERARCHY))
    assert causes(watched) == [Cause.START]
    assert watched.machine.key_system == HIERARCHY
    children = [row for row in watched.machine.eme.table if row.parent is not None]
    roots = {row.slot for row in watched.machine.eme.table if row.parent is None}
    assert len(children) == 4
    assert {row.parent for row in children} == roots
    assert not watched.of(Stalled)


def test_a_new_period_is_asked_for_as_soon_as_the_mpd_shows_it(watch: Watch) -> None:
    watched = watch(backend(Rotation.NEW_PERIOD))
    assert causes(watched)[:3] == [Cause.START, Cause.ROTATION_PREFETCH, Cause.ROTATION_PREFETCH]
    assert len(watched.of(ManifestLoaded)) >= 4
    assert not watched.of(Stalled)


@pytest.mark.rule("decisions:D36")
@pytest.mark.rule("R009")
def test_a_late_license_stalls_playback_for_want_of_a_key_and_tells_it_once(watch: Watch) -> None:
    late = Fault(from_s=9, to_s=12, mode="slow", delay_s=8.0)
    slow = replace(backend(Rotation.IN_BAND, crypto_period_s=16.0), license=LicenseSpec(faults=(late,)))
    watched = watch(slow, plan=ON_DEMAND)
    (stall, *_), (resumed, *_) = watched.of(Stalled), watched.of(Resumed)
    assert stall.cause == "key"
    assert stall.kid is not None
    assert resumed.position_us == stall.position_us == 32 * SECOND  # the boundary on the media timeline
    usable = next(
        t for t, e in watched.events if isinstance(e, KeyStatusChanged) and e.kid == stall.kid and e.new == "usable"
    )
    assert watched.at(Resumed)[0] == usable
    assert resumed.for_us == round((usable - watched.at(Stalled)[0]) * SECOND) + 1_001
    assert len(watched.of(WaitingForKey)) == len(watched.of(Stalled))


@pytest.mark.rule("decisions:D8")
def test_the_live_delay_counts_from_the_availability_of_a_segment(watch: Watch) -> None:
    watched = watch(backend(Rotation.NONE, first_boundary_s=None), live_delay_us=6 * SECOND)
    joined_after_ast_s = 24 + 0.0  # run-clock 0 is 24 s into the media timeline
    fetched = watched.at(ManifestLoaded)[0]
    assert watched.of(Started)[0].position_us / SECOND == pytest.approx(joined_after_ast_s + fetched - 2 - 6, abs=1e-6)


@pytest.mark.rule("decisions:D41")
@pytest.mark.parametrize(
    ("scope", "grant", "requests", "played"),
    [
        (LicenseScope.INIT_DATA, "requested", 2, True),
        (LicenseScope.PERIOD, "group", 1, True),
        (LicenseScope.MEDIA, "all", 1, True),
        (LicenseScope.PERIOD, "requested", 1, False),  # the scope states more than the server gives
        (LicenseScope.MEDIA, "requested", 1, False),
    ],
)
def test_a_scope_decides_how_many_requests_two_keys_cost(
    watch: Watch, ideal: Profile, scope: LicenseScope, grant: str, requests: int, played: bool
) -> None:
    spec = replace(backend(Rotation.NONE, first_boundary_s=None, keys=KeyPlan.TRACK), license=LicenseSpec(grant=grant))
    profile = replace(ideal, scope=replace(ideal.scope, license_scope=scope))
    watched = watch(spec, profile=profile)
    assert len(watched.of(LicenseRequested)) == requests
    assert (watched.error is None) is played
    if watched.error is not None:
        assert watched.error.code == "no-playable"
        assert "disallowed" in str(watched.error)
        assert "disallowed" in [status.value for status in watched.machine.key_statuses().values()]


def test_playback_ends_after_the_duration_asked_for(watch: Watch) -> None:
    watched = watch(backend(Rotation.NONE, first_boundary_s=None), duration_us=5 * SECOND)
    (ended,) = watched.of(Ended)
    assert ended.played_us == 5 * SECOND
    assert ended.ended is False
    assert watched.error is None


@pytest.mark.parametrize("rotation", [Rotation.NONE, Rotation.HIERARCHY])
def test_a_license_that_ends_is_renewed_and_playback_goes_on(watch: Watch, rotation: Rotation) -> None:
    boundary = {} if rotation is Rotation.HIERARCHY else {"first_boundary_s": None}
    spec = replace(backend(rotation, **boundary), license=LicenseSpec(validity_s=7.0))
    watched = watch(spec, key_system=HIERARCHY, license_url="http://license.test/license/hierarchy")
    asked = causes(watched)
    assert asked[0] is Cause.START
    assert set(asked[1:]) == {Cause.RENEWAL}
    assert 3 <= len(asked) <= 5  # every seven seconds of thirty
    assert watched.error is None
    assert watched.of(Ended)[0].played_us == 30 * SECOND
    assert not watched.of(Stalled)


def test_a_renewal_that_brings_an_expired_license_is_not_repeated_for_ever(watch: Watch) -> None:
    spec = replace(backend(Rotation.NONE, first_boundary_s=None), license=LicenseSpec(validity_s=0.001))
    watched = watch(spec, key_system=HIERARCHY, license_url="http://license.test/license/hierarchy")
    assert watched.error is not None
    assert causes(watched) == [Cause.START, Cause.RENEWAL]
    assert "failed" in {status.value for status in watched.machine.key_statuses().values()}


def test_a_root_key_given_by_hand_opens_every_key_that_it_wraps(watch: Watch) -> None:
    spec = backend(Rotation.HIERARCHY)
    services = build(spec, origin="origin.test", license="license.test", epoch_us=0)
    root = services.presentations[Form.LIVE].ring.root()
    watched = watch(spec, keys={root.kid: root.key})
    assert [event.local for event in watched.of(LicenseRequested)] == [True]
    assert watched.error is None
    assert not watched.of(Stalled)
    assert set(watched.machine.key_statuses().values()) == {ExtendedStatus.USABLE}
