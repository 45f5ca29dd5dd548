"""Presentations written by hand, each with the segments that follow from the standard's rules, also written by hand.

`presentations/NAME.segments` is no output of ours. Its lines, in the order in which they matter:

    [PERIOD REPRESENTATION]         the Period may be left out where there is one
    index URL [FIRST-LAST]          an index that is read before there are segments
    init URL [FIRST-LAST]
    URL [FIRST-LAST] START END [from SECOND] [to SECOND] [in chunks]
    end | open | ...                nothing follows; a refresh may bring more; it goes on without end
    resource URL = BOX SIZE; …      what lies there; sidx TIMESCALE TIME FIRST_OFFSET: [i]SIZE/DURATION …

START and END are seconds of the presentation, `from` and `to` seconds after its availability start. URLs are relative
to that of the MPD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from player.engine.manifest import Manifest
from player.isobmff import sidx
from player.mpd.availability import available_at, leaves_at
from player.mpd.model import Presentation, Resource, Segment
from player.mpd.parse import parse
from player.mpd.timeline import SegmentIndex
from tests.isobmff.build import box, full, u32

FOLDER = Path(__file__).parent / "presentations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.mpd"))
BASE = "http://origin.example/d/"
SHOWN_BYTES = 1 << 40  # a last byte beyond this is the end of the resource


@dataclass
class Written:
    """One file: lines by (Period, Representation), and resources."""

    lists: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    resources: dict[str, bytes] = field(default_factory=dict)


def written(name: str) -> Written:
    found = Written()
    lines: list[str] = []
    for line in (FOLDER / f"{name}.segments").read_text(encoding="utf-8").splitlines():
        if section := re.fullmatch(r"\[(?:(\S+) )?(\S+)\]", line):
            lines = found.lists[section[1] or "", section[2]] = []
        elif resource := re.fullmatch(r"resource (\S+) = (.*)", line):
            found.resources[BASE + resource[1]] = b"".join(made(part) for part in resource[2].split("; "))
        elif line and not line.startswith("#"):
            lines.append(" ".join(line.split()))
    return found


def made(part: str) -> bytes:
    """A box of so many bytes, or a `sidx`."""
    kind, *words = part.split()
    if kind != "sidx":
        return box(kind.encode(), bytes(int(words[0]) - 8))
    timescale, time, offset, *references = (word.rstrip(":") for word in words)
    entries = [re.fullmatch(r"(i?)(\d+)/(\d+)", reference) for reference in references]
    table = b"".join(u32(int(e[2]) | (1 << 31 if e[1] else 0), int(e[3]), 0) for e in entries if e)
    return full(b"sidx", 0, 0, u32(1, int(timescale)), u32(int(time), int(offset)), u32(len(entries)), table)


def told(presentation: Presentation, resources: dict[str, bytes], period_id: str, name: str, limit: int) -> list[str]:
    """What we make of it, in the same words."""
    manifest = Manifest(presentation)
    period = next(one for one in presentation.periods if period_id in ("", one.id))
    representations = [one for group in period.adaptation_sets for one in group.representations]
    representation = next(one for one in representations if one.id == name)
    lines: list[str] = []
    index, known = manifest.index(period, representation, None), None
    while index.index is not None:
        lines.append(f"index {place(index.index)}")
        data, at = part(resources, index.index)
        if known is None and not index.searched:
            known = sidx.parse_sidx(data, at)
        else:
            known = sidx.continued(known or sidx.SOUGHT, data, at)
        index = manifest.index(period, representation, known)
    if index.initialization is not None:
        lines.append(f"init {place(index.initialization)}")
    segments = walk(index)
    lines += [line(presentation, segment) for _, segment in zip(range(limit), segments, strict=False)]
    return [*lines, "..." if next(segments, None) is not None else "end" if index.ended else "open"]


def walk(index: SegmentIndex) -> Iterator[Segment]:
    segment = index.locate(-(1 << 70))
    while segment is not None:
        yield segment
        segment = index.after(segment)


def part(resources: dict[str, bytes], resource: Resource) -> tuple[bytes, int]:
    data = resources[resource.url]
    if resource.byte_range is None:
        return data, 0
    first, last = resource.byte_range
    return data[first : last + 1], first


def line(presentation: Presentation, segment: Segment) -> str:
    words = [place(segment.resource), seconds(segment.start_us), seconds(segment.end_us)]
    if presentation.dynamic:
        start_us = presentation.availability_start_wall_us
        words.append(f"from {seconds(available_at(presentation, segment) - start_us)}")
        leaves_us = leaves_at(presentation, segment)
        words += [f"to {seconds(leaves_us - start_us)}"] if leaves_us is not None else []
    return " ".join(words) + ("" if segment.complete else " in chunks")


def place(resource: Resource) -> str:
    url = resource.url.removeprefix(BASE)
    if resource.byte_range is None:
        return url
    first, last = resource.byte_range
    return f"{url} {first}-" + (str(last) if last < SHOWN_BYTES else "")


def seconds(time_us: int) -> str:
    sign, whole, micros = "-" if time_us < 0 else "", *divmod(abs(time_us), 1_000_000)
    return f"{sign}{whole}.{micros:06d}".rstrip("0").rstrip(".")


@pytest.mark.rule("dash:T1", "dash:T5")
@pytest.mark.parametrize("name", NAMES)
def test_the_segments_are_those_written_out_by_hand(name: str) -> None:
    presentation = parse((FOLDER / f"{name}.mpd").read_bytes(), f"{BASE}{name}.mpd")
    assert presentation.warnings == ()
    by_hand = written(name)
    assert by_hand.lists
    for (period_id, representation), lines in by_hand.lists.items():
        limit = sum(not line.startswith(("index ", "init ")) for line in lines) - 1
        assert told(presentation, by_hand.resources, period_id, representation, limit) == lines


def test_there_are_forty_and_more_each_with_its_list() -> None:
    assert len(NAMES) >= 40
    assert sorted(path.stem for path in FOLDER.glob("*.segments")) == NAMES
    for path in FOLDER.glob("*.segments"):
        assert path.read_text().startswith(("#", "[")), path.name
