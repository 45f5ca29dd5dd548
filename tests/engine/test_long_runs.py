"""Half an hour of rotations: nothing grows with the number of periods, and playback never stands still."""

from __future__ import annotations

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.clock import SECOND
from player.drm.events import LicenseRequested
from player.drm.plan import ClientPlan
from player.drm.profile import NextPeriodTrigger
from player.drm.sessions import EMBEDDED_PERIODS_KEPT
from player.engine.profile import Profile
from player.engine.spec import Media
from player.ids import Pool
from player.stream.events import Ended, Stalled
from tests.engine.conftest import Watch

MINUTES = 30
PERIODS = MINUTES * 60 // 8


@pytest.mark.rule("EQ11")
@pytest.mark.parametrize(
    ("rotation", "requests"),
    [(Rotation.IN_BAND, PERIODS), (Rotation.HIERARCHY, 1), (Rotation.NEW_PERIOD, PERIODS)],
)
def test_sessions_and_keys_stay_within_the_profiles_limit(
    watch: Watch, ideal: Profile, rotation: Rotation, requests: int
) -> None:
    spec = BackendSpec(content=ContentSpec(tracks=("video-180p", "audio"), rotation=rotation), seed=1)
    watched = watch(
        spec,
        plan=ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT),
        media=Media.SIGNALS,
        duration_us=MINUTES * 60 * SECOND,
    )
    assert watched.error is None
    assert watched.of(Ended)[0].played_us == MINUTES * 60 * SECOND
    assert not watched.of(Stalled)
    assert len(watched.of(LicenseRequested)) == pytest.approx(requests, abs=3)
    assert len(watched.machine.eme.table) <= ideal.sessions.max_sessions
    assert len(watched.machine.drm.keys) <= EMBEDDED_PERIODS_KEPT + 2
    assert watched.machine.drm.waiting == watched.machine.drm.planned == ()


def test_a_pool_that_is_full_is_emptied_and_fills_again() -> None:
    pool = Pool(limit=3)
    for number in range(10):
        assert pool.intern((number,)) == (number,)
        assert pool.remember(divmod, number, 3) == divmod(number, 3)
        assert pool.count(tuple) <= 3
