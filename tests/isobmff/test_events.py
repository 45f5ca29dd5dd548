"""Boxes beside the media: brands, events, wall-clock marks."""

from __future__ import annotations

import pytest

from player.errors import MediaError
from player.isobmff.events import UNKNOWN_DURATION, EventMessage, ProducerReferenceTime, parse_side_boxes
from tests.isobmff.build import box, emsg, prft, segment


def test_an_event_says_the_same_in_both_versions_but_for_what_its_time_counts_from() -> None:
    old, new = parse_side_boxes(emsg(0) + emsg(1)).events
    assert new == EventMessage(
        scheme_id_uri="urn:example",
        value="one",
        timescale=1000,
        time=1 << 40,
        is_delta=False,
        duration=5,
        id=7,
        message_data=b"payload",
    )
    assert (old.scheme_id_uri, old.value, old.id, old.message_data) == ("urn:example", "one", 7, b"payload")
    assert (old.time, old.is_delta) == (40, True)


def test_an_unknown_duration_is_none() -> None:
    assert parse_side_boxes(emsg(duration=UNKNOWN_DURATION)).events[0].duration is None


@pytest.mark.parametrize("version", [0, 1])
def test_a_wall_clock_mark_names_its_track(version: int) -> None:
    (mark,) = parse_side_boxes(prft(version)).producer_times
    assert mark == ProducerReferenceTime(track_id=1, ntp_time=3 << 32, media_time=90)


def test_brands_are_those_of_the_segment_and_everything_else_is_stepped_over() -> None:
    data = box(b"styp", b"msdh", bytes(4), b"msdhcmfs") + emsg() + segment([4])
    found = parse_side_boxes(data)
    assert found.brands == ("msdh", "cmfs")
    assert len(found.events) == 1
    assert parse_side_boxes(b"") == parse_side_boxes(segment([4]))


@pytest.mark.parametrize("whole", [emsg(0), emsg(1), prft(0), prft(1), box(b"styp", b"msdh", bytes(4))])
def test_a_box_that_is_cut_is_one_fault(whole: bytes) -> None:
    for size in range(8, 16):
        with pytest.raises(MediaError) as caught:
            parse_side_boxes(size.to_bytes(4, "big") + whole[4:size])
        assert caught.value.code == "bad-box"


def test_an_event_without_the_end_of_its_string_or_of_a_newer_version_is_one_fault() -> None:
    for data in (emsg(0)[:-30].replace(b"\0one", b"xone"), emsg().replace(b"emsg\x01", b"emsg\x02")):
        with pytest.raises(MediaError) as caught:
            parse_side_boxes(len(data).to_bytes(4, "big") + data[4:])
        assert (caught.value.code, caught.value.path) == ("bad-box", "emsg")
