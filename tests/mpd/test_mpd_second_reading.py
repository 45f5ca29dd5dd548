"""Two readings of every document at hand find the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mpd.second_reading import compare

HERE = Path(__file__).parent
URL = "http://origin.example/a/b/x.mpd"
MPD = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:cenc="urn:mpeg:cenc:2013" mediaPresentationDuration="PT8S">
  <BaseURL>../c/</BaseURL><Period>%s</Period></MPD>"""
SETS = (
    """<AdaptationSet contentType="video" codecs="avc1.64001f" width="640"><BaseURL>v/</BaseURL>
      <SegmentTemplate timescale="10" duration="20" media="$Number$.m4s" startNumber="5"/>
      <Representation id="a" bandwidth="1"/><Representation id="b" bandwidth="2" codecs="hvc1" width="320">
      <SegmentTemplate media="b/$Time$.m4s" presentationTimeOffset="7"><SegmentTimeline><S d="20" r="3"/><S d="5"/>
      </SegmentTimeline></SegmentTemplate></Representation></AdaptationSet>""",
    """<SegmentTemplate timescale="7" media="$Number$" startNumber="0" duration="14"/>
      <AdaptationSet mimeType="audio/mp4"><SegmentTemplate duration="21"/><Representation id="c" bandwidth="3">
      <ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"
        cenc:default_KID="00112233-4455-6677-8899-AABBCCDDEEFF"/></Representation></AdaptationSet>""",
    """<AdaptationSet mimeType="video/mp4"><Representation id="d" bandwidth="4" mimeType="video/webm">
      <BaseURL>d.mp4</BaseURL><SegmentBase indexRange="5-9" timescale="3"/></Representation></AdaptationSet>""",
)


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.mpd")), ids=lambda path: path.stem)
def test_both_read_the_documents_of_the_tests_alike(path: Path) -> None:
    compare(path.read_bytes(), URL)


@pytest.mark.parametrize(("body", "count"), list(zip(SETS, (2, 1, 1), strict=True)))
def test_both_inherit_alike(body: str, count: int) -> None:
    assert compare((MPD % body).encode(), URL) == count
