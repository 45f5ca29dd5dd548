"""Embedded keys and renewals through a whole player: what it asks for, and how often."""

from __future__ import annotations

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Fault, LicenseSpec, Rotation
from player.cdm.spec import CdmSpec
from player.drm.cause import Cause
from player.drm.events import LicenseRequested, SessionCreated
from player.eme.events import Encrypted, KeyStatusesChanged, Message, SessionClosed
from player.eme.status import ClosedReason, MessageType
from player.stream.events import Ended, Stalled
from tests.engine.conftest import Watch, Watched

HIERARCHY = ContentSpec(tracks=("video-180p", "audio"), rotation=Rotation.HIERARCHY)


def causes(watched: Watched) -> list[Cause]:
    return [event.cause for event in watched.of(LicenseRequested)]


@pytest.mark.rule("EQ16")
@pytest.mark.rule("EK02")
def test_boxes_that_are_repeated_in_each_fragment_open_one_session_a_period_and_track(watch: Watch) -> None:
    watched = watch(BackendSpec(content=HIERARCHY, seed=1))
    created = [event.kids for event in watched.of(SessionCreated)]
    assert len(created) == len(set(created))
    assert len(watched.of(Encrypted)) > len(created)
    assert causes(watched) == [Cause.START]
    assert not watched.of(Stalled)


@pytest.mark.rule("EQ18")
@pytest.mark.rule("EK09")
@pytest.mark.rule("Q30")
def test_an_empty_message_is_not_posted_and_none_is_waited_for(watch: Watch) -> None:
    spec = CdmSpec(features=("embedded_keys",), quirks=("empty_message",))
    watched = watch(BackendSpec(content=HIERARCHY, seed=1), cdm=spec)
    assert any(event.message == b"" for event in watched.of(Message))
    assert causes(watched) == [Cause.START]
    assert not watched.of(Stalled)


@pytest.mark.rule("EK07")
@pytest.mark.rule("EK09")
@pytest.mark.rule("EQ14")
def test_an_old_device_that_merges_sessions_plays_through_rotations(watch: Watch) -> None:
    spec = CdmSpec(features=("embedded_keys",), single_session=True)
    watched = watch(BackendSpec(content=HIERARCHY, seed=1), cdm=spec)
    assert {event.reason for event in watched.of(SessionClosed)} == {ClosedReason.PARENT_MERGED}
    assert len(watched.machine.eme.table) == 1
    assert causes(watched) == [Cause.START]
    assert not watched.of(Stalled)


@pytest.mark.rule("M006")
@pytest.mark.rule("M003")
@pytest.mark.rule("EQ07")
def test_a_root_license_that_asks_for_its_renewal_gets_it_while_playback_goes_on(watch: Watch) -> None:
    spec = BackendSpec(content=HIERARCHY, license=LicenseSpec(validity_s=12, renew_s=8), seed=1)
    watched = watch(spec)
    asked = causes(watched)
    assert asked[0] is Cause.START
    assert set(asked[1:]) == {Cause.RENEWAL}
    assert len(asked) == pytest.approx(1 + 30 / 8, abs=1)
    kinds = [event.message_type for event in watched.of(Message)]
    assert kinds[1:] == [MessageType.LICENSE_RENEWAL] * (len(asked) - 1)
    assert not watched.of(Stalled)
    assert watched.of(Ended)
    assert not any("expired" in str(event.session.statuses) for event in watched.of(KeyStatusesChanged))


@pytest.mark.rule("M006")
def test_a_renewal_that_fails_costs_nothing_as_long_as_the_keys_are_good(watch: Watch) -> None:
    fault = Fault(mode="error", from_s=5, to_s=100)
    spec = BackendSpec(content=HIERARCHY, license=LicenseSpec(renew_s=8, faults=(fault,)), seed=1)
    watched = watch(spec)
    assert set(causes(watched)[1:]) > {Cause.RENEWAL}
    assert not watched.of(Stalled)
    root = watched.of(LicenseRequested)[0].slot
    assert root not in {event.session.slot for event in watched.of(SessionClosed)}


@pytest.mark.rule("EQ01")
@pytest.mark.rule("EQ11")
@pytest.mark.rule("L005")
@pytest.mark.parametrize(
    ("device", "evicted"),
    [
        ({"on_missing_root": "pending"}, 0),
        ({"max_sessions": 3, "on_session_limit": "evict"}, 2),
        ({"clock": False}, 0),
        ({"hdcp": "", "downscale_hdcp": "1.4"}, 0),
    ],
    ids=["pending", "evicting", "without a clock", "without a display"],
)
def test_devices_of_many_kinds_play_with_one_request(watch: Watch, device: dict[str, object], evicted: int) -> None:
    spec = CdmSpec(features=("embedded_keys",), **device)  # type: ignore[arg-type] # each is a field of its type
    watched = watch(BackendSpec(content=HIERARCHY, seed=1), cdm=spec)
    assert causes(watched) == [Cause.START]
    assert not watched.of(Stalled)
    assert [event.reason for event in watched.of(SessionClosed)] == [ClosedReason.RESOURCE_EVICTED] * evicted
