"""Remote elements: what is to be fetched, and what takes their place."""

from __future__ import annotations

import pytest

from player.errors import ManifestError
from player.mpd.document import Node, read
from player.mpd.model import RemoteElement
from player.mpd.parse import present
from player.mpd.xlink import MAX_LINKS, RESOLVE_TO_ZERO, links, resolved

URL = "http://origin.test/vod/x.mpd"
SET = b"""<AdaptationSet contentType="video"><Representation id="v" bandwidth="1">
  <SegmentTemplate duration="2" media="$Number$.m4s" initialization="i.mp4"/></Representation></AdaptationSet>"""


def mpd(periods: str) -> Node:
    data = f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink">{periods}</MPD>"""
    return read(data.encode(), URL)


def period(name: str, *, content: bytes = SET) -> str:
    return f'<Period id="{name}" duration="PT4S">{content.decode()}</Period>'


def remote(href: str, *, actuate: str = "onLoad", content: str = "") -> str:
    return f'<Period xlink:href="{href}" xlink:actuate="{actuate}" duration="PT9S">{content}</Period>'


def ids(root: Node) -> list[str]:
    return [one.id for one in present(root).periods]


def test_links_are_absolute_and_know_when_they_are_due() -> None:
    root = mpd(period("a") + remote("ad.xml") + remote("//cdn.test/b", actuate="onRequest"))
    assert links(root) == (
        RemoteElement(path="/MPD/Period[2]", url="http://origin.test/vod/ad.xml", on_load=True),
        RemoteElement(path="/MPD/Period[3]", url="http://cdn.test/b", on_load=False),
    )


def test_a_remote_entity_may_be_several_periods_without_a_root() -> None:
    root = mpd(period("a") + remote("ad.xml") + period("b"))
    entity = (period("x") + period("y")).encode()
    assert ids(resolved(root, {"http://origin.test/vod/ad.xml": b'<?xml version="1.0"?>\n' + entity})) == list("axyb")


def test_a_remote_entity_may_name_its_namespaces_itself() -> None:
    entity = b'<m:Period xmlns:m="urn:mpeg:dash:schema:mpd:2011" id="x" duration="PT1S">' + SET + b"</m:Period>"
    entity = entity.replace(b"<Adapt", b"<Adapt")
    assert ids(resolved(mpd(remote("ad.xml")), {"http://origin.test/vod/ad.xml": entity})) == ["x"]


def test_resolve_to_zero_takes_the_element_away() -> None:
    assert ids(resolved(mpd(period("a") + remote(RESOLVE_TO_ZERO)), {})) == ["a"]
    assert links(mpd(remote(RESOLVE_TO_ZERO))) == ()


@pytest.mark.parametrize("data", [None, b"", b"no xml", b"<Other/>", b"<!DOCTYPE x><Period/>", b"<a></b>"])
def test_what_cannot_be_had_leaves_the_element_as_it_is_written(data: bytes | None) -> None:
    root = mpd(period("a") + remote("ad.xml", content=SET.decode()))
    after = resolved(root, {"http://origin.test/vod/ad.xml": data})
    assert links(after) == ()
    assert [one.duration_us for one in present(after).periods] == [4_000_000, 9_000_000]


def test_what_was_not_fetched_stays_remote() -> None:
    root = mpd(period("a") + remote("ad.xml"))
    assert links(resolved(root, {"http://origin.test/other": b""})) == links(root)


def test_adaptation_sets_can_be_remote() -> None:
    root = mpd('<Period id="p" duration="PT4S"><AdaptationSet xlink:href="set.xml"/></Period>')
    [link] = links(root)
    assert link.path == "/MPD/Period[1]/AdaptationSet[1]"
    assert [g.kind for g in present(resolved(root, {link.url: SET})).periods[0].adaptation_sets] == ["video"]


def test_a_flood_of_links_is_refused() -> None:
    with pytest.raises(ManifestError, match="remote elements"):
        links(mpd(remote("x") * (MAX_LINKS + 1)))
