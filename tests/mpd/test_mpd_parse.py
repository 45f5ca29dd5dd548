"""MPD, Period, AdaptationSet, Representation: what is inherited, what is computed, what a broken part costs."""

from __future__ import annotations

from typing import cast

import pytest

from player.errors import ManifestError
from player.mpd.model import AdaptationSet, Presentation, SegmentBase, SegmentList, SegmentTemplate, TimelineRun
from player.mpd.parse import parse

URL = "http://origin.example/live/a.mpd?token=1"
TEMPLATE = '<SegmentTemplate duration="2" media="$Number$.m4s" initialization="i.mp4"/>'
REPRESENTATION = (
    f'<Representation id="v" bandwidth="9" mimeType="video/mp4" codecs="avc1.42c00c">{TEMPLATE}</Representation>'
)
SET = f"<AdaptationSet>{REPRESENTATION}</AdaptationSet>"


def mpd(body: str, attributes: str = 'mediaPresentationDuration="PT60S"') -> Presentation:
    head = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>'
    return parse(f"{head}{body}</MPD>".encode(), URL)


def only_set(body: str) -> AdaptationSet:
    (found,) = mpd(f"<Period>{body}</Period>").periods[0].adaptation_sets
    return found


def timeline(runs: str, attributes: str = "") -> str:
    return f'<SegmentTemplate media="m" {attributes}><SegmentTimeline>{runs}</SegmentTimeline></SegmentTemplate>'


def template(representation: str, *, in_set: str = "", in_period: str = "") -> SegmentTemplate:
    body = f"<Period>{in_period}<AdaptationSet mimeType='video/mp4'>{in_set}<Representation id='v'>{representation}"
    source = (
        mpd(f"{body}</Representation></AdaptationSet></Period>").periods[0].adaptation_sets[0].representations[0].source
    )
    return cast(SegmentTemplate, source)


# ── the presentation ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_live_mpd_gives_all_its_times_in_microseconds() -> None:
    presentation = mpd(
        f'<Location>b.mpd</Location><Location>http://x.example/c.mpd</Location><Period start="PT0S">{SET}</Period>'
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-01T00:00:00Z"/>',
        'type="dynamic" availabilityStartTime="1970-01-01T00:00:10Z" availabilityEndTime="1970-01-01T01:00:00Z"'
        ' publishTime="1970-01-01T00:00:11.5Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT24S"'
        ' suggestedPresentationDelay="PT6S"',
    )
    assert presentation.dynamic
    assert presentation.url == URL
    assert presentation.duration_us is None
    assert presentation.availability_start_wall_us == 10_000_000
    assert presentation.availability_end_wall_us == 3_600_000_000
    assert presentation.publish_wall_us == 11_500_000
    assert presentation.minimum_update_us == 2_000_000
    assert presentation.time_shift_us == 24_000_000
    assert presentation.suggested_delay_us == 6_000_000
    assert presentation.locations == ("http://origin.example/live/b.mpd", "http://x.example/c.mpd")
    assert presentation.utc_timings == (("urn:mpeg:dash:utc:direct:2014", "2026-01-01T00:00:00Z"),)
    assert presentation.periods[0].duration_us is None
    assert presentation.warnings == ()


def test_a_static_mpd_is_never_refreshed_whatever_it_says() -> None:
    presentation = mpd(f"<Period>{SET}</Period>", 'mediaPresentationDuration="PT9S" minimumUpdatePeriod="PT2S"')
    assert (presentation.dynamic, presentation.minimum_update_us, presentation.duration_us) == (False, None, 9_000_000)


def test_a_bad_attribute_of_the_mpd_is_a_warning() -> None:
    presentation = mpd(f"<Period>{SET}</Period>", 'type="dynamic" minimumUpdatePeriod="often" timeShiftBufferDepth="1"')
    assert (presentation.minimum_update_us, presentation.time_shift_us) == (None, None)
    assert [warning.partition(":")[0] for warning in presentation.warnings] == [
        "/MPD"
    ] * 3  # and no availabilityStartTime


# ── Periods ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LIVE = 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("attributes", "periods", "expected"),
    [
        ('mediaPresentationDuration="PT60S"', [""], [(0, 60)]),
        ('mediaPresentationDuration="PT60S"', ['start="PT10S"'], [(10, 50)]),
        ('mediaPresentationDuration="PT60S"', ['duration="PT20S"', ""], [(0, 20), (20, 40)]),
        ('mediaPresentationDuration="PT60S"', ["", 'start="PT15S"'], [(0, 15), (15, 45)]),
        ('mediaPresentationDuration="PT60S"', ['duration="PT20S"', 'start="PT15S"'], [(0, 15), (15, 45)]),
        ('mediaPresentationDuration="PT60S"', ['duration="PT5S"', 'start="PT15S"'], [(0, 15), (15, 45)]),
        ('mediaPresentationDuration="PT60S"', ["", ""], [(0, 60)]),  # nobody says where the second starts
        ('mediaPresentationDuration="PT60S"', ['start="PT30S"', 'start="PT10S"'], [(30, 30)]),
        ('mediaPresentationDuration="PT60S"', ['start="PT70S"', ""], []),
        ('mediaPresentationDuration="PT60S"', ['start="soon"', 'start="PT8S"'], [(8, 52)]),
        ("", ['duration="PT5S"'], [(0, 5)]),
        (LIVE, ['start="PT100S"'], [(100, None)]),
        (LIVE, [""], [(0, None)]),
        (LIVE, ['start="PT0S"', 'start="PT8S"', ""], [(0, 8), (8, None)]),  # the third is early available
        (LIVE, ['start="PT0S" duration="PT8S"', 'duration="PT8S"', ""], [(0, 8), (8, 8), (16, None)]),
    ],
)
def test_a_period_gets_its_start_and_duration(
    attributes: str, periods: list[str], expected: list[tuple[int, int | None]]
) -> None:
    body = "".join(f"<Period {period}>{SET}</Period>" for period in periods)
    if not expected:
        with pytest.raises(ManifestError, match="nothing to play"):
            mpd(body, attributes)
        return
    presentation = mpd(body, attributes)
    assert [
        (period.start_us // 1_000_000, period.duration_us and period.duration_us // 1_000_000)
        for period in presentation.periods
    ] == expected
    assert len(presentation.warnings) >= len(periods) - len(expected)


def test_a_period_without_an_id_of_its_own_is_named_by_its_start() -> None:
    body = f'<Period id="x" duration="PT5S">{SET}</Period>' + f'<Period duration="PT1S">{SET}</Period>' * 2
    presentation = mpd(body + f'<Period id="x">{SET}</Period>')
    assert [period.id for period in presentation.periods] == ["x", "p5000000", "p6000000", "p7000000"]
    taken = mpd(f'<Period id="p5000000" duration="PT5S">{SET}</Period><Period>{SET}</Period>')
    assert [period.id for period in taken.periods] == ["p5000000", "p5000000'"]
    assert presentation.warnings == ("/MPD/Period[4]: @id 'x' is taken",)


def test_a_remote_period_is_left_out_with_a_warning() -> None:
    presentation = mpd(f'<Period duration="PT5S">{SET}</Period><Period xlink:href="http://evil.example/"/>')
    assert len(presentation.periods) == 1
    assert presentation.warnings == ("/MPD/Period[2]: left out: a remote Period is not fetched",)


def test_segments_without_end_in_a_static_mpd_are_refused() -> None:
    with pytest.raises(ManifestError, match="segments without end"):
        mpd(f"<Period>{SET}</Period>", "")


def test_events_lie_on_the_presentation_timeline_and_keep_their_text() -> None:
    stream = (
        '<EventStream schemeIdUri="urn:x" value="v" timescale="1000" presentationTimeOffset="500">'
        '<Event presentationTime="2500" duration="8000" id="3">{"idx":2}</Event><Event messageData="old"/>'
        '<Event presentationTime="never"/><Event id="a"><b>bold</b> text</Event></EventStream>'
        '<EventStream schemeIdUri="urn:y" timescale="0"/>'
    )
    presentation = mpd(f'<Period start="PT10S">{stream}{SET}</Period>')
    (found,) = presentation.periods[0].event_streams
    assert (found.scheme, found.value) == ("urn:x", "v")
    assert [(event.id, event.start_us, event.duration_us, event.text) for event in found.events] == [
        ("3", 12_000_000, 8_000_000, '{"idx":2}'),
        ("", 9_500_000, None, "old"),
        ("a", 9_500_000, None, "bold text"),
    ]
    assert [warning.partition(":")[0] for warning in presentation.warnings] == [
        "/MPD/Period[1]/EventStream[1]/Event[3]",
        "/MPD/Period[1]/EventStream[2]",
    ]


# ── base URLs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (("", "", "", ""), [URL]),
        (("../vod/", "", "v/", ""), ["http://origin.example/vod/v/"]),
        (("http://a.example/", "", "", "x.mp4"), ["http://a.example/x.mp4"]),
        (("/", "http://b.example/p/", "", "x.mp4"), ["http://b.example/p/x.mp4"]),
        (("\n http://a.example/x/ \n", "", "", ""), ["http://a.example/x/"]),
        (("http://a.example/|http://b.example/", "", "", "x"), ["http://a.example/x", "http://b.example/x"]),
        (("http://[bad/|http://b.example/", "", "", ""), ["http://b.example/"]),
        (("http://[bad/", "", "", ""), [URL]),
        (("a/|b/|c/", "d/|e/|f/", "g/|h/|i/", ""), None),
    ],
)
def test_base_urls_are_absolute_and_inherited(levels: tuple[str, ...], expected: list[str] | None) -> None:
    of_mpd, of_period, of_set, of_representation = (
        "".join(f"<BaseURL>{url}</BaseURL>" for url in level.split("|") if url) for level in levels
    )
    presentation = mpd(
        f"{of_mpd}<Period>{of_period}<AdaptationSet mimeType='video/mp4'>{of_set}"
        f"<Representation id='v'>{of_representation}{TEMPLATE}</Representation></AdaptationSet></Period>"
    )
    urls = presentation.periods[0].adaptation_sets[0].representations[0].base_urls
    assert len(urls) == 16 if expected is None else list(urls) == expected
    assert bool(presentation.warnings) == ("[bad" in levels[0])


# ── AdaptationSets ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("of_set", "of_representation", "kind"),
    [
        ('contentType="audio" mimeType="video/mp4"', "", "audio"),
        ('mimeType="video/mp4"', "", "video"),
        ("", 'mimeType="audio/mp4"', "audio"),
        ('mimeType="application/mp4"', 'codecs="stpp"', "text"),
        ('mimeType="application/mp4"', 'codecs="avc1.64001f,mp4a.40.2"', "video"),
        ("", 'codecs="opus"', "audio"),
        ('mimeType="application/ttml+xml"', "", "text"),
        ('mimeType="image/jpeg"', "", "image"),
        ('contentType="application"', "", "unknown"),
    ],
)
def test_the_kind_of_a_set(of_set: str, of_representation: str, kind: str) -> None:
    representation = f"<Representation id='v' {of_representation}>{TEMPLATE}</Representation>"
    assert only_set(f"<AdaptationSet {of_set}>{representation}</AdaptationSet>").kind == kind


def test_a_set_hands_down_type_codec_and_size() -> None:
    found = only_set(
        '<AdaptationSet lang="de" mimeType="video/mp4" codecs="avc1" width="320" height="180"><Role value="main"/>'
        f"<Representation id='a' bandwidth='1'>{TEMPLATE}</Representation>"
        f"<Representation id='b' height='360' width='-1' codecs='hvc1'>{TEMPLATE}</Representation></AdaptationSet>"
    )
    assert (found.id, found.lang, found.roles) == ("1", "de", ("main",))
    described = [(one.id, one.mime_type, one.codecs, one.width, one.height) for one in found.representations]
    assert described == [("a", "video/mp4", "avc1", 320, 180), ("b", "video/mp4", "hvc1", 320, 360)]


def test_trick_mode_and_unknown_essential_properties_are_left_out() -> None:
    trick = '<AdaptationSet id="t"><EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="1"/>'
    unknown = '<AdaptationSet id="u"><EssentialProperty schemeIdUri="urn:new"/>'
    colour = '<AdaptationSet id="c"><EssentialProperty schemeIdUri="urn:mpeg:mpegB:cicp:ColourPrimaries" value="9"/>'
    sets = "".join(f"{head}{REPRESENTATION}</AdaptationSet>" for head in (trick, unknown, colour))
    presentation = mpd(f"<Period>{sets}</Period>")
    assert [one.id for one in presentation.periods[0].adaptation_sets] == ["c"]
    assert presentation.warnings == (
        "/MPD/Period[1]/AdaptationSet[2]: left out: EssentialProperty 'urn:new' is not known",
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (timeline("<S/>"), "S[1]: no @d"),
        (timeline('<S d="0"/>'), "S[1]: 0"),
        (timeline('<S d="3" k="4"/>'), "S[1]: @k: 4 parts of 3 ticks"),
        ('<SegmentTemplate media="x" duration="2" k="3"/>', "SegmentTemplate[1]: @k"),
        (timeline('<S d="9" r="4"/><S t="3" d="1"/>'), "SegmentTimeline[1]: S[2]: @t 3"),
        (timeline('<S d="9" r="-1"/><S d="1"/>'), "S[2]: no @t"),
        ("", "no SegmentTemplate"),
        ('<SegmentTemplate duration="2"/>', "SegmentTemplate[1]: no @media"),
        ('<SegmentTemplate media="x"/>', "neither @duration nor SegmentTimeline"),
        ('<SegmentTemplate media="x" duration="0"/>', "@duration: 0"),
        ('<SegmentTemplate media="x" duration="2" timescale="fast"/>', "@timescale: 'fast'"),
        ('<SegmentTemplate media="x" duration="2" startNumber="-1"/>', "@startNumber"),
        ('<SegmentTemplate media="$Nubmer$" duration="2"/>', "unknown identifier '$Nubmer$'"),
        ('<SegmentTemplate media="$Number" duration="2"/>', "single '$'"),
        ('<SegmentTemplate media="$Number%099d$" duration="2"/>', "width 99"),
        ('<SegmentTemplate media="http://[x/" duration="2"/>', "SegmentTemplate[1]"),
        ('<SegmentBase indexRange="9-1"/>', "@indexRange"),
        ("<SegmentList duration='2'/>", "no SegmentURL"),
        ("<SegmentList><SegmentURL/><SegmentURL/></SegmentList>", "neither @duration"),
        ("<SegmentList duration='2'><SegmentURL mediaRange='x'/></SegmentList>", "SegmentURL[1]: @mediaRange"),
    ],
)
def test_a_broken_representation_costs_only_itself(broken: str, words: str) -> None:
    presentation = mpd(
        f"<Period><AdaptationSet mimeType='video/mp4'><Representation id='w'>{broken}</Representation>{REPRESENTATION}"
        "</AdaptationSet></Period>"
    )
    assert [one.id for one in presentation.periods[0].adaptation_sets[0].representations] == ["v"]
    (warning,) = presentation.warnings
    assert warning.startswith("/MPD/Period[1]/AdaptationSet[1]/Representation[1]")
    assert words in warning


def test_a_broken_set_costs_only_itself() -> None:
    presentation = mpd(f"<Period><AdaptationSet mimeType='video/mp4'/>{SET}</Period>")
    assert len(presentation.periods[0].adaptation_sets) == 1
    assert presentation.warnings == ("/MPD/Period[1]/AdaptationSet[1]: no Representation that can be played",)


def test_nothing_to_play_names_the_first_reason() -> None:
    with pytest.raises(ManifestError, match=r"nothing to play .*AdaptationSet\[1\]/Representation\[1\]: no Segment"):
        mpd("<Period><AdaptationSet mimeType='video/mp4'><Representation id='w'/></AdaptationSet></Period>")


# ── addressing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_template_is_inherited_attribute_by_attribute() -> None:
    found = template(
        '<SegmentTemplate startNumber="7"/>',
        in_set='<SegmentTemplate media="$Time$" timescale="48000" startNumber="5" availabilityTimeOffset="1.5"/>',
        in_period='<SegmentTemplate timescale="9" duration="96000" initialization="i" presentationTimeOffset="4"'
        ' endNumber="90"/>',
    )
    assert found == SegmentTemplate(
        timescale=48_000,
        presentation_time_offset=4,
        start_number=7,
        end_number=90,
        duration=96_000,
        runs=None,
        initialization="i",
        media="$Time$",
        availability_time_offset_us=1_500_000,
    )


def test_the_inner_one_of_duration_and_timeline_counts() -> None:
    timeline = "<SegmentTimeline><S d='4'/></SegmentTimeline>"
    inner_timeline = template(
        f"<SegmentTemplate>{timeline}</SegmentTemplate>", in_set='<SegmentTemplate media="m" duration="2"/>'
    )
    assert (inner_timeline.duration, inner_timeline.runs) == (None, (TimelineRun(0, 4, 0, 1),))
    inner_duration = template(
        '<SegmentTemplate duration="2"/>', in_set=f'<SegmentTemplate media="m">{timeline}</SegmentTemplate>'
    )
    assert (inner_duration.duration, inner_duration.runs) == (2, None)


@pytest.mark.parametrize(
    ("of_base", "of_template", "expected"),
    [
        ("", "", 0),
        ("2", "", 2_000_000),
        ("", "3", 3_000_000),
        ("2", "3", 5_000_000),
        ("INF", "3", None),
        ("2", "INF", None),
    ],
)
def test_availability_offsets_add_up(of_base: str, of_template: str, expected: int | None) -> None:
    base = f'<BaseURL availabilityTimeOffset="{of_base}">x/</BaseURL>' if of_base else ""
    attribute = f'availabilityTimeOffset="{of_template}"' if of_template else ""
    found = template(f'{base}<SegmentTemplate media="m" duration="2" {attribute}/>')
    assert found.availability_time_offset_us == expected


def test_a_timeline_keeps_its_runs_with_times_and_numbers_resolved() -> None:
    first, then = '<S t="100" d="20" r="2"/><S d="30"/>', '<S t="290" d="10" r="1"/><S n="50" d="5" r="-1"/>'
    runs = f'{first}<S t="200" d="25" r="-1"/>{then}'
    found = template(timeline(runs, 'startNumber="10"'))
    assert found.runs == (
        TimelineRun(100, 20, 2, 10),
        TimelineRun(160, 30, 0, 13),
        TimelineRun(200, 25, 3, 14),  # until the next: 200, 225, 250, 275
        TimelineRun(290, 10, 1, 18),
        TimelineRun(310, 5, -1, 50),
    )


def test_an_empty_timeline_is_a_live_stream_before_its_first_segment() -> None:
    assert template(timeline("")).runs == ()


def test_a_template_may_have_an_initialization_element() -> None:
    assert template(
        '<SegmentTemplate media="m" duration="2"><Initialization sourceURL="a$b.mp4"/></SegmentTemplate>'
    ).initialization == ("http://origin.example/live/a$$b.mp4")


def test_segment_base_and_segment_list_give_absolute_resources() -> None:
    body = (
        "<AdaptationSet mimeType='video/mp4'>"
        "<SegmentBase timescale='90000'><Initialization range='0-99'/></SegmentBase>"
        "<Representation id='b'><BaseURL>b.mp4</BaseURL><SegmentBase indexRange='100-199'/></Representation>"
        "<Representation id='l'><BaseURL>l/</BaseURL><SegmentList duration='2'><Initialization sourceURL='i.mp4'/>"
        "<SegmentURL media='1.m4s'/><SegmentURL mediaRange='0-9'/></SegmentList></Representation></AdaptationSet>"
    )
    base, listed = (one.source for one in only_set(body).representations)
    assert isinstance(base, SegmentBase)
    assert base.timescale == 90_000
    assert base.index_range == (100, 199)
    assert base.initialization is not None
    assert (base.initialization.url, base.initialization.byte_range) == ("http://origin.example/live/b.mp4", (0, 99))
    assert isinstance(listed, SegmentList)
    assert [(one.url, one.byte_range) for one in listed.segments] == [
        ("http://origin.example/live/l/1.m4s", None),
        ("http://origin.example/live/l/", (0, 9)),
    ]
