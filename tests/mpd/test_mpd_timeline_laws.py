"""Laws of every segment index, whatever the timeline: over parsed documents, so that reading them is held to it too."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import ManifestError
from player.mpd.document import MAX_ELEMENTS
from player.mpd.model import Presentation, Segment
from player.mpd.parse import parse
from player.mpd.timeline import SegmentIndex, segment_index

FAR = 1 << 60  # ticks
TIMESCALES = st.sampled_from([1, 7, 1000, 12_800, 44_100, 90_000, 10_000_000])

S = tuple[int, int, int]
"""Duration, repetitions and parts of one S."""


def document(
    timescale: int, rows: list[S], *, origin: int = 0, lasts: str = "", gaps: frozenset[int] = frozenset()
) -> str:
    """Rows that follow each other from `origin` on, with a gap of one second before some of them."""
    time, elements = origin, []
    for position, (duration, repeat, parts) in enumerate(rows):
        time += timescale * (position in gaps)
        elements.append(f'<S t="{time}" d="{duration}" r="{repeat}" k="{parts}"/>')
        time += duration * (repeat + 1)
    return mpd(timescale, "".join(elements), origin, lasts)


def mpd(timescale: int, elements: str, origin: int = 0, lasts: str = "") -> str:
    return (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" '
        f'minimumUpdatePeriod="PT2S"><Period id="p" start="PT9S" {lasts}><AdaptationSet mimeType="video/mp4">'
        f'<SegmentTemplate timescale="{timescale}" presentationTimeOffset="{origin}" '
        'media="$Number$.$SubNumber$-$Time$">'
        f'<SegmentTimeline>{elements}</SegmentTimeline></SegmentTemplate><Representation id="v" bandwidth="1"/>'
        "</AdaptationSet></Period></MPD>"
    )


def index_of(text: str) -> SegmentIndex:
    presentation: Presentation = parse(text.encode(), "http://o.example/")
    (period,) = presentation.periods
    return segment_index(presentation, period, period.adaptation_sets[0].representations[0])


def all_of(index: SegmentIndex) -> list[Segment]:
    found: list[Segment] = []
    segment = index.locate(-(1 << 70))
    while segment is not None:
        found.append(segment)
        segment = index.after(segment)
    return found


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, list[S]]:
    timescale = draw(TIMESCALES)
    durations = st.integers(1, 5 * timescale)
    found = []
    for duration, repeat in draw(st.lists(st.tuples(durations, st.integers(0, 4)), max_size=6)):
        found.append((duration, repeat, draw(st.integers(1, min(duration, 5)))))
    return timescale, found


@pytest.mark.rule("dash:T2")
@given(rows())
def test_segments_touch_without_gap_or_overlap(drawn: tuple[int, list[S]]) -> None:
    segments = all_of(index_of(document(*drawn)))
    assert len(segments) == sum((repeat + 1) * parts for _, repeat, parts in drawn[1])
    for one, following in pairwise(segments):
        assert (one.end_us, one.time + one.duration) == (following.start_us, following.time)


@given(rows(), st.frozensets(st.integers(0, 5)), st.integers(0, 40_000_000))
def test_what_is_located_at_the_start_of_a_segment_is_that_segment(
    drawn: tuple[int, list[S]], gaps: frozenset[int], at_us: int
) -> None:
    index = index_of(document(*drawn, gaps=gaps))
    segments = all_of(index)
    for segment in segments:
        if segment.start_us < segment.end_us:  # a tick of 100 ns and the next are one microsecond
            assert index.locate(segment.start_us) == segment
    reached = [segment for segment in segments if segment.end_us > at_us]
    located = index.locate(at_us)
    assert located == (reached[0] if reached else None)


@pytest.mark.rule("dash:T2")
@given(rows(), st.data())
def test_splitting_a_run_in_two_changes_nothing(drawn: tuple[int, list[S]], data: st.DataObject) -> None:
    timescale, whole = drawn
    split: list[S] = []
    for duration, repeat, parts in whole:
        first = data.draw(st.integers(0, repeat))
        split.append((duration, first, parts))
        if first < repeat:
            split.append((duration, repeat - first - 1, parts))
    assert all_of(index_of(document(timescale, split))) == all_of(index_of(document(timescale, whole)))


@pytest.mark.rule("dash:T2")
@given(rows(), st.one_of(st.just(""), st.integers(1, 20).map(lambda s: f'duration="PT{s}S"')))
def test_far_from_zero_nothing_changes_but_the_times(drawn: tuple[int, list[S]], lasts: str) -> None:
    near = all_of(index_of(document(*drawn, lasts=lasts)))
    far = all_of(index_of(document(*drawn, origin=FAR, lasts=lasts)))
    assert [moved(segment) for segment in near] == far


def moved(segment: Segment) -> Segment:
    head, _, time = segment.resource.url.rpartition("-")
    url = f"{head}-{int(time) + FAR}"
    return segment._replace(time=segment.time + FAR, resource=replace(segment.resource, url=url))


@given(rows())
def test_times_and_numbers_may_be_left_out_where_they_follow(drawn: tuple[int, list[S]]) -> None:
    spelled = document(*drawn)
    implied = re.sub(r' t="\d+"| r="0"| k="1"', "", spelled)
    assert all_of(index_of(implied)) == all_of(index_of(spelled))


@given(st.integers(1, 1000), st.integers(1, 9), st.integers(0, 9))
def test_a_run_up_to_the_next_is_as_one_that_is_counted(duration: int, count: int, parts: int) -> None:
    parts = min(max(parts, 1), duration)
    tail = f'<S t="{duration * count}" d="5"/>'
    counted = mpd(1000, f'<S t="0" d="{duration}" r="{count - 1}" k="{parts}"/>{tail}')
    open_run = mpd(1000, f'<S t="0" d="{duration}" r="-1" k="{parts}"/>{tail}')
    assert all_of(index_of(open_run)) == all_of(index_of(counted))


@pytest.mark.rule("dash:T6")
def test_a_million_elements_are_refused_and_many_are_read() -> None:
    with pytest.raises(ManifestError, match="more than") as caught:
        parse(mpd(1, '<S d="1"/>' * 2 * MAX_ELEMENTS).encode(), "http://o.example/")
    assert caught.value.code == "too-large"
    index = index_of(mpd(1, '<S d="1"/>' * 20_000))
    assert index.locate(20_008_000_000) is not None
    assert index.locate(20_009_000_000) is None
