"""Bytes of an answer to what the machine uses, by kind of fetch. Pure: a driver caches what comes out and shares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from player.engine.actions import Fetch, FetchKind, Parsed
from player.engine.manifest import Manifest
from player.errors import ManifestError, MediaError
from player.isobmff.arriving import ArrivingSegment
from player.isobmff.init import parse_init
from player.isobmff.segment import parse_media
from player.isobmff.sidx import continued, parse_sidx
from player.mpd import patch
from player.mpd.document import read
from player.mpd.parse import present


def parse(fetch: Fetch, body: bytes, url: str) -> Parsed | None:
    """What the body of a 2xx answer means; None for kinds that the machine reads itself (`UNPARSED`).

    Raises: ManifestError, MediaError.
    """
    reader = _READERS.get(fetch.kind)
    return None if reader is None else reader(fetch, body, url)


def part_reader(fetch: Fetch) -> ArrivingSegment:
    """For the body of a media segment that is handed out while it arrives."""
    return ArrivingSegment(fetch.context)


def _mpd(_fetch: Fetch, body: bytes, url: str) -> Parsed:
    document = read(body, url)
    return Manifest(present(document), document)


def _patch(fetch: Fetch, body: bytes, url: str) -> Parsed:
    """The next version of the MPD that the fetch names."""
    if fetch.base is None or fetch.base.document is None:
        raise ManifestError("bad-patch", "/Patch", "a patch without the MPD that it changes")
    document = patch.apply(fetch.base.document, body, url)
    return Manifest(present(document), document)


def _index(fetch: Fetch, body: bytes, _url: str) -> Parsed:
    """The first read of an index, or one more of it (ISO/IEC 23009-1, 5.3.9.2)."""
    at = 0 if fetch.byte_range is None else fetch.byte_range[0]
    return parse_sidx(body, at) if fetch.known is None else continued(fetch.known, body, at)


def _init(_fetch: Fetch, body: bytes, _url: str) -> Parsed:
    return parse_init(body)


def _media(fetch: Fetch, body: bytes, _url: str) -> Parsed:
    if fetch.context is None:
        raise MediaError("no-init", "moof", 0, "a media segment without an init segment")
    return parse_media(body, fetch.context)


UNPARSED: Final = frozenset({FetchKind.TIME, FetchKind.LICENSE, FetchKind.XLINK, FetchKind.STEERING})

_READERS: Final[dict[FetchKind, Callable[[Fetch, bytes, str], Parsed]]] = {
    FetchKind.MPD: _mpd,
    FetchKind.PATCH: _patch,
    FetchKind.INDEX: _index,
    FetchKind.INIT: _init,
    FetchKind.MEDIA: _media,
}
