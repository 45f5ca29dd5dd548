"""What an MPD says beyond segments and keys: alternatives, descriptors, latency, steering, patches."""

from __future__ import annotations

import pytest

from player.mpd.base_urls import MAX_BASE_URLS, moved
from player.mpd.model import (
    BaseUrl,
    ContentSteering,
    Descriptor,
    PatchLocation,
    Presentation,
    ProducerReferenceTime,
    Representation,
    Resource,
    SegmentTemplate,
    ServiceDescription,
)
from player.mpd.parse import parse

URL = "http://origin.test/live/x.mpd"
TEMPLATE = '<SegmentTemplate duration="2" media="$Number$.m4s" initialization="i.mp4" %s/>'


def mpd(top: str = "", group: str = "", rung: str = "", *, template: str = "", attributes: str = "") -> Presentation:
    data = f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:dvb="urn:dvb:dash:dash-extensions:2014-1" id="x"
      type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" publishTime="2026-01-01T00:00:00Z" {attributes}>{top}
      <Period id="p" start="PT0S"><AdaptationSet contentType="video" mimeType="video/mp4">{group}
      {TEMPLATE % template}<Representation id="v" bandwidth="1">{rung}</Representation>
      </AdaptationSet></Period></MPD>"""
    return parse(data.encode(), URL)


def rung(presentation: Presentation) -> Representation:
    return presentation.periods[0].adaptation_sets[0].representations[0]


def template(presentation: Presentation) -> SegmentTemplate:
    source = rung(presentation).source
    assert isinstance(source, SegmentTemplate)
    return source


def test_alternatives_have_a_location_a_priority_and_a_weight() -> None:
    top = """<BaseURL serviceLocation="a" dvb:priority="1" dvb:weight="3">http://a.test/</BaseURL>
      <BaseURL dvb:priority="2">http://b.test/x/</BaseURL><BaseURL>c/</BaseURL>"""
    assert rung(mpd(top)).alternatives == (
        BaseUrl(url="http://a.test/", location="a", priority=1, weight=3),
        BaseUrl(url="http://b.test/x/", location="b.test", priority=2),
        BaseUrl(url="http://origin.test/live/c/", location="origin.test"),
    )


def test_alternatives_of_two_levels_multiply_and_keep_their_location() -> None:
    top = '<BaseURL serviceLocation="a">http://a.test/</BaseURL><BaseURL serviceLocation="b">http://b.test/</BaseURL>'
    found = rung(mpd(top, "<BaseURL>hd/</BaseURL>")).alternatives
    assert [(base.url, base.location) for base in found] == [("http://a.test/hd/", "a"), ("http://b.test/hd/", "b")]


def test_alternatives_do_not_multiply_without_end() -> None:
    many = "".join(f"<BaseURL>{i}/</BaseURL>" for i in range(40))
    assert len(rung(mpd(many, many)).alternatives) == MAX_BASE_URLS


def test_a_resource_is_the_same_below_another_alternative() -> None:
    resource = Resource(url="http://a.test/x/seg/1.m4s", byte_range=(0, 5))
    assert moved(resource, "http://a.test/x/y.mpd", "http://b.test/") == Resource(
        url="http://b.test/seg/1.m4s", byte_range=(0, 5)
    )
    elsewhere = Resource(url="http://c.test/1.m4s")
    assert moved(elsewhere, "http://a.test/x/", "http://b.test/") == elsewhere


def test_completeness_and_offset_add_up() -> None:
    presentation = mpd(
        '<BaseURL availabilityTimeOffset="1.5" availabilityTimeComplete="false">x/</BaseURL>',
        template='availabilityTimeOffset="0.5"',
    )
    assert template(presentation).availability_time_offset_us == 2_000_000
    assert template(presentation).complete is False
    assert template(mpd(template='availabilityTimeComplete="false"')).complete is False
    assert template(mpd()).complete is True


def test_a_delta_of_the_first_sample_may_be_negative() -> None:
    assert template(mpd(template='eptDelta="-3"')).ept_delta == -3


def test_descriptors_are_inherited_and_inner_ones_come_first() -> None:
    group = """<SupplementalProperty schemeIdUri="urn:s" value="2"/><InbandEventStream schemeIdUri="urn:e" value="1"/>
      <SupplementalProperty schemeIdUri="urn:mpeg:dash:adaptation-set-switching:2016" value="4, 5"/>"""
    presentation = mpd(group=group, rung='<SupplementalProperty schemeIdUri="urn:s" value="1"/>')
    assert rung(presentation).supplemental[:2] == (
        Descriptor(scheme="urn:s", value="1"),
        Descriptor(scheme="urn:s", value="2"),
    )
    assert rung(presentation).inband_events == (Descriptor(scheme="urn:e", value="1"),)
    assert presentation.periods[0].adaptation_sets[0].switchable_with == ("4", "5")


def test_a_period_may_continue_another() -> None:
    group = '<SupplementalProperty schemeIdUri="urn:mpeg:dash:period-continuity:2015" value="p0"/>'
    assert (mpd(group=group).periods[0].continues, mpd(group=group).periods[0].connects) == ("p0", None)


def test_the_service_says_its_latency_and_rates() -> None:
    top = """<ServiceDescription id="0"><Scope schemeIdUri="urn:other"/><Latency target="1"/></ServiceDescription>
      <ServiceDescription id="1"><Latency target="3000" min="2000" max="6000"/><PlaybackRate min="0.96" max="1.04"/>
      </ServiceDescription>"""
    assert mpd(top).service == ServiceDescription(
        target_latency_us=3_000_000,
        least_latency_us=2_000_000,
        most_latency_us=6_000_000,
        least_rate=0.96,
        most_rate=1.04,
    )


@pytest.mark.parametrize("rate", ["nan", "inf", "-1", "0", "100", "x", "\u0661"])
def test_a_rate_that_is_none_is_left_out_with_a_warning(rate: str) -> None:
    presentation = mpd(f'<ServiceDescription><PlaybackRate max="{rate}"/></ServiceDescription>')
    assert presentation.service.most_rate is None
    assert any("PlaybackRate" in line for line in presentation.warnings)


def test_steering_counts_from_the_mpd() -> None:
    top = '<ContentSteering defaultServiceLocation="a b" queryBeforeStart="true">../steer?x=1</ContentSteering>'
    assert mpd(top).steering == ContentSteering(
        url="http://origin.test/steer?x=1", default_locations=("a", "b"), query_before_start=True
    )


def test_patches_need_an_id_and_a_version() -> None:
    assert mpd('<PatchLocation ttl="60">x.mpp</PatchLocation>').patches == (
        PatchLocation(url="http://origin.test/live/x.mpp", ttl_us=60_000_000),
    )
    bare = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><PatchLocation>x</PatchLocation>
      <Period start="PT0S">
      <AdaptationSet contentType="video"><Representation id="v" bandwidth="1">
      <SegmentTemplate duration="2" media="$Number$"/>
      </Representation></AdaptationSet></Period></MPD>"""
    assert parse(bare, URL).patches == ()


def test_initialization_sets_and_reference_times_are_told() -> None:
    top = '<InitializationSet id="7" contentType="video" codecs="avc1.64" initialization="set.mp4"/>'
    time = '<ProducerReferenceTime id="0" type="captured" wallClockTime="2026-01-01T00:00:05Z" presentationTime="90"/>'
    presentation = mpd(top, time)
    [one] = presentation.initialization_sets
    assert (one.id, one.kind, one.initialization) == ("7", "video", Resource(url="http://origin.test/live/set.mp4"))
    assert rung(presentation).reference_times == (
        ProducerReferenceTime(wall_us=1_767_225_605_000_000, media_time=90, kind="captured"),
    )


def test_a_period_without_a_place_is_early() -> None:
    data = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" maxSegmentDuration="PT2S">
      <Period id="a" start="PT0S">
      <AdaptationSet contentType="video"><SegmentTemplate duration="2" media="$Number$"/>
      <Representation id="v" bandwidth="1"/>
      </AdaptationSet></Period><Period id="b"/></MPD>"""
    presentation = parse(data, URL)
    assert (presentation.early_periods, presentation.longest_segment_us) == (("b",), 2_000_000)
