"""Byte ranges (RFC 9110, 14): what an answer to a request for a part may be, and what of it counts."""

from __future__ import annotations

import re
from typing import Final

from player.engine.actions import Headers
from player.mpd.model import ByteRange
from player.runtime.fetch import BROKEN, ExchangeError

_PARTIAL: Final = 206
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:(\d{1,18})|\*)", re.ASCII)


def bytes_needed(status: int, byte_range: ByteRange | None) -> int | None:
    """So much of the body has to be read; None: all of it. A server may ignore Range and send everything with 200."""
    return byte_range[1] + 1 if status == 200 and byte_range is not None else None


def part_of(body: bytes, status: int, headers: Headers, byte_range: ByteRange | None) -> bytes:
    """The bytes asked for. Raises: ExchangeError where others came."""
    if status == _PARTIAL:
        _check_partial(len(body), headers, byte_range)
    if status != 200 or byte_range is None:
        return body
    first, last = byte_range
    if len(body) <= first:
        raise ExchangeError(BROKEN, f"all of it is {len(body)} bytes, asked for were those from {first} on")
    return body[first : last + 1]


def _check_partial(size: int, headers: Headers, byte_range: ByteRange | None) -> None:
    """Content-Range must name what was asked for; it may end early only where the resource ends."""
    if byte_range is None:
        raise ExchangeError(BROKEN, "a part of the resource, and all of it was asked for")
    match = _CONTENT_RANGE.fullmatch(next((value.strip() for name, value in headers if name == "content-range"), ""))
    if match is None:
        raise ExchangeError(BROKEN, "a part of the resource, and no word which")
    first, last = int(match[1]), int(match[2])
    is_end = match[3] is not None and last + 1 == int(match[3])
    if first != byte_range[0] or last > byte_range[1] or (last < byte_range[1] and not is_end):
        raise ExchangeError(BROKEN, f"bytes {first}-{last}, asked for were {byte_range[0]}-{byte_range[1]}")
    if size != last - first + 1:
        raise ExchangeError(BROKEN, f"{size} bytes that call themselves {first}-{last}")
