"""Common Media Client Data (CTA-5004): what the player tells of itself with each request, where it was asked to.

It tells nothing that a URL or header keeps secret: the content's id is a digest of the MPD's address without its query,
and of the next object's URL only the path is named, to the origin that will be asked for it.
"""

from __future__ import annotations

from hashlib import sha256
from posixpath import dirname, relpath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from player.chance import Purpose
from player.clock import MILLISECOND
from player.engine.actions import Fetch, FetchKind
from player.engine.track import Track
from player.mpd.model import Segment
from player.stream import choice
from player.stream.state import NORMAL
from player.wire import cmcd
from player.wire.cmcd import ObjectType, Transmission, Value

if TYPE_CHECKING:
    from player.engine.machine import Machine

Values = dict[str, Value | None]

_KBPS: Final = 1000
_ENOUGH: Final = 5  # times the rate that just suffices: what dash.js asks a server to send with at most
_DASH: Final = "d"
_KINDS: Final = {"video": ObjectType.VIDEO, "audio": ObjectType.AUDIO, "text": ObjectType.TIMED_TEXT}


def of_manifest(m: Machine, fetch: Fetch) -> Fetch:
    return _dressed(m, fetch, {"ot": ObjectType.MANIFEST})


def of_license(m: Machine, fetch: Fetch) -> Fetch:
    """Where the profile's player tells of itself to license servers, too."""
    if not m.spec.profile.network.cmcd_on_license:
        return fetch
    return _dressed(m, fetch, {"ot": ObjectType.KEY, "su": _is_urgent(m) or None})


def of_media(m: Machine, track: Track, fetch: Fetch) -> Fetch:
    """Of an index, an init segment or a media segment."""
    values: Values = {"su": _is_urgent(m) or None, "mtp": _measured_kbps(m, track)}
    if fetch.kind is FetchKind.MEDIA and track.coming is not None:
        values |= _of_segment(m, track, track.coming, fetch)
    else:
        values["ot"] = ObjectType.INIT if fetch.kind is FetchKind.INIT else ObjectType.OTHER
    return _dressed(m, fetch, values)


def note_starvation(m: Machine) -> None:
    """A track that playback waits for has starved, until its next request says so."""
    if m.stream.started_at >= 0 and m.stream.stalled_at >= 0:
        for track in m.stream.tracks:
            if track.loaded_us <= m.stream.anchor_us and not track.finished:
                m.starved |= 1 << track.number


def _of_segment(m: Machine, track: Track, segment: Segment, fetch: Fetch) -> Values:
    position = m.stream.position(fetch.intended)
    ahead_us = max(0, track.loaded_us - position)
    lasts_us = segment.end_us - segment.start_us
    kbps = track.representation.bandwidth / _KBPS
    return {
        "ot": _KINDS.get(track.kind, ObjectType.OTHER),
        "bl": ahead_us / MILLISECOND,
        "br": kbps,
        "bs": _has_starved(m, track) or None,
        "d": lasts_us / MILLISECOND,
        "dl": _until(m, segment.start_us - position) if m.stream.started_at >= 0 else None,
        "rtp": kbps * lasts_us / ahead_us * _ENOUGH if ahead_us else None,
        "tb": max(r.bandwidth for r in track.adaptation_set.representations) / _KBPS,
        **_next(track, segment),
    }


def _until(m: Machine, distance_us: int) -> float:
    """ms until the position has gone so far."""
    return max(0, distance_us) * NORMAL / m.stream.rate / MILLISECOND


def _next(track: Track, segment: Segment) -> Values:
    """What will be asked for next: another object of the same origin, or another part of the same one."""
    following = track.index.after(segment)
    if following is None:
        return {}
    here, there = segment.resource, following.resource
    if there.byte_range is not None and there.url == here.url:
        return {"nrr": f"{there.byte_range[0]}-{there.byte_range[1]}"}
    now, then = urlsplit(here.url), urlsplit(there.url)
    if now[:2] != then[:2]:
        return {}
    return {"nor": relpath(unquote(then.path) or "/", dirname(unquote(now.path)) or "/")}


def _has_starved(m: Machine, track: Track) -> bool:
    bit = 1 << track.number
    starved = bool(m.starved & bit)
    m.starved &= ~bit
    return starved


def _is_urgent(m: Machine) -> bool:
    """Start-up, or recovery from an empty buffer."""
    return not m.stream.moving and not m.stream.paused


def _measured_kbps(m: Machine, track: Track) -> float | None:
    if not track.estimate.weight_s:
        return None
    return choice.throughput(track.estimate, track.kind, m.spec.profile.stream) / _KBPS


def _dressed(m: Machine, fetch: Fetch, values: Values) -> Fetch:
    values |= _session(m)
    if m.spec.cmcd is Transmission.QUERY:
        return msgspec.structs.replace(fetch, query=cmcd.query(values))
    return msgspec.structs.replace(fetch, headers=(*fetch.headers, *cmcd.headers(values)))


def _session(m: Machine) -> Values:
    """`st` is unknown before the first MPD."""
    dynamic = m.manifest.presentation.dynamic
    return {
        "pr": m.stream.rate / NORMAL,
        "cid": _content_id(m.spec.mpd_url),
        "sf": _DASH,
        "sid": str(UUID(bytes=m.draw.value(Purpose.CMCD, 0, 16))),
        "st": ("l" if dynamic else "v") if m.manifest_version else None,
    }


def _content_id(mpd_url: str) -> str:
    parts = urlsplit(mpd_url)
    return sha256(f"{parts.hostname}{parts.path}".encode()).hexdigest()[:32]
