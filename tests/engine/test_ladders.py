"""What can take whose place: sets that are alike, sets that name each other, priorities, and what is not played."""

from __future__ import annotations

from typing import Any

import pytest

from player.engine import choosing
from player.engine.track import Track
from player.mpd.model import AdaptationSet, Period, Representation, SegmentBase

SOURCE = SegmentBase(timescale=1, presentation_time_offset=0, initialization=None, index_range=None)


def rung(name: str, bandwidth: int = 1, **more: Any) -> Representation:
    given: dict[str, Any] = {"codecs": "avc1.42C00C", "mime_type": "video/mp4", "base_urls": ("http://x/",)}
    return Representation(id=name, bandwidth=bandwidth, source=SOURCE, **given | more)


def group(name: str, *rungs: Representation, **more: Any) -> AdaptationSet:
    return AdaptationSet(id=name, **{"kind": "video", "lang": "", "representations": rungs} | more)


def names(like: str, *groups: AdaptationSet) -> list[str]:
    track: Track = Track(0, 0)
    track.period = Period(id="p", start_us=0, duration_us=None, adaptation_sets=groups)
    track.adaptation_set = next(one for one in groups if one.id == like)
    return [representation.id for _, representation in choosing.candidates(track)]


@pytest.mark.rule("dash:P10")
def test_qualities_with_keys_of_their_own_are_one_ladder_over_several_sets() -> None:
    sets = group("1", rung("sd")), group("2", rung("hd")), group("3", rung("de"), lang="de")
    assert names("1", *sets) == names("2", *sets) == ["sd", "hd"]
    assert names("3", *sets) == ["de"]


@pytest.mark.rule("dash:P10")
def test_sets_that_name_whom_they_switch_with_switch_with_no_other() -> None:
    sets = (
        group("1", rung("sd"), switchable_with=("3",)),
        group("2", rung("hd")),
        group("3", rung("uhd"), lang="en", switchable_with=("1",)),
    )
    assert names("1", *sets) == names("3", *sets) == ["sd", "uhd"]


@pytest.mark.rule("dash:P10")
def test_a_codec_and_a_role_of_its_own_and_what_depends_on_another_stay_out() -> None:
    sets = (
        group("1", rung("base"), rung("enhanced", depends_on=("base",)), rung("hevc", codecs="hvc1.1")),
        group("2", rung("sign"), roles=("sign",)),
    )
    assert names("1", *sets) == ["base"]


@pytest.mark.rule("dash:P10")
def test_the_set_to_play_is_the_preferred_one_then_the_main_one_then_the_first() -> None:
    def first(*groups: AdaptationSet) -> str | None:
        found = choosing.first(Period(id="p", start_us=0, duration_us=None, adaptation_sets=groups), "video")
        return None if found is None else found.id

    side, main, plain = (
        group("side", rung("a"), roles=("alternate",)),
        group("main", rung("b"), roles=("main",)),
        group("plain", rung("c")),
    )
    assert first(side, main) == "main"
    assert first(plain, main) == "plain"
    assert first(main, group("wanted", rung("d"), selection_priority=3)) == "wanted"
    assert first(group("layers", rung("e", depends_on=("z",)), selection_priority=9), side) == "side"
    assert first(group("layers", rung("e", depends_on=("z",)))) is None
