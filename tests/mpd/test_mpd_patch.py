"""MPD Patch: what it changes, and what refuses it whole."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.errors import ManifestError
from player.mpd.document import Node, read
from player.mpd.parse import present
from player.mpd.patch import PATCH_NAMESPACE, apply

URL = "http://origin.test/live.mpd"
MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="live" type="dynamic" publishTime="2026-01-01T00:00:00Z"
  availabilityStartTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT2S">
  <PatchLocation ttl="60">live.mpp</PatchLocation>
  <Period id="p1" start="PT0S"><AdaptationSet id="1" contentType="video">
    <SegmentTemplate timescale="10" media="$Time$.m4s" initialization="i.mp4"><SegmentTimeline>
      <S t="0" d="20" r="2"/></SegmentTimeline></SegmentTemplate>
    <Representation id="a" bandwidth="1"/><Representation id="b" bandwidth="2"/></AdaptationSet></Period></MPD>"""
TIMELINE = "/MPD/Period[@id='p1']/AdaptationSet[@id='1']/SegmentTemplate/SegmentTimeline"


def patch(operations: str, *, mpd_id: str = "live", of: str = "2026-01-01T00:00:00Z") -> bytes:
    return (
        f'<Patch xmlns="{PATCH_NAMESPACE}" xmlns:d="urn:mpeg:dash:schema:mpd:2011" mpdId="{mpd_id}" '
        f'originalPublishTime="{of}" publishTime="2026-01-01T00:00:02Z">{operations}</Patch>'
    ).encode()


def patched(operations: str) -> Node:
    return apply(read(MPD, URL), patch(operations), "http://origin.test/live.mpp")


def media_times(root: Node) -> list[tuple[int, int, int]]:
    source = present(root).periods[0].adaptation_sets[0].representations[0].source
    return [(run.time, run.duration, run.repeat) for run in source.runs or ()]  # type: ignore[union-attr]


def test_a_segment_is_appended_and_the_version_goes_on() -> None:
    root = patched(f'<add sel="{TIMELINE}"><d:S d="25" r="1"/></add>')
    assert media_times(root) == [(0, 20, 2), (60, 25, 1)]
    assert root.string("publishTime") == "2026-01-01T00:00:02Z"


def test_the_document_that_is_patched_stays_as_it_is() -> None:
    root = read(MPD, URL)
    before = ET.tostring(root.element)
    apply(root, patch(f'<remove sel="{TIMELINE}/S[1]"/>'), URL)
    assert ET.tostring(root.element) == before


def test_attributes_are_added_replaced_and_removed() -> None:
    root = patched(
        f"""<replace sel="{TIMELINE}/S[1]/@r">4</replace>
        <add sel="{TIMELINE}/S[1]" type="@n">7</add><remove sel="/MPD/@minimumUpdatePeriod"/>"""
    )
    source = present(root).periods[0].adaptation_sets[0].representations[0].source
    assert [(run.repeat, run.number) for run in source.runs or ()] == [(4, 7)]  # type: ignore[union-attr]
    assert present(root).minimum_update_us is None


@pytest.mark.parametrize(
    ("operation", "periods"),
    [
        ("""<add sel="/MPD/Period[1]" pos="before">%s</add>""", ["p0", "p1"]),
        ("""<add sel="/MPD/Period[@id='p1']" pos="after">%s</add>""", ["p1", "p0"]),
        ("""<add sel="/MPD">%s</add>""", ["p1", "p0"]),
        ("""<add sel="/MPD" pos="prepend">%s</add>""", ["p0", "p1"]),
        ("""<replace sel="/MPD/Period[@id='p1']">%s</replace>""", ["p0"]),
    ],
)
def test_elements_go_where_they_are_sent(operation: str, periods: list[str]) -> None:
    root = patched(operation % '<d:Period id="p0"/>')
    assert [node.string("id") for node in root.children("Period")] == periods


def test_texts_are_replaced() -> None:
    root = patched('<replace sel="/MPD/PatchLocation/text()">other.mpp</replace>')
    assert [node.text() for node in root.children("PatchLocation")] == ["other.mpp"]


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ("""<remove sel="/MPD/Period[@id='p9']"/>""", "names 0 elements"),
        ("""<remove sel="/MPD/Period/AdaptationSet/Representation"/>""", "names 2 elements"),
        ("""<remove sel="/MPD"/>""", "cannot be moved"),
        ("""<remove sel="/MPD/@nothing"/>""", "no attribute"),
        ("""<remove sel="MPD/Period"/>""", "the selector"),
        ("""<remove sel="/MPD/Period[position()=1]"/>""", "the predicates"),
        ("""<remove sel="/x:MPD"/>""", "not bound"),
        ("""<remove sel=""/>""", "does not start"),
        ("""<replace sel="/MPD/Period"/>""", "0 elements in the place of one"),
        ("""<add sel="/MPD" type="namespace::x">u</add>""", "cannot be added"),
        ("""<add sel="/MPD/@id">u</add>""", "added to an attribute"),
        ("""<move sel="/MPD"/>""", "no operation"),
    ],
)
def test_an_operation_that_cannot_be_done_refuses_the_patch_and_names_its_place(operations: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason) as caught:
        patched(f'<add sel="/MPD" type="@x">1</add>{operations}')
    assert caught.value.code == "bad-patch"
    assert "/Patch/*[2]" in str(caught.value)


@pytest.mark.parametrize("wrong", [{"mpd_id": "other"}, {"of": "2026-01-01T00:00:01Z"}])
def test_a_patch_of_another_version_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ManifestError) as caught:
        apply(read(MPD, URL), patch("", **wrong), URL)
    assert caught.value.code == "patch-mismatch"


@pytest.mark.parametrize("data", [b"", b"<x/>", b"{}", MPD, b"<!DOCTYPE x><Patch/>"])
def test_what_is_no_patch_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        apply(read(MPD, URL), data, URL)


def test_a_patch_cannot_cost_more_than_its_bound() -> None:
    many = "".join("<d:S d='1'/>" for _ in range(1000))
    again = f'<replace sel="{TIMELINE}/S[1]/@d">1</replace>' * 9000
    with pytest.raises(ManifestError, match="elements to look at"):
        patched(f'<add sel="{TIMELINE}">{many}</add>{again}')


@given(st.text(alphabet="/MPDeriod[]@id='1\"", max_size=40))
def test_no_selector_does_more_than_refuse(selector: str) -> None:
    operation = ET.Element(f"{{{PATCH_NAMESPACE}}}remove", sel=selector)
    assert outcome(patch(ET.tostring(operation).decode())) in {"applied", "bad-patch"}


def outcome(data: bytes) -> str:
    try:
        apply(read(MPD, URL), data, URL)
    except ManifestError as error:
        return error.code
    return "applied"
