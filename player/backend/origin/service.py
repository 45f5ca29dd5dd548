"""The origin as a sans-IO service: MPDs, init segments, media segments and the time, each a function of the instant.

    /live/manifest.mpd  /vod/manifest.mpd   /FORM/TRACK/init.mp4  /FORM/TRACK/init-pPERIOD.mp4
    /FORM/TRACK/NUMBER.m4s  /FORM/TRACK/time-TICKS.m4s            /time

It knows its license servers by URL only, and no client from another.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from player.backend.clip.load import ClipTrack
from player.backend.common.replies import CORS, NO_STORE, Headers, preflight, problem_reply
from player.backend.origin import manifest, mpd_writer
from player.backend.origin.presentation import Presentation
from player.backend.spec import Form, Rotation
from player.clock import SECOND, seconds
from player.wire.http import Reply, Request
from player.wire.problem import Problem

MPD_TYPE: Final = "application/dash+xml"
_METHODS: Final = "GET, HEAD, OPTIONS"
_PATH: Final = re.compile(
    r"/(?P<form>live|vod)/(?:(?P<mpd>manifest\.mpd)|(?P<track>[a-z0-9-]{1,32})/"
    r"(?:(?P<init>init(?:-p(?P<period>[0-9]{1,9}))?\.mp4)|(?P<number>[0-9]{1,9})\.m4s|time-(?P<time>[0-9]{1,15})\.m4s))"
)
_IMMUTABLE: Final = ("cache-control", "public, max-age=31536000, immutable")
_CACHED_SEGMENTS: Final = 512
_GRACE: Final = 10 * SECOND  # what has left the time-shift window is still served for so long


@dataclass(slots=True)
class Counts:
    """What an origin has served; `refused` are answers of 4xx."""

    mpd: int = 0
    not_modified: int = 0
    init: int = 0
    media: int = 0
    refused: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Manifest:
    since: int
    etag: str
    body: bytes


class Origin:
    """Answers every request at once, so it has no deadline. `url` is its own, as clients reach it."""

    def __init__(self, presentations: Mapping[Form, Presentation], *, url: str, epoch_us: int) -> None:
        self.counts = Counts()
        self._presentations = presentations
        self._url = url
        self._epoch_us = epoch_us
        self._replies: list[Reply] = []
        self._manifests: dict[Form, _Manifest] = {}
        self._segments: OrderedDict[tuple[Form, str, int], bytes] = OrderedDict()

    def receive(self, request: Request, now: int) -> None:
        reply = self._answer(request, now)
        self.counts.refused += 400 <= reply.status < 500
        if request.method == "HEAD":
            reply = reply._replace(headers=(*reply.headers, ("content-length", str(len(reply.body)))), body=b"")
        self.counts.sent_bytes += len(reply.body)
        self._replies.append(reply)

    def gone(self, request_id: int, now: int) -> None:
        """Nothing waits here."""

    def replies(self) -> list[Reply]:
        ready, self._replies = self._replies, []
        return ready

    def deadline(self) -> int | None:
        return None

    def handle_deadline(self, now: int) -> None:
        """There is none."""

    def _answer(self, request: Request, now: int) -> Reply:
        path = request.target.partition("?")[0]
        match = _PATH.fullmatch(path)
        if match is None and path != "/time":
            return _not_found(request, "nothing has this path")
        if request.method == "OPTIONS":
            return preflight(request, _METHODS)
        if request.method not in ("GET", "HEAD"):
            wrong = Problem(type="about:blank", title="Method Not Allowed", status=405)
            return problem_reply(request, wrong, headers=(("allow", _METHODS),))
        return self._time(request, now) if match is None else self._content(request, match, now)

    def _time(self, request: Request, now: int) -> Reply:
        """The wall time for UTCTiming http-iso (ISO/IEC 23009-1, 5.8.4.11)."""
        body = mpd_writer.date_time(self._epoch_us + now).encode("ascii")
        return _found(request, body, "text/plain", (NO_STORE,))

    def _content(self, request: Request, match: re.Match[str], now: int) -> Reply:
        form = Form(match["form"])
        presentation = self._presentations[form]
        if match["mpd"]:
            return self._mpd(request, form, presentation, now)
        track = next((track for track in presentation.tracks if track.name == match["track"]), None)
        if track is None:
            return _not_found(request, "no such track")
        if match["init"]:
            return self._init(request, form, presentation, track, match["period"], now)
        if match["number"]:
            return self._segment(request, form, presentation, track, int(match["number"]), now)
        index = presentation.segment_at(track, int(match["time"]))
        if index is None:
            return _not_found(request, "no segment starts at this time")
        return self._segment(request, form, presentation, track, index, now)

    def _mpd(self, request: Request, form: Form, presentation: Presentation, now: int) -> Reply:
        current = self._manifest(form, presentation, now)
        max_age = int(presentation.content.mpd_refresh_s)
        headers = (("etag", current.etag), ("cache-control", f"max-age={max_age}"))
        if _matches(request.header("if-none-match"), current.etag):
            self.counts.not_modified += 1
            return Reply(request.id, 304, (*CORS, *headers), b"")
        self.counts.mpd += 1
        return _found(request, current.body, MPD_TYPE, headers)

    def _manifest(self, form: Form, presentation: Presentation, now: int) -> _Manifest:
        """Written once for all clients between two changes."""
        since = manifest.last_change(presentation, now) if form is Form.LIVE else 0
        kept = self._manifests.get(form)
        if kept is not None and kept.since == since:
            return kept
        if form is Form.LIVE:
            tree = manifest.live_mpd(presentation, since, self._epoch_us, f"{self._url}/time")
        else:
            tree = manifest.static_mpd(presentation)
        body = mpd_writer.write(tree)
        made = self._manifests[form] = _Manifest(since, f'"{sha256(body).hexdigest()[:16]}"', body)
        return made

    def _init(
        self, request: Request, form: Form, presentation: Presentation, track: ClipTrack, named: str | None, now: int
    ) -> Reply:
        period = int(named or 0)
        if (presentation.rotation is Rotation.NEW_PERIOD) != (named is not None):
            return _not_found(request, "no such init segment")
        if period > self._last_period(form, presentation, now):
            return _not_found(request, "this Period is not in the MPD yet")
        self.counts.init += 1
        return _found(request, presentation.init(track, period), f"{track.kind}/mp4", (_IMMUTABLE,))

    def _last_period(self, form: Form, presentation: Presentation, now: int) -> int:
        if form is Form.LIVE:
            return manifest.newest_listed(presentation, now)
        return presentation.schedule.period(presentation.segments - 1)

    def _segment(
        self, request: Request, form: Form, presentation: Presentation, track: ClipTrack, index: int, now: int
    ) -> Reply:
        missing = _why_missing(form, presentation, index, now)
        if missing:
            return _not_found(request, missing)
        self.counts.media += 1
        place = (form, track.name, index)
        body = self._segments.get(place)
        if body is None:
            body = self._segments[place] = presentation.segment(track, index)
            if len(self._segments) > _CACHED_SEGMENTS:
                self._segments.popitem(last=False)
        return Reply(request.id, 200, _MEDIA_HEADERS[track.kind], body)


def _why_missing(form: Form, presentation: Presentation, index: int, now: int) -> str:
    """Why a segment cannot be had now; "" if it can."""
    if form is Form.VOD:
        return "" if index < presentation.segments else "the presentation has ended before this segment"
    schedule = presentation.schedule
    wait = schedule.available(index) - now
    if wait > 0:
        return f"this segment is not available yet: {seconds(wait):.3f} s to go"
    leaves = schedule.available(index + presentation.window_segments) + _GRACE
    return "this segment has left the time-shift window" if now >= leaves else ""


def _found(request: Request, body: bytes, content_type: str, headers: Headers) -> Reply:
    return Reply(request.id, 200, (("content-type", content_type), *CORS, *headers), body)


def _not_found(request: Request, detail: str) -> Reply:
    return problem_reply(request, Problem(type="about:blank", title="Not Found", status=404, detail=detail))


def _matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, 13.1.2: a list, compared weakly."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


_MEDIA_HEADERS: Final[Mapping[str, Headers]] = {
    kind: (("content-type", f"{kind}/mp4"), *CORS, _IMMUTABLE) for kind in ("video", "audio")
}
