"""What stands beside the media at top level: brands, events and wall-clock marks, as data (ISO/IEC 14496-12, 23009-1).

Refuses to know what a scheme means; whoever asked for a scheme reads its message data.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from player.isobmff.boxes import Box, full_header, require, top_level

UNKNOWN_DURATION: Final = 0xFFFFFFFF
_EMSG: Final = "23009-1, 5.10.3.3"
_EMSG_FIELDS: Final = (Struct(">IIII"), Struct(">IQII"))  # timescale, time, duration, id, by version
_PRFT_FIELDS: Final = (Struct(">IQI"), Struct(">IQQ"))  # track, NTP time, media time, by version
_FULL: Final = 4  # bytes of version and flags
_BRAND_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMessage:
    """`emsg`. Times in ticks of `timescale`; `is_delta`: `time` counts from the start of the segment (version 0)."""

    scheme_id_uri: str
    value: str
    timescale: int
    time: int
    is_delta: bool
    duration: int | None  # None: unknown
    id: int
    message_data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerReferenceTime:
    """`prft`: when the sample at `media_time` (ticks of its track) was made; `ntp_time` in 2^-32 s since 1900."""

    track_id: int
    ntp_time: int
    media_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBoxes:
    """In the order of the bytes; `brands` of the last `ftyp` or `styp`, the major one first."""

    brands: tuple[str, ...] = ()
    events: tuple[EventMessage, ...] = ()
    producer_times: tuple[ProducerReferenceTime, ...] = ()


def parse_side_boxes(data: bytes) -> SideBoxes:
    """Raises: MediaError `bad-box` for fields that do not fit, and what `boxes.top_level` raises."""
    brands: tuple[str, ...] = ()
    events: list[EventMessage] = []
    times: list[ProducerReferenceTime] = []
    for box in top_level(data):
        if box.type in (b"ftyp", b"styp"):
            brands = read_brands(data, box)
        elif box.type == b"emsg":
            events.append(read_emsg(data, box))
        elif box.type == b"prft":
            times.append(read_prft(data, box))
    return SideBoxes(brands=brands, events=tuple(events), producer_times=tuple(times))


def read_brands(data: bytes, box: Box) -> tuple[str, ...]:
    """The major brand, then the compatible ones without it (14496-12, 4.3)."""
    require(box, 2 * _BRAND_BYTES)
    starts = (box.body, *range(box.body + 2 * _BRAND_BYTES, box.end - _BRAND_BYTES + 1, _BRAND_BYTES))
    found = [data[at : at + _BRAND_BYTES].decode("ascii", "backslashreplace") for at in starts]
    return tuple(dict.fromkeys(found))


def read_emsg(data: bytes, box: Box) -> EventMessage:
    version, _ = full_header(data, box)
    if version > 1:
        raise box.fault("bad-box", f"version {version}", _EMSG)
    fields = _EMSG_FIELDS[version]
    at = box.body + _FULL
    if version:
        scheme, value, end = _two_strings(data, box, at + fields.size)
    else:
        scheme, value, at = _two_strings(data, box, at)
        end = at + fields.size
    require(box, at - box.body + fields.size)
    timescale, time, duration, number = fields.unpack_from(data, at)
    return EventMessage(
        scheme_id_uri=scheme,
        value=value,
        timescale=timescale,
        time=time,
        is_delta=version == 0,
        duration=None if duration == UNKNOWN_DURATION else duration,
        id=number,
        message_data=data[end : box.end],
    )


def read_prft(data: bytes, box: Box) -> ProducerReferenceTime:
    """14496-12, 8.16.5."""
    version, _ = full_header(data, box)
    fields = _PRFT_FIELDS[min(version, 1)]
    require(box, _FULL + fields.size)
    track_id, ntp_time, media_time = fields.unpack_from(data, box.body + _FULL)
    return ProducerReferenceTime(track_id=track_id, ntp_time=ntp_time, media_time=media_time)


def _two_strings(data: bytes, box: Box, start: int) -> tuple[str, str, int]:
    """Zero-terminated UTF-8, and the position behind them."""
    require(box, start - box.body)
    middle = data.find(b"\0", start, box.end)
    end = data.find(b"\0", middle + 1, box.end)
    if middle < 0 or end < 0:
        raise box.fault("bad-box", "a string without an end", _EMSG, at=start)
    return data[start:middle].decode("utf-8", "replace"), data[middle + 1 : end].decode("utf-8", "replace"), end + 1
