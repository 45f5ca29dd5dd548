"""A second reading of what ffmpeg and Shaka Packager write: the requests that each Representation takes, in order.

It knows the forms that these two tools use and no others, computes with fractions, and shares nothing with the player.
Sources: ISO/IEC 23009-1, 5.3.9 (addressing) and annex A.3 (segments that start within the Period).
"""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

_NS: Final = "{urn:mpeg:dash:schema:mpd:2011}"
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


@dataclass(frozen=True, slots=True)
class Ask:
    """A path, and the first and last byte where a part of it is asked for."""

    path: str
    part: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an MPD says of a Representation; `ends` are those of the media segments, in seconds of the Period."""

    id: str
    kind: str
    group: int  # number of its AdaptationSet
    bandwidth: int
    index: Ask | None
    init: Ask
    media: tuple[Ask, ...]
    ends: tuple[Fraction, ...]

    @property
    def all(self) -> tuple[Ask, ...]:
        return (*(() if self.index is None else (self.index,)), self.init, *self.media)


def periods(mpd: Path) -> list[list[Written]]:
    """Every Representation of each Period, in document order."""
    return periods_of(mpd.read_bytes(), mpd.parent)


def periods_of(mpd: bytes, folder: Path) -> list[list[Written]]:
    """The same of an MPD in memory. What has no end yet is written out for a minute."""
    root = ET.fromstring(mpd)  # our own tools have written it
    whole = root.get("mediaPresentationDuration", "PT60S")
    return [
        [
            _read(folder, number, group, one, _seconds(period.get("duration", whole)))
            for number, group in enumerate(period.iter(f"{_NS}AdaptationSet"))
            for one in group.iter(f"{_NS}Representation")
        ]
        for period in root.iter(f"{_NS}Period")
    ]


def _seconds(text: str) -> Fraction:
    found = _DURATION.fullmatch(text)
    assert found is not None
    days, hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _read(folder: Path, number: int, group: ET.Element, one: ET.Element, length: Fraction) -> Written:
    kind = group.get("contentType") or (one.get("mimeType") or "").partition("/")[0]
    index, init = None, None
    media: Segments = []
    for form, reader in (("SegmentTemplate", _template), ("SegmentList", _list)):
        found = one.find(_NS + form) if one.find(_NS + form) is not None else group.find(_NS + form)
        if found is not None:
            init, media = reader(found, one, length)
    base = one.find(f"{_NS}SegmentBase")
    if base is not None:
        index, init, media = _base(folder, base, _file(one), length)
    assert init is not None
    return Written(
        id=one.get("id", ""),
        kind=kind,
        group=number,
        bandwidth=int(one.get("bandwidth", "0")),
        index=index,
        init=init,
        media=tuple(ask for _, _, ask in media),
        ends=tuple(end for _, end, _ in media),
    )


def _file(one: ET.Element) -> str:
    return (one.findtext(f"{_NS}BaseURL") or "").strip()


Segments = list[tuple[Fraction, Fraction, Ask]]
"""Start and end of each."""


def _template(form: ET.Element, one: ET.Element, length: Fraction) -> tuple[Ask, Segments]:
    def named(template: str, number: int = 0, ticks: int = 0) -> Ask:
        values = {"RepresentationID": one.get("id", ""), "Bandwidth": one.get("bandwidth", "")}
        counts = {"Number": number, "Time": ticks}
        text = re.sub(r"\$(RepresentationID|Bandwidth)\$", lambda at: values[at[1]], template)
        text = re.sub(r"\$(Number|Time)(?:%0(\d+)d)?\$", lambda at: str(counts[at[1]]).zfill(int(at[2] or 1)), text)
        return Ask(text)

    scale, offset = int(form.get("timescale", "1")), int(form.get("presentationTimeOffset", "0"))
    first, media = int(form.get("startNumber", "1")), form.get("media", "")
    placed = [
        (Fraction(begin - offset, scale), Fraction(end - offset, scale), named(media, first + place, begin))
        for place, (begin, end) in enumerate(_ticks(form, scale, offset, length))
    ]
    return named(form.get("initialization", "")), [row for row in placed if row[0] < length]


def _ticks(form: ET.Element, scale: int, offset: int, length: Fraction) -> Iterator[tuple[int, int]]:
    timeline = form.find(f"{_NS}SegmentTimeline")
    if timeline is None:
        every = int(form.get("duration", "0"))
        count = -(-length * scale // every) if every else 0  # Packager lists what has no segment yet
        yield from ((offset + every * place, offset + every * (place + 1)) for place in range(int(count)))
        return
    at = 0
    for row in timeline:
        at = int(row.get("t", at))
        for _ in range(int(row.get("r", "0")) + 1):
            yield at, at + int(row.get("d", "0"))
            at += int(row.get("d", "0"))


def _list(form: ET.Element, one: ET.Element, length: Fraction) -> tuple[Ask, Segments]:
    initialization = form.find(f"{_NS}Initialization")
    assert initialization is not None
    init = Ask(initialization.get("sourceURL") or _file(one), _part(initialization.get("range")))
    scale, urls = int(form.get("timescale", "1")), form.findall(f"{_NS}SegmentURL")
    asks = [Ask(url.get("media") or _file(one), _part(url.get("mediaRange"))) for url in urls]
    offset = int(form.get("presentationTimeOffset", "0"))
    spans = [(begin - offset, end - offset) for begin, end in _ticks(form, scale, offset, length + 99)]
    rows = [(Fraction(begin, scale), Fraction(end, scale), ask) for (begin, end), ask in zip(spans, asks, strict=False)]
    return init, [row for row in rows if row[0] < length]


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, last = text.split("-")
    return int(first), int(last)


def _base(folder: Path, form: ET.Element, name: str, length: Fraction) -> tuple[Ask, Ask, Segments]:
    part = _part(form.get("indexRange"))
    initialization = form.find(f"{_NS}Initialization")
    assert part is not None
    assert initialization is not None
    box = (folder / name).read_bytes()[part[0] : part[1] + 1]
    media: Segments = []
    at, ticks = part[1] + 1, 0
    scale, rows = _sidx(box)
    for size, duration in rows:
        media.append((Fraction(ticks, scale), Fraction(ticks + duration, scale), Ask(name, (at, at + size - 1))))
        at, ticks = at + size, ticks + duration
    return Ask(name, part), Ask(name, _part(initialization.get("range"))), [r for r in media if r[0] < length]


def _sidx(box: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Timescale, and size and duration of each reference (ISO/IEC 14496-12, 8.16.3)."""
    assert box[4:8] == b"sidx"
    head = 20 + (16 if box[8] else 8)
    (count,) = struct.unpack_from(">H", box, head + 2)
    rows = [struct.unpack_from(">II", box, head + 4 + 12 * place) for place in range(count)]
    return struct.unpack_from(">I", box, 16)[0], [(size & 0x7FFF_FFFF, duration) for size, duration in rows]
