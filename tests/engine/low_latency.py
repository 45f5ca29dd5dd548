"""The embedded origin as one of low latency: segments of 8 s in chunks of 2 s, each sent as soon as it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from player.clock import SECOND
from player.wire.http import Reply, Request, Service

CHUNK_US: Final = 2 * SECOND  # a segment of the origin
CHUNKS: Final = 4
SEGMENT_US: Final = CHUNKS * CHUNK_US
LEAD_US: Final = 24 * SECOND  # live media starts so long before run-clock 0

_SEGMENT: Final = re.compile(r"(/live/[a-z0-9-]+/)(\d+)\.m4s")
_DURATION: Final = re.compile(rb'duration="(\d+)" startNumber="0"')


@dataclass
class LowLatency:
    """Around an origin. `asked`: (instant, target, wait for its last chunk in µs) of segments that were given."""

    inner: Service
    asked: list[tuple[int, str, int]] = field(default_factory=list)
    _made: list[Reply] = field(default_factory=list)

    def receive(self, request: Request, now: int) -> None:
        match = _SEGMENT.fullmatch(request.target)
        if match is None:
            self.inner.receive(request, now)
        else:
            self._made.append(self._segment(request, match[1], int(match[2]), now))

    def replies(self) -> list[Reply]:
        made, self._made = self._made, []
        return made + [_low_latency(reply) for reply in self.inner.replies()]

    def gone(self, request_id: int, now: int) -> None:
        self.inner.gone(request_id, now)

    def deadline(self) -> int | None:
        return self.inner.deadline()

    def handle_deadline(self, now: int) -> None:
        self.inner.handle_deadline(now)

    def _segment(self, request: Request, folder: str, number: int, now: int) -> Reply:
        made = [(number * CHUNKS + n + 1) * CHUNK_US - LEAD_US for n in range(CHUNKS)]
        if now < made[0]:
            return Reply(request.id, 404, (), b"")
        self.asked.append((now, request.target, made[-1] - now))
        chunks = [self._chunk(request, f"{folder}{number * CHUNKS + n}.m4s", at) for n, at in enumerate(made)]
        ends = [sum(len(chunk) for chunk in chunks[: n + 1]) for n in range(CHUNKS)]
        return Reply(request.id, 200, (), b"".join(chunks), tuple(zip(made, ends, strict=True)))

    def _chunk(self, request: Request, target: str, at: int) -> bytes:
        """As the origin gives it once it is there."""
        self.inner.receive(request._replace(target=target), at)
        [reply] = self.inner.replies()
        assert reply.status == 200
        return reply.body


def _low_latency(reply: Reply) -> Reply:
    """The MPD of the longer segments: there once their first chunk is made, and not complete then."""
    body = _DURATION.sub(_longer, reply.body)
    body = body.replace(b'SegmentDuration="PT2S"', b'SegmentDuration="PT8S"')
    return reply._replace(body=body.replace(b'Delay="PT6S"', b'Delay="PT4S"'))


def _longer(match: re.Match[bytes]) -> bytes:
    early_s = (SEGMENT_US - CHUNK_US) // SECOND
    return (
        f'duration="{int(match[1]) * CHUNKS}" startNumber="0" availabilityTimeOffset="{early_s}" '
        'availabilityTimeComplete="false"'
    ).encode()
