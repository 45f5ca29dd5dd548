"""Shapes of the per-client hot path: what is shared, what is not there at rest, and that a client can be dropped."""

from __future__ import annotations

import gc
import weakref

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.chance import Draw
from player.clock import SECOND
from player.drm.plan import ClientPlan
from player.drm.profile import NextPeriodTrigger
from player.engine.actions import Fetch, Fetched, Start
from player.engine.machine import Machine
from player.engine.profile import Profile
from player.engine.spec import PlayerSpec
from player.ids import Pool
from tests.engine.conftest import Watch

LIVE = BackendSpec(
    content=ContentSpec(tracks=("video-180p", "audio"), rotation=Rotation.IN_BAND, first_boundary_s=10.0), seed=1
)
ON_DEMAND = ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT)


@pytest.mark.rule("decisions:D69")
def test_two_clients_in_the_same_situation_share_their_tables(watch: Watch) -> None:
    pool = Pool()
    first = watch(LIVE, pool=pool, client=0, plan=ON_DEMAND).machine
    second = watch(LIVE, pool=pool, client=1, plan=ON_DEMAND).machine
    assert first.drm.keys is second.drm.keys
    assert first.eme.table is second.eme.table


@pytest.mark.rule("decisions:D69")
def test_a_client_at_rest_holds_no_list_set_or_dictionary(watch: Watch) -> None:
    machine = watch(LIVE, plan=ON_DEMAND).machine
    room_states = (machine, machine.drm, machine.eme, machine.stream, machine.element, *machine.stream.tracks)
    for state in room_states:
        assert not hasattr(state, "__dict__"), type(state)
        for kind in type(state).__mro__:
            for name in getattr(kind, "__slots__", ()):
                value = getattr(state, name, None)
                assert not isinstance(value, list | set | dict) or not value, (type(state).__name__, name)
    assert machine.drm.waiting == machine.drm.planned == machine.exchanges == ()


@pytest.mark.rule("decisions:D69")
def test_without_a_listener_no_event_is_made(ideal: Profile) -> None:
    machine = Machine(PlayerSpec(mpd_url="http://x/", profile=ideal), Pool(), Draw(1, 0), epoch_us=0)
    machine.receive(Start(), 0)
    (fetch,) = machine.actions(0)
    assert isinstance(fetch, Fetch)
    machine.receive(Fetched(action=fetch, status=404, url=fetch.url), 1)
    assert machine.finished
    assert machine.next_event() is None


@pytest.mark.rule("decisions:D78")
@pytest.mark.parametrize("stop_at_s", [0.001, 0.03, 0.05, 0.082, 0.09, 0.1, 5.0, 10.029, 10.031, 10.06, 12.0])
def test_a_client_dropped_in_any_state_leaves_nothing_behind(watch: Watch, stop_at_s: float) -> None:
    watched = watch(LIVE, plan=ON_DEMAND, duration_us=None, stop_at_s=stop_at_s)
    dropped = [weakref.ref(x) for x in (watched.machine.drm, watched.machine.stream) if hasattr(x, "__weakref__")]
    kinds_before = counted()
    del watched
    gc.collect()
    assert all(ref() is None for ref in dropped)
    assert counted() <= kinds_before
    assert not [x for x in gc.get_objects() if isinstance(x, Machine)]


def counted() -> int:
    return sum(1 for x in gc.get_objects() if str(type(x).__module__).startswith("player.engine"))


def test_an_answer_to_an_action_that_no_longer_counts_changes_nothing(ideal: Profile) -> None:
    machine = Machine(PlayerSpec(mpd_url="http://x/", profile=ideal), Pool(), Draw(1, 0), epoch_us=0)
    machine.receive(Start(), 0)
    (fetch,) = machine.actions(0)
    assert isinstance(fetch, Fetch)
    stranger = Fetch(kind=fetch.kind, url=fetch.url)
    machine.receive(Fetched(action=stranger, status=404, url=fetch.url), 1)
    assert not machine.finished
    assert machine.actions(1) == ()


@pytest.mark.rule("decisions:D38")
def test_in_band_content_names_no_key_before_one_was_seen(watch: Watch) -> None:
    early = watch(LIVE, plan=ON_DEMAND, duration_us=None, stop_at_s=0.04)
    assert dict(early.machine.key_statuses()) == {}
    later = watch(LIVE, plan=ON_DEMAND, duration_us=None, stop_at_s=5.0)
    assert len(later.machine.key_statuses()) == 1


@pytest.mark.rule("decisions:D1")
def test_the_same_seed_gives_the_same_events_at_the_same_instants(watch: Watch) -> None:
    jitter = ClientPlan(trigger=NextPeriodTrigger.MANIFEST_REFRESH_SPREAD, margin_s=1.0)
    spec = BackendSpec(
        content=ContentSpec(
            tracks=("video-180p", "audio"),
            rotation=Rotation.IN_BAND,
            first_boundary_s=10.0,
            announced=True,
            announce_s=8.0,
        ),
        seed=7,
    )
    first, second = (watch(spec, plan=jitter, duration_us=20 * SECOND) for _ in range(2))
    assert [repr(event) for event in first.events] == [repr(event) for event in second.events]
    assert first.events
