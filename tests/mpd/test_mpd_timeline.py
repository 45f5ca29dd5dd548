"""Segments computed on demand are those of the naive expansion, in exact integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.mpd.index_reads import IndexRead
from player.mpd.model import (
    AdaptationSet,
    Period,
    Presentation,
    Representation,
    Resource,
    Segment,
    SegmentBase,
    SegmentList,
    SegmentSource,
    SegmentTemplate,
    TimelineRun,
)
from player.mpd.timeline import SegmentIndex, segment_index

TEMPLATE = SegmentTemplate(
    timescale=1000, presentation_time_offset=0, start_number=1, end_number=None, duration=2000, runs=None,
    initialization="$RepresentationID$.mp4", media="$Number$-$Time$.m4s",
)  # fmt: skip
BASE = SegmentBase(
    timescale=1000,
    presentation_time_offset=0,
    initialization=Resource(url="http://o.example/a.mp4", byte_range=(0, 9)),
    index_range=(10, 19),
)


def play(
    source: SegmentSource,
    *,
    start_us: int = 0,
    duration_us: int | None = 10_000_000,
    dynamic: bool = False,
    update_us: int | None = 2_000_000,
    later: SegmentSource | None = None,
) -> tuple[Presentation, Period, Representation]:
    def period(name: str, of: SegmentSource, start: int, lasts: int | None) -> Period:
        one = Representation(
            id="v", bandwidth=1, mime_type="video/mp4", codecs="", base_urls=("http://o.example/",), source=of
        )
        group = AdaptationSet(id="1", kind="video", lang="", representations=(one,))
        return Period(id=name, start_us=start, duration_us=lasts, adaptation_sets=(group,))

    periods = [period("a", source, start_us, duration_us)]
    if later is not None:
        assert duration_us is not None
        periods.append(period("b", later, start_us + duration_us, None))
    presentation = Presentation(
        url="http://o.example/a.mpd",
        dynamic=dynamic,
        periods=tuple(periods),
        minimum_update_us=update_us if dynamic else None,
    )
    return presentation, periods[0], periods[0].adaptation_sets[0].representations[0]


def timeline(*runs: TimelineRun, timescale: int = 1000, offset: int = 0) -> SegmentTemplate:
    return replace(TEMPLATE, duration=None, runs=runs, timescale=timescale, presentation_time_offset=offset)


def walk(index: SegmentIndex, limit: int = 1000) -> list[Segment]:
    found: list[Segment] = []
    segment = index.locate(-(1 << 60))
    while segment is not None and len(found) < limit:
        found.append(segment)
        segment = index.after(segment)
    return found


# ── by number ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_template_with_a_duration_is_numbered_from_the_start_of_its_period() -> None:
    source = replace(TEMPLATE, start_number=5, presentation_time_offset=700)
    index = segment_index(*play(source, start_us=100_000_000, duration_us=5_000_000))
    assert index.initialization == Resource(url="http://o.example/v.mp4")
    assert [(s.number, s.time, s.start_us, s.end_us, s.resource.url) for s in walk(index)] == [
        (5, 700, 100_000_000, 102_000_000, "http://o.example/5-700.m4s"),
        (6, 2700, 102_000_000, 104_000_000, "http://o.example/6-2700.m4s"),
        (7, 4700, 104_000_000, 105_000_000, "http://o.example/7-4700.m4s"),  # cut by the end of the Period
    ]
    assert index.ended
    assert index.locate(104_999_999) is not None
    assert index.locate(105_000_000) is None


def test_an_open_period_has_segments_without_end() -> None:
    index = segment_index(*play(TEMPLATE, duration_us=None, dynamic=True))
    far = index.locate(1 << 70)
    assert far is not None
    assert far.start_us <= 1 << 70 < far.end_us
    following = index.after(far)
    assert following is not None
    assert following.start_us == far.end_us
    assert not index.ended


def test_the_end_number_ends_the_segments() -> None:
    index = segment_index(*play(replace(TEMPLATE, end_number=3), duration_us=None, dynamic=True))
    assert [s.number for s in walk(index)] == [1, 2, 3]
    assert index.ended
    assert walk(segment_index(*play(replace(TEMPLATE, end_number=0)))) == []


# ── by timeline ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_a_gap_comes_the_next_segment() -> None:
    index = segment_index(*play(timeline(TimelineRun(0, 1000, 1, 1), TimelineRun(5000, 1000, 0, 3))))
    assert [s.number for s in walk(index)] == [1, 2, 3]
    gap = index.locate(3_000_000)
    assert gap is not None
    assert gap.number == 3
    assert index.locate(6_000_000) is None


def test_a_segment_of_an_earlier_version_leads_to_what_follows_it_now() -> None:
    before = segment_index(*play(timeline(TimelineRun(0, 1000, 3, 1)), dynamic=True, duration_us=None))
    now = segment_index(*play(timeline(TimelineRun(2000, 1000, 3, 3)), dynamic=True, duration_us=None))
    segments = walk(before)
    assert [now.after(s) and now.after(s).number for s in segments] == [3, 3, 4, 5]  # type: ignore[union-attr]
    assert before.after(segments[-1]) is None


def test_what_lies_outside_the_period_is_not_its_segment() -> None:
    source = timeline(TimelineRun(0, 1000, 99, 1), offset=2500)
    index = segment_index(*play(source, start_us=60_000_000, duration_us=3_000_000))
    assert [(s.number, s.start_us) for s in walk(index)] == [
        (3, 59_500_000),
        (4, 60_500_000),
        (5, 61_500_000),
        (6, 62_500_000),
    ]


@pytest.mark.parametrize(
    ("source", "options", "ended"),
    [
        (timeline(TimelineRun(0, 1000, 3, 1)), {}, True),
        (timeline(), {}, True),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True, "duration_us": None}, False),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True, "update_us": None, "duration_us": None}, True),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True}, False),
        (timeline(TimelineRun(0, 1000, 9, 1)), {"dynamic": True}, True),
        (timeline(TimelineRun(0, 970, 9, 1)), {"dynamic": True}, True),  # audio ends a little early
        (timeline(TimelineRun(0, 1000, -1, 1)), {"dynamic": True}, True),
        (timeline(TimelineRun(0, 1000, -1, 1)), {"dynamic": True, "duration_us": None}, False),
        (timeline(), {"dynamic": True}, False),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True, "later": timeline()}, False),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True, "later": TEMPLATE}, False),
        (timeline(TimelineRun(0, 1000, 3, 1)), {"dynamic": True, "later": timeline(TimelineRun(0, 9, 0, 1))}, True),
        (TEMPLATE, {"dynamic": True}, True),
    ],
)
def test_ended_says_whether_anything_can_still_come(
    source: SegmentSource, options: dict[str, int], ended: bool
) -> None:
    assert segment_index(*play(source, **options)).ended is ended  # type: ignore[arg-type]


@st.composite
def timelines(draw: st.DrawFn) -> tuple[SegmentTemplate, int, int | None]:
    """A timeline, the start of its Period and its duration (µs)."""
    timescale = draw(st.sampled_from([1, 7, 1000, 12_800, 44_100, 90_000, 10_000_000]))
    time = origin = draw(st.sampled_from([0, 5, 1 << 54, (1 << 63) + 1]))
    number, runs = draw(st.integers(0, 9)), []
    for _ in range(draw(st.integers(0, 6))):
        duration, repeat = draw(st.integers(1, 5 * timescale)), draw(st.integers(0, 5))
        runs.append(TimelineRun(time, duration, repeat, number))
        time += duration * (repeat + 1) + draw(st.sampled_from([0, 0, 1, timescale]))
        number += repeat + 1
    offset = origin + draw(st.integers(0, 3 * timescale))
    lasts_us = draw(st.one_of(st.none(), st.integers(1, 30_000_000)))
    source = timeline(*runs, timescale=timescale, offset=offset)
    return source, draw(st.sampled_from([0, 1, 60_000_001])), lasts_us


def naive(source: SegmentTemplate, start_us: int, lasts_us: int | None) -> list[tuple[int, int, int, int]]:
    """(number, ticks, start, end) of every segment that overlaps the Period, in rational numbers."""
    found = []
    for run in source.runs or ():
        for k in range(run.repeat + 1):
            time = run.time + k * run.duration
            starts, ends = (
                Fraction(tick - source.presentation_time_offset, source.timescale) * 1_000_000
                for tick in (time, time + run.duration)
            )
            if ends > 0 and (lasts_us is None or starts < lasts_us):
                found.append((run.number + k, time, start_us + floor(starts), start_us + floor(ends)))
    return found


@pytest.mark.rule("decisions:D2")
@given(timelines(), st.integers(-5_000_000, 40_000_000))
def test_a_timeline_gives_the_segments_of_its_naive_expansion(
    drawn: tuple[SegmentTemplate, int, int | None], at_us: int
) -> None:
    source, start_us, lasts_us = drawn
    index = segment_index(*play(source, start_us=start_us, duration_us=lasts_us))
    expected = naive(source, start_us, lasts_us)
    assert [(s.number, s.time, s.start_us, s.end_us) for s in walk(index)] == expected
    located = index.locate(start_us + at_us)
    reached = [s for s in expected if s[3] > start_us + at_us]
    assert (located and located.number) == (reached[0][0] if reached else None)


@given(st.integers(1, 10_000_000), st.integers(1, 1 << 40), st.integers(0, 1 << 60), st.integers(0, 1 << 50))
def test_segments_by_number_touch_and_contain_what_they_are_asked_for(
    timescale: int, duration: int, offset: int, at_us: int
) -> None:
    source = replace(TEMPLATE, timescale=timescale, duration=duration, presentation_time_offset=offset)
    index = segment_index(*play(source, duration_us=None, dynamic=True))
    segment = index.locate(at_us)
    assert segment is not None
    assert segment.start_us <= at_us < segment.end_us or segment.start_us == at_us == segment.end_us
    following = index.after(segment)
    assert following is not None
    assert (following.number, following.start_us) == (segment.number + 1, segment.end_us)


# ── SegmentBase and SegmentList ──────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_base_has_no_segments_until_its_sidx_is_known() -> None:
    content = play(BASE)
    index = segment_index(*content)
    assert index.index == Resource(url="http://o.example/", byte_range=(10, 19))
    assert (index.locate(0), index.initialization) == (None, BASE.initialization)
    references = ((0, 2000, 20, 100, False), (2000, 0, 0, 9, False), (2000, 1500, 120, 50, False))
    known = segment_index(*content, IndexRead(1000, references, 10, 20))
    assert known.index is None
    assert [(s.number, s.start_us, s.end_us, s.resource) for s in walk(known)] == [
        (0, 0, 2_000_000, Resource(url="http://o.example/", byte_range=(20, 119))),
        (1, 2_000_000, 3_500_000, Resource(url="http://o.example/", byte_range=(120, 169))),
    ]
    assert known.ended


def test_a_sidx_may_have_another_timescale_than_the_mpd_says() -> None:
    source = replace(BASE, timescale=1, presentation_time_offset=2)
    references = ((0, 25_600, 20, 9, False), (25_600, 25_600, 29, 9, False))
    index = segment_index(*play(source), IndexRead(12_800, references, 10, 20))
    assert [(s.number, s.start_us, s.timescale, s.resource.byte_range) for s in walk(index)] == [
        (1, 0, 12_800, (29, 37))
    ]


LIST = SegmentList(
    timescale=1, presentation_time_offset=0, start_number=4, duration=3, runs=None, initialization=None,
    segments=tuple(Resource(url=f"http://o.example/{name}") for name in "abcde"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LIST, [(4, 0, 3, "a"), (5, 3, 6, "b"), (6, 6, 9, "c"), (7, 9, 10, "d")]),
        (replace(LIST, presentation_time_offset=3), [(4, 0, 3, "a"), (5, 3, 6, "b"), (6, 6, 9, "c"), (7, 9, 10, "d")]),
        (replace(LIST, duration=None, segments=LIST.segments[:1]), [(4, 0, 10, "a")]),
        (
            replace(LIST, duration=None, presentation_time_offset=4, runs=(TimelineRun(0, 2, 8, 77),)),
            [(6, 0, 2, "c"), (7, 2, 4, "d"), (8, 4, 6, "e")],
        ),
        (replace(LIST, duration=None, runs=()), []),
    ],
)
def test_a_segment_list_gives_its_resources_in_order(
    source: SegmentList, expected: list[tuple[int, int, int, str]]
) -> None:
    found = walk(segment_index(*play(source)))
    assert [(s.number, s.start_us // 1_000_000, s.end_us // 1_000_000, s.resource.url[-1]) for s in found] == expected
