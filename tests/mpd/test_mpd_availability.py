"""When segments come and go, and when the MPD is due again."""

from __future__ import annotations

import pytest

from player.mpd.availability import available_at, leaves_at, refresh_due
from player.mpd.model import Presentation
from player.mpd.parse import parse
from player.mpd.timeline import segment_index

AST_US = 1_767_225_600_000_000


def mpd(attributes: str, template: str = "") -> Presentation:
    head = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {attributes}><Period start="PT100S">'
    body = (
        '<AdaptationSet mimeType="video/mp4"><Representation id="v">'
        f'<SegmentTemplate media="m" duration="2" {template}/></Representation></AdaptationSet>'
    )
    return parse(f"{head}{body}</Period></MPD>".encode(), "http://o.example/")


def live(attributes: str = "", template: str = "") -> Presentation:
    return mpd(f'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" {attributes}', template)


@pytest.mark.rule("dash:T4")
@pytest.mark.parametrize(
    ("template", "expected_s"),
    [
        ("", 106),
        ('availabilityTimeOffset="1.5"', 104.5),
        ('availabilityTimeOffset="-0.5"', 106.5),
        ('availabilityTimeOffset="1000"', 0),
        ('availabilityTimeOffset="INF"', 0),
    ],
)
def test_a_segment_is_available_when_it_is_complete_or_earlier_where_the_mpd_says_so(
    template: str, expected_s: float
) -> None:
    presentation = live(template=template)
    (period,) = presentation.periods
    segment = segment_index(presentation, period, period.adaptation_sets[0].representations[0]).locate(105_000_000)
    assert segment is not None
    assert (segment.start_us, segment.end_us) == (104_000_000, 106_000_000)
    assert available_at(presentation, segment) == AST_US + int(expected_s * 1_000_000)


def test_a_segment_stays_for_the_time_shift_window_and_its_own_duration() -> None:
    presentation = live('timeShiftBufferDepth="PT24S"')
    (period,) = presentation.periods
    segment = segment_index(presentation, period, period.adaptation_sets[0].representations[0]).locate(100_000_000)
    assert segment is not None
    assert leaves_at(presentation, segment) == AST_US + (102 + 2 + 24) * 1_000_000
    assert leaves_at(live(), segment) is None
    ended = live('timeShiftBufferDepth="PT24S" availabilityEndTime="2026-01-01T00:02:00Z"')
    assert leaves_at(ended, segment) == AST_US + 120 * 1_000_000
    assert leaves_at(live('availabilityEndTime="2026-01-01T00:02:00Z"'), segment) == AST_US + 120 * 1_000_000


def test_on_demand_everything_is_there_for_ever() -> None:
    presentation = mpd('mediaPresentationDuration="PT104S" timeShiftBufferDepth="PT1S"')
    (period,) = presentation.periods
    segment = segment_index(presentation, period, period.adaptation_sets[0].representations[0]).locate(0)
    assert segment is not None
    assert (available_at(presentation, segment), leaves_at(presentation, segment)) == (0, None)
    assert refresh_due(presentation) is None


@pytest.mark.parametrize(
    ("period", "expected"), [("PT2S", 2_000_000), ("PT0.5S", 500_000), ("PT0.000001S", 100_000), ("PT0S", 3_000_000)]
)
def test_the_mpd_is_due_again_after_its_update_period_but_never_in_a_flood(period: str, expected: int) -> None:
    assert refresh_due(live(f'minimumUpdatePeriod="{period}"')) == expected


def test_without_an_update_period_the_mpd_is_never_due_again() -> None:
    assert refresh_due(live()) is None
