"""An index is asked for in parts until it is whole, and never again, however often the Representation changes."""

from __future__ import annotations

from importlib.resources import files

import pytest

from player.chance import Draw
from player.engine import tracks
from player.engine.actions import Fetch, Fetched, FetchKind, Start
from player.engine.machine import Machine
from player.engine.parsed import parse
from player.engine.profile import parse as parse_profile
from player.engine.spec import PlayerSpec
from player.ids import Pool
from tests.isobmff.build import box, full, u32

MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT4S"><Period>
  <AdaptationSet mimeType="video/mp4" codecs="avc1.64001f">
    <Representation id="a" bandwidth="1"><BaseURL>a.mp4</BaseURL><SegmentBase indexRange="100-143"/></Representation>
    <Representation id="b" bandwidth="2"><BaseURL>b.mp4</BaseURL></Representation>
  </AdaptationSet></Period></MPD>"""
INDEX = 1 << 31


def sidx(*references: tuple[int, int]) -> bytes:
    table = b"".join(u32(size, duration, 0) for size, duration in references)
    return full(b"sidx", 0, 0, u32(1, 1, 0, 0), u32(len(references)), table)


LEAF = sidx((500, 2), (500, 2)) + box(b"mdat", bytes(9000))
FILM = box(b"ftyp", bytes(92)) + sidx((INDEX | len(LEAF), 4)) + LEAF
RESOURCES = {"http://o.example/x.mpd": MPD, "http://o.example/a.mp4": FILM, "http://o.example/b.mp4": FILM}


def answer(machine: Machine, fetch: Fetch) -> None:
    body = RESOURCES[fetch.url]
    if fetch.byte_range is not None:
        body = body[fetch.byte_range[0] : fetch.byte_range[1] + 1]
    machine.receive(
        Fetched(action=fetch, status=200, url=fetch.url, body=body, parsed=parse(fetch, body, fetch.url)), 0
    )


def read_indices(machine: Machine) -> list[tuple[str, tuple[int, int] | None]]:
    """Answers everything up to the next init segment; the indices asked for on the way."""
    asked = []
    while fetches := [one for one in machine.actions(0) if isinstance(one, Fetch) and one.kind is not FetchKind.INIT]:
        for fetch in fetches:
            if fetch.kind is FetchKind.INDEX:
                asked.append((fetch.url.rpartition("/")[2], fetch.byte_range))
            answer(machine, fetch)
    return asked


@pytest.mark.rule("dash:T3")
def test_the_parts_of_an_index_are_asked_for_once() -> None:
    profile = parse_profile((files("player") / "drm/profiles/ideal.toml").read_text(encoding="utf-8"))
    spec = PlayerSpec(mpd_url="http://o.example/x.mpd", profile=profile, representation="a")
    machine = Machine(spec, Pool(), Draw(1, 0), epoch_us=0)
    machine.receive(Start(), 0)
    assert read_indices(machine) == [("a.mp4", (100, 143)), ("a.mp4", (144, 8335))]
    (track,) = machine.stream.tracks
    (a, b) = track.adaptation_set.representations
    for representation, asked in ((b, [("b.mp4", (0, 8191))]), (a, []), (b, [])):
        track.request = None
        tracks.represent(machine, track, representation, 0)
        machine.handle_deadline(0)
        assert read_indices(machine) == asked
        segment = track.index.locate(3_000_000)
        assert segment is not None
        assert segment.resource.byte_range == (700, 1199)
