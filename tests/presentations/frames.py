"""A sink that keeps the digest of every single sample."""

from __future__ import annotations

import hashlib
from itertools import accumulate, pairwise

from player.engine.actions import Deliver
from player.runtime.sinks import HashSink, Samples, columns, runs


class FrameSink(HashSink):
    """`frames`: by track, SHA-256 of each sample in decode order, in hex."""

    __slots__ = ("frames",)

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[int, list[str]] = {}

    def write(
        self, period: int, track: int, buffer: bytearray, samples: Samples, deliver: Deliver | None = None
    ) -> None:
        super().write(period, track, buffer, samples, deliver)
        joined = b"".join(runs(buffer, samples))
        bounds = pairwise(accumulate(columns(samples).sizes, initial=0))
        frames = self.frames.setdefault(track, [])
        frames.extend(hashlib.sha256(joined[first:last]).hexdigest() for first, last in bounds)
