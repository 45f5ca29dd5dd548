from __future__ import annotations

import pytest

from player.backend.common.keys import KeyKind
from player.backend.rotation.keys import KeyRing, KeyRings, key_tiers
from player.backend.rotation.schedule import live_schedule
from player.backend.spec import ContentSpec, KeyPlan, Rotation
from player.chance import Draw
from player.errors import BackendError

KINDS = {"video-180p": "video", "video-720p": "video", "audio": "audio"}
SCHEDULE = live_schedule(ContentSpec(rotation=Rotation.IN_BAND, crypto_period_s=8))


def ring(seed: int = 1, *, series: int = 0, tiers: tuple[str, ...] = ("video", "audio")) -> KeyRing:
    return KeyRing(Draw(seed, "origin"), tiers, SCHEDULE, epoch_us=1_000_000_000_000, series=series)


@pytest.mark.parametrize(
    ("plan", "tiers"),
    [
        (KeyPlan.SINGLE, ["all", "all", "all"]),
        (KeyPlan.TRACK, ["video", "video", "audio"]),
        (KeyPlan.RESOLUTION, ["video-180p", "video-720p", "audio"]),
    ],
)
def test_a_key_plan_says_which_tracks_share_a_key(plan: KeyPlan, tiers: list[str]) -> None:
    assert list(key_tiers(KINDS, plan).values()) == tiers


@pytest.mark.rule("decisions:D5")
def test_equal_seeds_give_equal_keys_in_whatever_order_they_are_asked_for() -> None:
    one, other = ring(), ring()
    wanted = [("video", 3), ("audio", 0), ("video", 0)]
    assert [one.content(*each) for each in wanted] == [other.content(*each) for each in reversed(wanted)][::-1]
    assert one.content("video", 0).kid != ring(2).content("video", 0).kid


def test_no_two_tiers_periods_kinds_or_presentations_share_a_key() -> None:
    rings = [ring(), ring(series=1)]
    keys = [key for each in rings for period in range(50) for key in each.period(period)]
    keys += [each.root() for each in rings]
    assert len({key.kid for key in keys}) == len({key.key for key in keys}) == len(keys) == 202


def test_a_kid_is_known_once_it_was_given_out() -> None:
    held = ring().content("video", 7)
    fresh = ring()
    assert fresh.find(held.kid) is None
    fresh.content("video", 7)
    assert fresh.find(held.kid) == held


def test_the_keys_of_one_crypto_period_are_one_group_under_an_id_that_says_nothing() -> None:
    keys = ring()
    video = keys.content("video", 2)
    assert keys.group(video.group) == keys.period(2) == (video, keys.content("audio", 2))
    assert video.group != keys.content("video", 3).group
    assert keys.group("g-0000000000000000") == ()


def test_the_following_keys_are_those_of_the_next_crypto_periods() -> None:
    keys = ring()
    assert [key.period for key in keys.following(keys.content("video", 2), 2)] == [3, 4]
    assert {key.tier for key in keys.following(keys.content("video", 2), 2)} == {"video"}
    assert keys.following(keys.root(), 3) == ()


def test_a_content_key_is_for_use_from_the_start_of_its_period_and_a_root_key_at_any_time() -> None:
    keys = ring()
    assert keys.content("video", 0).from_ms is None
    assert keys.content("video", 1).from_ms == 1_000_000_000 + 6_000
    assert (keys.root().kind, keys.root().from_ms) == (KeyKind.ROOT, None)


def test_two_rings_answer_as_one_source() -> None:
    live, vod = ring(), ring(series=1)
    both = KeyRings([live, vod])
    held, other = live.content("video", 1), vod.content("video", 0)
    assert (both.find(held.kid), both.find(other.kid)) == (held, other)
    assert both.following(held, 1) == live.following(held, 1)
    assert set(both.group(other.group)) == set(vod.period(0))
    assert set(both.all()) == set(live.all()) | set(vod.all())


def test_more_tiers_than_numbers_are_refused() -> None:
    with pytest.raises(BackendError):
        ring(tiers=tuple(f"t{number}" for number in range(16)))
