"""The same film however its index is laid out: nested, or not there at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from player.isobmff.boxes import top_level
from player.isobmff.sidx import IndexedSegment, parse_sidx
from tests.isobmff.build import full, u32
from tests.play.test_play_against_oracles import FAST, KEY, KID, assert_same_samples

if TYPE_CHECKING:
    from pathlib import Path

    from tests.play.conftest import Clear, Origin, Packaged, Play

pytestmark = pytest.mark.oracle

IS_INDEX = 1 << 31
WITH_INDEX = re.compile(r'<BaseURL>([^<]+)</BaseURL>(\s*)<SegmentBase indexRange="(\d+)-(\d+)"')


def sidx(timescale: int, time: int, references: list[tuple[int, int]]) -> bytes:
    table = b"".join(u32(size, duration, 0) for size, duration in references)
    return full(b"sidx", 0, 0, u32(1, timescale), u32(time, 0), u32(len(references)), table)


def nested(data: bytes, depth: int) -> tuple[bytes, int, int]:
    """The file with its one index replaced by a tree of indices, each before its media; the range of the first."""
    index = parse_sidx(data, 0)
    below, length = tree(data, index.timescale, list(index.segments), depth)
    return data[: index.start] + below, index.start, index.start + length - 1


def tree(data: bytes, timescale: int, segments: list[IndexedSegment], depth: int) -> tuple[bytes, int]:
    """An index of these segments with all that it leads to, and its own length."""
    if depth == 0 or len(segments) < 2:
        media = b"".join(data[one.first_byte :][: one.size] for one in segments)
        own = sidx(timescale, segments[0].time, [(one.size, one.duration) for one in segments])
        return own + media, len(own)
    halves = (segments[: len(segments) // 2], segments[len(segments) // 2 :])
    bodies = [tree(data, timescale, half, depth - 1)[0] for half in halves]
    lasts = [sum(one.duration for one in half) for half in halves]
    references = [(IS_INDEX | len(body), lasting) for body, lasting in zip(bodies, lasts, strict=True)]
    own = sidx(timescale, segments[0].time, references)
    return own + b"".join(bodies), len(own)


def rewrite(folder: Path, change: Callable[[Path, str], str]) -> None:
    """`change` rewrites a file and gives what its MPD says of it from BaseURL to index range."""
    path = folder / "x.mpd"
    text, found = WITH_INDEX.subn(lambda at: change(folder / at[1], at[0]), path.read_text())
    assert found == 2
    path.write_text(text)


@pytest.mark.rule("dash:T3")
@pytest.mark.parametrize("depth", [1, 2])
def test_a_film_with_nested_indices_plays_to_the_same_samples(
    depth: int, play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    def change(path: Path, told: str) -> str:
        data, first, last = nested(path.read_bytes(), depth)
        path.write_bytes(data)
        return re.sub(r'indexRange="[\d-]+"', f'indexRange="{first}-{last}"', told)

    shutil.copytree(packaged("on-demand", "cenc"), origin.folder, dirs_exist_ok=True)
    rewrite(origin.folder, change)
    assert_same_samples(play(f"{origin.url}/x.mpd", "--key", f"{KID}:{KEY}", *FAST), clear)


def test_a_film_without_any_index_is_one_segment(
    play: Play, origin: Origin, packaged: Packaged, clear: Mapping[str, Clear]
) -> None:
    def change(path: Path, told: str) -> str:
        data = bytearray(path.read_bytes())
        at = next(box.start for box in top_level(bytes(data)) if box.type == b"sidx")
        data[at + 4 : at + 8] = b"free"
        path.write_bytes(data)
        return re.sub(r' indexRange="[\d-]+"', "", told)

    shutil.copytree(packaged("on-demand", "cenc"), origin.folder, dirs_exist_ok=True)
    rewrite(origin.folder, change)
    assert_same_samples(play(f"{origin.url}/x.mpd", "--key", f"{KID}:{KEY}", *FAST), clear)
