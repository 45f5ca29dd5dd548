"""Hostile documents end in one clear error, in time and memory that their size bounds."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from player.errors import ManifestError
from player.mpd.parse import parse
from player.mpd.timeline import segment_index

URL = "http://origin.example/a.mpd"
NS = "urn:mpeg:dash:schema:mpd:2011"
MOST_S = 5.0  # for the largest document that is read at all, on a busy machine


def mpd(timeline: str = "", *, period: str = 'duration="PT1H"', template: str = "") -> bytes:
    inner = f"<SegmentTimeline>{timeline}</SegmentTimeline>" if timeline else ""
    return f"""<MPD xmlns="{NS}"><Period {period}><AdaptationSet contentType="video"><SegmentTemplate
      media="$Time$" initialization="i" timescale="1000" {template}>{inner}</SegmentTemplate>
      <Representation id="v" bandwidth="1"/></AdaptationSet></Period></MPD>""".encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<MPD>" + b" " * (50 << 20) + b"</MPD>", "too-large"),
        (mpd("<S d='1'/>" * 1_000_000), "too-large"),
        (mpd(period='duration="-PT1H"', template='duration="2000"'), "nothing-to-play"),
        (mpd(period='start="-PT5S" duration="PT1H"', template='duration="2000"'), "nothing-to-play"),
        (mpd(template='duration="-2000"'), "nothing-to-play"),
        (mpd("<S t='0' d='-5' r='2'/>"), "nothing-to-play"),
        (mpd("<S t='0' d='5' r='99999999999999999999999'/>"), "nothing-to-play"),
        (mpd("<S t='10' d='5'/><S t='3' d='5'/>"), "nothing-to-play"),
        (b"<!DOCTYPE MPD [<!ENTITY x 'y'>]>" + mpd(template='duration="2000"'), "doctype"),
    ],
    ids=["50 MB", "10^6 S", "negative duration", "negative start", "negative segment", "negative d", "r of 23 digits",
         "time goes back", "entities"],
)  # fmt: skip
def test_one_clear_error_in_bounded_time(data: bytes, code: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ManifestError) as caught:
        parse(data, URL)
    assert caught.value.code == code
    assert len(str(caught.value)) < 400
    assert time.perf_counter() - began < MOST_S


def test_the_most_that_is_read_costs_bounded_memory() -> None:
    data = mpd("<S d='1'/>" * 100_000)
    tracemalloc.start()
    presentation = parse(data, URL)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 * len(data)
    assert presentation.periods


def test_a_repetition_of_billions_costs_no_more_than_one_segment() -> None:
    presentation = parse(mpd(f"<S t='0' d='1' r='{2**40}'/>", period='duration="P300D"'), URL)
    period = presentation.periods[0]
    index = segment_index(presentation, period, period.adaptation_sets[0].representations[0])
    began = time.perf_counter()
    segment = index.locate(86_400_000_000)
    assert segment is not None
    assert segment.time == 86_400_000
    assert index.after(segment) is not None
    assert time.perf_counter() - began < 1
