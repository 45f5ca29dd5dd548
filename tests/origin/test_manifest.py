"""Structure of the MPD in each rotation mode, read with ElementTree and a second time with our own parser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from player.backend.spec import Addressing, Form, KeyPlan, Rotation
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.ids import CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM
from player.isobmff import pssh
from player.mpd.availability import available_at
from player.mpd.parse import parse
from player.mpd.timeline import segment_index
from player.wire import announce
from player.wire.http import Reply

MakeOrigin = Callable[..., Callable[..., Reply]]

NS = {"mpd": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013", "dashif": "https://dashif.org/CPS"}
MP4_PROTECTION = "urn:mpeg:dash:mp4protection:2011"
KID = f"{{{NS['cenc']}}}default_KID"
DEMO: dict[str, Any] = {"crypto_period_s": 8, "first_boundary_s": 10, "tracks": ("video-180p", "audio")}
URL = "http://origin.test/live/manifest.mpd"


TRACKS = ("video-180p", "video-360p", "video-720p", "audio")
WINDOW_START_US = 20 * SECOND + SECOND // 10  # audio segments start up to 16 ms late


def path(url: str) -> str:
    return url.removeprefix("http://origin.test")


def tree(body: bytes) -> ET.Element:
    return ET.fromstring(body)


def protections(body: bytes, where: str = "") -> list[ET.Element]:
    return tree(body).findall(f"mpd:Period{where}/mpd:AdaptationSet[1]/mpd:ContentProtection", NS)


def schemes(elements: list[ET.Element]) -> list[str]:
    return [each.attrib["schemeIdUri"].removeprefix("urn:uuid:") for each in elements]


@pytest.mark.rule("decisions:D70")
def test_fixed_keys_stand_in_default_kid_and_in_a_common_pssh_behind_clear_key(origin: MakeOrigin) -> None:
    first, clear_key, common = protections(origin(**DEMO)("/live/manifest.mpd").body)
    assert schemes([first, clear_key, common]) == [MP4_PROTECTION, str(CLEARKEY_DASH_SYSTEM), str(COMMON_SYSTEM)]
    assert first.attrib["value"] == "cenc"
    assert clear_key.findtext("dashif:Laurl", namespaces=NS) == "http://license.test/license/clearkey"
    (box,) = pssh.read(base64.b64decode(common.findtext("cenc:pssh", "", NS)))
    assert [str(kid) for kid in box.key_ids] == [first.attrib[KID]]


@pytest.mark.rule("decisions:D70")
def test_keys_that_rotate_in_band_are_not_named_in_the_mpd(origin: MakeOrigin) -> None:
    body = origin(rotation=Rotation.IN_BAND, **DEMO)("/live/manifest.mpd", 12).body
    first, clear_key = protections(body)
    assert schemes([first, clear_key]) == [MP4_PROTECTION, str(CLEARKEY_DASH_SYSTEM)]
    assert KID not in first.attrib
    assert clear_key.find("dashif:Laurl", NS) is not None
    assert b"default_KID" not in body
    assert b"pssh" not in body


def test_a_new_period_has_its_own_kid_start_and_init_segment(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.NEW_PERIOD, **DEMO)
    body = fetch("/live/manifest.mpd", 9).body
    periods = tree(body).findall("mpd:Period", NS)
    assert [(each.attrib["id"], each.attrib["start"]) for each in periods] == [("p0", "PT0S"), ("p1", "PT32S")]
    kids = [protections(body, f"[{number}]")[0].attrib[KID] for number in (1, 2)]
    assert len(set(kids)) == 2
    assert schemes(protections(body, "[2]")) == [MP4_PROTECTION, str(CLEARKEY_DASH_SYSTEM)]
    template = periods[1].find("mpd:AdaptationSet/mpd:Representation/mpd:SegmentTemplate", NS)
    assert template is not None
    assert (template.attrib["startNumber"], template.attrib["presentationTimeOffset"]) == ("16", str(32 * 12800))
    inits = [fetch(f"/live/video-180p/init-p{period}.mp4", 9).body for period in (0, 1)]
    assert [bytes.fromhex(kid.replace("-", "")) in init for kid, init in zip(kids, inits, strict=True)] == [True, True]


def test_a_new_period_is_listed_three_refreshes_before_its_first_segment_starts(origin: MakeOrigin) -> None:
    """A cached MPD is one refresh old, its reader another, and a late one has a third: none may miss the Period."""
    fetch = origin(rotation=Rotation.NEW_PERIOD, crypto_period_s=8, mpd_refresh_s=2)
    listed = [len(tree(fetch("/live/manifest.mpd", at).body).findall("mpd:Period", NS)) for at in (7.9, 8)]
    assert listed == [2, 3]  # the third Period starts at 14 s on the run clock


def test_a_hierarchy_names_its_root_for_ever(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.HIERARCHY, **DEMO)
    first, own = protections(fetch("/live/manifest.mpd").body)
    assert schemes([first, own]) == [MP4_PROTECTION, str(HIERARCHY_SYSTEM)]
    (box,) = pssh.read(base64.b64decode(own.findtext("cenc:pssh", "", NS)))
    assert ([str(kid) for kid in box.key_ids], box.data) == ([first.attrib[KID]], b"")
    assert own.findtext("dashif:Laurl", namespaces=NS) == "http://license.test/license/hierarchy"
    assert fetch("/live/manifest.mpd", 50).body == fetch("/live/manifest.mpd").body


def test_representations_share_a_set_unless_they_say_different_keys(origin: MakeOrigin) -> None:
    def sets(rotation: Rotation) -> list[int]:
        body = origin(keys=KeyPlan.RESOLUTION, rotation=rotation, crypto_period_s=8)("/live/manifest.mpd").body
        return [
            len(each.findall("mpd:Representation", NS)) for each in tree(body).iter(f"{{{NS['mpd']}}}AdaptationSet")
        ]

    assert sets(Rotation.NONE) == [1, 1, 1, 1]
    assert sets(Rotation.IN_BAND) == [3, 1]


def test_a_live_mpd_says_when_it_began_and_how_long_it_holds(origin: MakeOrigin) -> None:
    presentation = parse(origin(**DEMO)("/live/manifest.mpd", 3).body, URL)
    assert presentation.dynamic
    assert presentation.availability_start_wall_us == VIRTUAL_EPOCH_US - 24 * SECOND
    assert presentation.minimum_update_us == 2 * SECOND
    assert presentation.time_shift_us == 24 * SECOND
    assert presentation.utc_timings == (("urn:mpeg:dash:utc:http-iso:2014", "http://origin.test/time"),)
    assert presentation.warnings == ()


@pytest.mark.parametrize("rotation", list(Rotation))
@pytest.mark.parametrize("addressing", list(Addressing))
@pytest.mark.parametrize("form", list(Form))
def test_a_second_parser_finds_every_segment_where_the_origin_serves_it(
    origin: MakeOrigin, rotation: Rotation, addressing: Addressing, form: Form
) -> None:
    at_s = 19.5
    fetch = origin(form=form, rotation=rotation, addressing=addressing, crypto_period_s=8, announced=True)
    presentation = parse(fetch(f"/{form}/manifest.mpd", at_s).body, f"http://origin.test/{form}/manifest.mpd")
    assert presentation.warnings == ()
    wall = VIRTUAL_EPOCH_US + at_s * SECOND
    served = set()
    for period in presentation.periods:
        for representation in (each for group in period.adaptation_sets for each in group.representations):
            index = segment_index(presentation, period, representation)
            assert index.initialization is not None
            assert fetch(path(index.initialization.url), at_s).status == 200
            segment = index.locate(max(period.start_us, WINDOW_START_US if form is Form.LIVE else 0))
            while segment is not None and available_at(presentation, segment) <= wall:
                assert fetch(path(segment.resource.url), at_s).status == 200
                served.add((representation.id, segment.start_us // SECOND))
                segment = index.after(segment)
            if segment is not None and period is presentation.periods[-1]:
                assert fetch(path(segment.resource.url), at_s).status == 404
    expected = range(20, 42, 2) if form is Form.LIVE else range(0, 16, 2)
    assert served == {(track, start) for track in TRACKS for start in expected}


def test_a_segment_timeline_follows_the_audio_frames(origin: MakeOrigin) -> None:
    body = origin(addressing=Addressing.TIME, **DEMO)("/live/manifest.mpd", 0).body
    runs = tree(body).findall(".//mpd:AdaptationSet[2]//mpd:S", NS)
    frames = [int(run.attrib["d"]) // 1024 for run in runs for _ in range(1 + int(run.attrib.get("r", "0")))]
    assert frames == [94, 94, 94, 93] * 3
    assert sum(int(run.attrib["d"]) * (1 + int(run.attrib.get("r", "0"))) for run in runs) == 24 * 48_000


@pytest.mark.rule("decisions:D82")
def test_a_coming_crypto_period_is_announced_until_it_is_over(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.IN_BAND, announced=True, announce_s=8, **DEMO)

    def announced(at_s: float) -> list[int]:
        streams = parse(fetch("/live/manifest.mpd", at_s).body, URL).periods[0].event_streams
        return [announce.read(event.text).idx for stream in streams for event in stream.events]

    assert [announced(at) for at in (1.9, 2, 9.9, 10, 17.9, 18)] == [[], [1], [1], [1, 2], [1, 2], [2, 3]]


@pytest.mark.rule("decisions:D82")
def test_an_announcement_tells_kids_window_and_validity(origin: MakeOrigin) -> None:
    fetch = origin(rotation=Rotation.IN_BAND, announced=True, announce_s=8, close_s=1, keys=KeyPlan.TRACK, **DEMO)
    (stream,) = parse(fetch("/live/manifest.mpd", 5).body, URL).periods[0].event_streams
    (event,) = stream.events
    told = announce.read(event.text)
    epoch_ms = VIRTUAL_EPOCH_US // 1000
    assert (stream.scheme, event.id, event.start_us) == (announce.SCHEME, "1", 32 * SECOND)
    assert (told.prefetch_open_ms - epoch_ms, told.prefetch_close_ms - epoch_ms) == (2_000, 9_000)
    assert (told.valid_from_ms - epoch_ms, (told.valid_until_ms or 0) - epoch_ms) == (10_000, 18_000)
    assert len(set(told.kids)) == 2
    segments = [fetch(f"/live/{track}/16.m4s", 10).body for track in DEMO["tracks"]]
    assert all(bytes(kid) in segment for kid, segment in zip(told.kids, segments, strict=True))


@pytest.mark.parametrize("rotation", list(Rotation))
@pytest.mark.parametrize("addressing", list(Addressing))
def test_the_mpd_changes_at_its_publish_time_and_at_no_other_instant(
    origin: MakeOrigin, rotation: Rotation, addressing: Addressing
) -> None:
    content = {"rotation": rotation, "addressing": addressing, "announced": True, "announce_s": 5, **DEMO}
    fetch = origin(**content)
    before = b""
    for step in range(-8, 240):
        at_s = step / 4
        now = fetch("/live/manifest.mpd", at_s).body
        assert now == origin(**content)("/live/manifest.mpd", at_s).body if step % 16 == 0 else True
        published = parse(now, URL).publish_wall_us
        assert published is not None
        assert published <= VIRTUAL_EPOCH_US + at_s * SECOND
        if before and now != before:
            assert published > VIRTUAL_EPOCH_US + (at_s - 0.25) * SECOND
        before = now
