"""Progress: with a server that recovers every playable key becomes usable, and no key is asked for twice in vain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.backend.spec import BackendSpec, ContentSpec, Fault, KeyPlan, LicenseSpec, Rotation
from player.drm.events import KeyStatusChanged, LicenseRequested
from player.drm.profile import LicenseScope
from player.eme.events import WaitingForKey
from player.runtime.profiles import load_profile
from player.stream.events import Resumed, Stalled
from tests.engine.conftest import Watch

ROTATIONS = (Rotation.NONE, Rotation.IN_BAND, Rotation.NEW_PERIOD)


def content(rotation: Rotation, keys: KeyPlan = KeyPlan.SINGLE) -> ContentSpec:
    return ContentSpec(
        tracks=("video-180p", "audio"), rotation=rotation, keys=keys, crypto_period_s=8.0, first_boundary_s=10.0
    )


@pytest.mark.rule("KP17")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rotation=st.sampled_from(ROTATIONS),
    mode=st.sampled_from(["error", "down", "slow"]),
    from_s=st.integers(0, 12),
    for_s=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_with_a_server_that_recovers_every_key_of_what_was_played_becomes_usable(
    watch: Watch, rotation: Rotation, mode: str, from_s: int, for_s: int, seed: int
) -> None:
    fault = Fault(from_s=from_s, to_s=from_s + for_s, mode=mode, delay_s=3.0)
    spec = BackendSpec(content=content(rotation), license=LicenseSpec(faults=(fault,)), seed=seed)
    watched = watch(spec, profile=load_profile("ideal"), duration_us=20_000_000, stop_at_s=60.0)
    assert watched.error is None
    stalls, ends = watched.at(Stalled), watched.at(Resumed)
    assert len(stalls) == len(ends)
    asked = {kid for event in watched.of(LicenseRequested) for kid in event.kids}
    usable = {event.kid for event in watched.of(KeyStatusChanged) if event.new == "usable"}
    late = [event.kids for time_s, event in watched.events if isinstance(event, LicenseRequested) and time_s > 24]
    assert asked - usable <= {kid for kids in late for kid in kids}
    waited = {event.kid for event in watched.of(WaitingForKey)}
    assert waited <= usable | {None}


@pytest.mark.rule("KP18")
@pytest.mark.parametrize("scope", LicenseScope)
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("keys", [KeyPlan.SINGLE, KeyPlan.RESOLUTION])
def test_the_ideal_client_asks_for_no_key_that_is_usable_on_its_way_or_refused(
    watch: Watch, scope: LicenseScope, rotation: Rotation, keys: KeyPlan
) -> None:
    profile = load_profile("ideal")
    profile = replace(profile, scope=replace(profile.scope, license_scope=scope))
    spec = BackendSpec(content=content(rotation, keys), license=LicenseSpec(grant="group"), seed=1)
    watched = watch(spec, profile=profile, duration_us=20_000_000)
    status: dict[object, str] = {}
    for _, event in watched.events:
        if isinstance(event, KeyStatusChanged):
            status[event.kid] = event.new
        elif isinstance(event, LicenseRequested) and event.attempt == 1:
            assert all(status[kid] == "requested" for kid in event.kids)
    first = [kid for event in watched.of(LicenseRequested) if event.attempt == 1 for kid in event.kids]
    assert len(first) == len(set(first))
