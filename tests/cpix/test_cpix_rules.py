"""Which key encrypts what, as a table."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.cpix.model import AudioFilter, BitrateFilter, Document, Period, UsageRule, VideoFilter
from player.backend.cpix.rules import (
    Ambiguous,
    Context,
    Impossible,
    Key,
    Media,
    NoKey,
    Outcome,
    Selector,
    Unusable,
    periods_at,
    resolve,
)
from tests.cpix.authorities import KIDS

A, B = KIDS[:2]
HD = 1280 * 720


def rule(kid: Any = A, **filters: Any) -> UsageRule:
    named: dict[str, Any] = {name: tuple(value) for name, value in filters.items()}
    return UsageRule(kid=kid, **named)


def video(**facts: Any) -> Context:
    return Context(media=Media.VIDEO, **{"pixels": HD, "fps": Fraction(25), "bitrate": 3_000_000, **facts})


def audio(**facts: Any) -> Context:
    return Context(media=Media.AUDIO, **{"channels": 2, "bitrate": 128_000, **facts})


def pixels(low: int | None, high: int | None) -> VideoFilter:
    return VideoFilter(min_pixels=low, max_pixels=high)


def fps(low: int | None, high: int | None) -> VideoFilter:
    return VideoFilter(min_fps=low, max_fps=high)


def channels(low: int | None, high: int | None) -> AudioFilter:
    return AudioFilter(min_channels=low, max_channels=high)


def bits(low: int | None, high: int | None) -> BitrateFilter:
    return BitrateFilter(min_bitrate=low, max_bitrate=high)


OTHER = Context(media=Media.OTHER, bitrate=1000)
SD_RULE, HD_RULE = rule(A, video=[pixels(None, HD - 1)]), rule(B, video=[pixels(HD, None)])
LABELLED = frozenset({"x", "y"})
NONE, IMPOSSIBLE = NoKey(), Impossible()


def key(kid: Any = A, *numbers: int) -> Key:
    return Key(kid=kid, rules=numbers or (0,), warnings=("duplicate-match",) if len(numbers) > 1 else ())


def unusable(*missing: str) -> Unusable:
    return Unusable(missing=missing)


CASES: list[tuple[str, list[UsageRule], Context, Outcome]] = [
    ("no rules", [], video(), IMPOSSIBLE),
    ("no rules, audio", [], audio(), IMPOSSIBLE),
    ("a rule without filters, video", [rule()], video(), key()),
    ("a rule without filters, audio", [rule()], audio(), key()),
    ("a rule without filters, text", [rule()], OTHER, key()),
    ("an empty video filter is any video", [rule(video=[VideoFilter()])], video(), key()),
    ("an empty video filter is no audio", [rule(video=[VideoFilter()])], audio(), NONE),
    ("an empty video filter is no text", [rule(video=[VideoFilter()])], OTHER, NONE),
    ("an empty video filter needs no fact", [rule(video=[VideoFilter()])], Context(media=Media.VIDEO), key()),
    ("an empty audio filter is any audio", [rule(audio=[AudioFilter()])], audio(), key()),
    ("an empty audio filter is no video", [rule(audio=[AudioFilter()])], video(), NONE),
    ("an empty audio filter needs no fact", [rule(audio=[AudioFilter()])], Context(media=Media.AUDIO), key()),
    ("a video and an audio filter match nothing", [rule(video=[VideoFilter()], audio=[AudioFilter()])], video(), NONE),
    ("… nor sound", [rule(video=[VideoFilter()], audio=[AudioFilter()])], audio(), NONE),
    ("pixels at the lower end", [rule(video=[pixels(HD, None)])], video(), key()),
    ("pixels below the lower end", [rule(video=[pixels(HD + 1, None)])], video(), NONE),
    ("pixels at the upper end", [rule(video=[pixels(None, HD)])], video(), key()),
    ("pixels above the upper end", [rule(video=[pixels(None, HD - 1)])], video(), NONE),
    ("pixels between", [rule(video=[pixels(1, 2 * HD)])], video(), key()),
    ("pixels at both ends", [rule(video=[pixels(HD, HD)])], video(), key()),
    ("bounds the wrong way round", [rule(video=[pixels(HD + 1, HD - 1)])], video(), NONE),
    ("frame rate at the lower end is out", [rule(video=[fps(25, None)])], video(), NONE),
    ("frame rate above the lower end", [rule(video=[fps(24, None)])], video(), key()),
    ("a fraction above the lower end", [rule(video=[fps(25, None)])], video(fps=Fraction(2501, 100)), key()),
    ("23.976 is not above 24", [rule(video=[fps(24, None)])], video(fps=Fraction(24000, 1001)), NONE),
    ("29.97 is at most 30", [rule(video=[fps(None, 30)])], video(fps=Fraction(30000, 1001)), key()),
    ("frame rate at the upper end is in", [rule(video=[fps(None, 25)])], video(), key()),
    ("frame rate above the upper end", [rule(video=[fps(None, 24)])], video(), NONE),
    ("(25, 25] holds nothing", [rule(video=[fps(25, 25)])], video(), NONE),
    ("two ranges meet without a double match", [rule(A, video=[fps(None, 25)]), rule(B, video=[fps(25, 50)])], video(),
     key()),
    ("the other side of the meeting", [rule(A, video=[fps(None, 25)]), rule(B, video=[fps(25, 50)])],
     video(fps=Fraction(50)), key(B, 1)),
    ("hdr wanted and there", [rule(video=[VideoFilter(hdr=True)])], video(hdr=True), key()),
    ("hdr wanted and not there", [rule(video=[VideoFilter(hdr=True)])], video(hdr=False), NONE),
    ("no hdr wanted", [rule(video=[VideoFilter(hdr=False)])], video(hdr=False), key()),
    ("no hdr wanted, and there is", [rule(video=[VideoFilter(hdr=False)])], video(hdr=True), NONE),
    ("wcg wanted and there", [rule(video=[VideoFilter(wcg=True)])], video(wcg=True), key()),
    ("wcg wanted and not there", [rule(video=[VideoFilter(wcg=True)])], video(wcg=False), NONE),
    ("hdr and wcg", [rule(video=[VideoFilter(hdr=True, wcg=True)])], video(hdr=True, wcg=False), NONE),
    ("channels at the lower end", [rule(audio=[channels(2, None)])], audio(), key()),
    ("channels at the upper end", [rule(audio=[channels(None, 2)])], audio(), key()),
    ("too few channels", [rule(audio=[channels(3, None)])], audio(), NONE),
    ("too many channels", [rule(audio=[channels(None, 5)])], audio(channels=6), NONE),
    ("bitrate at the lower end", [rule(bitrate=[bits(3_000_000, None)])], video(), key()),
    ("bitrate at the upper end", [rule(bitrate=[bits(None, 128_000)])], audio(), key()),
    ("bitrate below", [rule(bitrate=[bits(3_000_001, None)])], video(), NONE),
    ("bitrate of text", [rule(bitrate=[bits(1000, 1000)])], OTHER, key()),
    ("a label", [rule(labels=["x"])], video(labels=LABELLED), key()),
    ("one label of two", [rule(labels=["z", "y"])], video(labels=LABELLED), key()),
    ("another label", [rule(labels=["z"])], video(labels=LABELLED), NONE),
    ("no label at all", [rule(labels=["x"])], video(), NONE),
    ("labels have their case", [rule(labels=["X"])], video(labels=LABELLED), NONE),
    ("label and video", [rule(labels=["x"], video=[pixels(None, HD)])], video(labels=LABELLED), key()),
    ("label without video", [rule(labels=["x"], video=[pixels(None, 1)])], video(labels=LABELLED), NONE),
    ("a period", [rule(periods=["p1"])], video(periods=frozenset({"p1"})), key()),
    ("another period", [rule(periods=["p2"])], video(periods=frozenset({"p1"})), NONE),
    ("one period of two", [rule(periods=["p2", "p1"])], audio(periods=frozenset({"p1"})), key()),
    ("no period", [rule(periods=["p1"])], video(periods=frozenset()), NONE),
    ("period and bitrate", [rule(periods=["p1"], bitrate=[bits(None, 1)])], video(periods=frozenset({"p1"})), NONE),
    ("one video filter of two", [rule(video=[pixels(None, 1), pixels(HD, HD)])], video(), key()),
    ("neither of two", [rule(video=[pixels(None, 1), pixels(HD + 1, None)])], video(), NONE),
    ("one audio filter of two", [rule(audio=[channels(6, 8), channels(1, 2)])], audio(), key()),
    ("one bitrate filter of two", [rule(bitrate=[bits(None, 1), bits(2, None)])], video(), key()),
    ("SD or HD", [SD_RULE, HD_RULE], video(), key(B, 1)),
    ("SD or HD, below", [SD_RULE, HD_RULE], video(pixels=HD - 1), key(A, 0)),
    ("SD or HD, sound", [SD_RULE, HD_RULE], audio(), NONE),
    ("two keys", [rule(A), rule(B)], video(), Ambiguous(kids=(A, B))),
    ("two keys for video only", [rule(A), rule(B, video=[VideoFilter()])], audio(), key(A, 0)),
    ("two keys at a common edge", [rule(A, video=[pixels(None, HD)]), HD_RULE], video(), Ambiguous(kids=(A, B))),
    ("one key twice", [rule(A), rule(A, video=[VideoFilter()])], video(), key(A, 0, 1)),
    ("a filter nobody knows", [rule(unknown=["{urn:x}F"])], video(), unusable("{urn:x}F")),
    ("… spoils the others", [rule(B), rule(A, unknown=["{urn:x}F"])], audio(), unusable("{urn:x}F")),
    ("… even where its rule could not match", [rule(B), rule(A, unknown=["F"], audio=[AudioFilter()])], video(),
     unusable("F")),
    ("pixels not known", [rule(video=[pixels(1, None)])], video(pixels=None), unusable("pixels")),
    ("frame rate not known", [rule(video=[fps(None, 30)])], video(fps=None), unusable("fps")),
    ("hdr not known", [rule(video=[VideoFilter(hdr=False)])], video(), unusable("hdr")),
    ("wcg not known", [rule(video=[VideoFilter(wcg=False)])], video(), unusable("wcg")),
    ("channels not known", [rule(audio=[channels(1, None)])], audio(channels=None), unusable("channels")),
    ("bitrate not known", [rule(bitrate=[bits(1, None)])], OTHER_UNKNOWN := Context(media=Media.OTHER),
     unusable("bitrate")),
    ("period not known", [rule(periods=["p1"])], video(), unusable("periods")),
    ("two facts not known", [rule(video=[pixels(1, 2), fps(1, 2)])], Context(media=Media.VIDEO),
     unusable("pixels", "fps")),
    ("sound needs no pixels", [rule(video=[pixels(1, None)])], audio(), NONE),
    ("video needs no channels", [rule(audio=[channels(1, None)])], video(), NONE),
    ("text needs neither", [rule(A, video=[pixels(1, 2)]), rule(B, audio=[channels(1, 2)])], OTHER_UNKNOWN, NONE),
    ("a fact that no filter asks for", [rule(video=[pixels(1, None)])], video(hdr=None), key()),
]  # fmt: skip


@pytest.mark.rule("backend:K6")
@pytest.mark.parametrize(("rules", "context", "outcome"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_piece_of_content_gets_its_key(rules: list[UsageRule], context: Context, outcome: Outcome) -> None:
    assert resolve(Document(rules=tuple(rules)), context) == outcome


@pytest.mark.rule("backend:K6")
def test_the_table_has_sixty_cases_and_every_outcome() -> None:
    assert len(CASES) >= 60
    assert {type(case[3]) for case in CASES} == {Key, NoKey, Impossible, Ambiguous, Unusable}


TYPED = (
    UsageRule(kid=A, intended_track_type="SD", video=(pixels(1, 2),)),
    UsageRule(kid=B, intended_track_type="HD"),
)


@pytest.mark.parametrize(
    ("track_type", "outcome"), [("SD", key(A)), ("HD", key(B, 1)), ("UHD", NONE), (None, unusable("track_type"))]
)
def test_a_track_type_selects_only_where_one_asks_for_it(track_type: str | None, outcome: Outcome) -> None:
    context = video(track_type=track_type)
    assert resolve(Document(rules=TYPED), context, Selector.TRACK_TYPE) == outcome
    assert resolve(Document(rules=TYPED), context) == key(B, 1)


PERIODS = (
    Period(id="clock", start_us=100, end_us=200),
    Period(id="lasting", start_us=200, duration_us=100),
    Period(id="offset", start_offset_us=0, end_offset_us=100),
    Period(id="indexed", index=7),
    Period(id="labelled", label="7"),
)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"clock_us": 99}, set()),
        ({"clock_us": 100}, {"clock"}),
        ({"clock_us": 199}, {"clock"}),
        ({"clock_us": 200}, {"lasting"}),
        ({"clock_us": 300}, set()),
        ({"offset_us": 0}, {"offset"}),
        ({"offset_us": 100}, set()),
        ({"index": 7}, {"indexed"}),
        ({}, set()),
    ],
)
def test_a_period_holds_its_start_and_not_its_end(where: dict[str, int], found: set[str]) -> None:
    assert periods_at(Document(periods=PERIODS), **where) == found


@given(st.permutations([SD_RULE, HD_RULE, rule(KIDS[2], audio=[AudioFilter()])]), st.integers(1, 10**7))
def test_the_order_of_rules_changes_no_key(rules: list[UsageRule], count: int) -> None:
    outcome = resolve(Document(rules=tuple(rules)), video(pixels=count))
    assert isinstance(outcome, Key)
    assert outcome.kid == (A if count < HD else B)
