"""Sample entries of every kind: where their boxes begin, and how a protected one becomes the clear one again."""

from __future__ import annotations

import pytest

from player.errors import MediaError
from player.isobmff.boxes import top_level
from player.isobmff.clear import clear_moov
from player.isobmff.dump import walk
from player.isobmff.edits import Moves
from player.isobmff.init import parse_init
from tests.isobmff.build import KID, box, encv, moov, record, u32

SINF = encv(record())[86:]
HEAD = bytes(6) + b"\0\1"
SOUND = u32(0, 0) + bytes(12)  # behind the head: version, revision, vendor; channels and rates
CHILD = box(b"btrt", bytes(12))

# protected type, original format, its own fields
ENTRIES = {
    "pictures": (b"encv", b"avc1", HEAD + bytes(70)),
    "sound": (b"enca", b"mp4a", HEAD + SOUND),
    "sound of QuickTime, version 1": (b"enca", b"mp4a", HEAD + b"\0\1" + SOUND[2:] + bytes(16)),
    "sound of QuickTime, version 2": (b"enca", b"lpcm", HEAD + b"\0\2" + SOUND[2:] + bytes(36)),
    "timed text of 3GPP": (b"enct", b"tx3g", HEAD + bytes(30)),
    "WebVTT": (b"enct", b"wvtt", HEAD),
    "simple text": (b"enct", b"stxt", HEAD + b"\0text/plain\0"),
    "subtitles in XML": (b"encu", b"stpp", HEAD + b"http://www.w3.org/ns/ttml\0\0\0"),
    "subtitles in XML, two strings": (b"encu", b"stpp", HEAD + b"http://www.w3.org/ns/ttml\0\0"),
    "subtitles in text": (b"encu", b"sbtt", HEAD + b"gzip\0text/vtt\0"),
    "metadata in XML": (b"encm", b"metx", HEAD + b"\0urn:a\0urn:b\0"),
    "metadata in text": (b"encm", b"mett", HEAD + b"\0application/json\0"),
    "metadata named by a URI": (b"encm", b"urim", HEAD),
    "systems": (b"encs", b"mp4s", HEAD),
    "fonts": (b"encf", b"fdsm", HEAD),
    "haptics": (b"encp", b"hap1", HEAD),
    "volumetric pictures": (b"enc3", b"vol1", HEAD + bytes(32)),
}


@pytest.mark.rule("media:M33")
@pytest.mark.parametrize("name", ENTRIES)
def test_a_protected_entry_gets_its_own_type_back_and_nothing_else(name: str) -> None:
    protected, original, fields = ENTRIES[name]
    data = moov(box(protected, fields, CHILD, SINF.replace(b"avc1", original)))
    (track,) = parse_init(data).tracks
    (entry,) = track.entries
    assert entry.protection is not None
    assert (entry.fourcc, entry.protection.kid) == (original.decode(), KID)
    (found,) = top_level(data)
    assert clear_moov(data, found, Moves()).box == moov(box(original, fields, CHILD))


@pytest.mark.parametrize("name", ENTRIES)
def test_the_tree_shows_the_boxes_of_an_entry(name: str) -> None:
    protected, _, fields = ENTRIES[name]
    tree = list(walk(moov(box(protected, fields, CHILD, SINF))))
    path = f"moov/trak/mdia/minf/stbl/stsd/{protected.decode()}"
    assert {f"{path}/btrt", f"{path}/sinf/schi/tenc"} <= {each.path for each in tree}
    assert not any(each.fault for each in tree)


def test_sound_of_version_1_under_an_stsd_of_version_1_has_no_fields_of_quicktime() -> None:
    entry = box(b"enca", HEAD + b"\0\1" + SOUND[2:], CHILD, SINF)
    data = moov(entry).replace(b"stsd" + bytes(4), b"stsd" + u32(1 << 24))
    assert parse_init(data).default_kids == (KID,)


@pytest.mark.parametrize(
    "fields",
    [
        bytes(6) + b"\0\1" + b"no end of a string",
        HEAD + bytes(31),
        HEAD + b"a\0b\0c\0d\0",
        HEAD + box(b"free") * 101,
    ],
    ids=["no end", "a byte too many", "four strings", "too many boxes"],
)
def test_an_entry_without_a_place_for_boxes_is_one_fault(fields: bytes) -> None:
    with pytest.raises(MediaError) as raised:
        parse_init(moov(box(b"enct", fields, SINF)))
    assert raised.value.code == "bad-protection"
    assert raised.value.path == "moov/trak/mdia/minf/stbl/stsd/enct"
