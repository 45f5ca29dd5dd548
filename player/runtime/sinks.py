"""Where clear samples go. Every sink counts; all but `null` also digest, per (period, track) and per track.

Sinks that write files are in `file_sink`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from player.engine.actions import Deliver
from player.isobmff.sample import Sample
from player.isobmff.samples import Samples as Columns

Place = tuple[int, int]
"""(period played, track)."""

Samples = Sequence[Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What reached a sink. `sha256`: over the clear samples in decode order, as in `mdat`; None: not digested."""

    samples: int
    bytes: int
    sha256: str | None


class Sink(Protocol):
    """Takes the clear samples of one client, each track's in decode order."""

    def write(
        self, period: int, track: int, buffer: bytearray, samples: Samples, deliver: Deliver | None = None
    ) -> None:
        """`samples` lie at their offsets in `buffer`, which is the player's again when this returns.

        `deliver`: the action that brought them, for sinks that need more than their bytes.
        """
        ...

    def parts(self) -> Mapping[Place, Delivered]: ...

    def tracks(self) -> Mapping[int, Delivered]: ...

    def close(self) -> None: ...


class NullSink:
    """Counts and forgets."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Place, tuple[int, int]] = {}

    def write(
        self, period: int, track: int, buffer: bytearray, samples: Samples, deliver: Deliver | None = None
    ) -> None:
        del buffer, deliver
        count, size = self._counts.get((period, track), (0, 0))
        self._counts[period, track] = (count + len(samples), size + sum(columns(samples).sizes))

    def parts(self) -> Mapping[Place, Delivered]:
        return {at: Delivered(samples=n, bytes=size, sha256=None) for at, (n, size) in self._counts.items()}

    def tracks(self) -> Mapping[int, Delivered]:
        sums: dict[int, tuple[int, int]] = {}
        for (_, track), (count, size) in self._counts.items():
            before = sums.get(track, (0, 0))
            sums[track] = (before[0] + count, before[1] + size)
        return {track: Delivered(samples=n, bytes=size, sha256=None) for track, (n, size) in sums.items()}

    def close(self) -> None:
        """Nothing to close."""


class HashSink:
    """Digests every track, and every period of it."""

    __slots__ = ("_parts", "_tracks")

    def __init__(self) -> None:
        self._parts: dict[Place, _Digest] = {}
        self._tracks: dict[int, _Digest] = {}

    def write(
        self, period: int, track: int, buffer: bytearray, samples: Samples, deliver: Deliver | None = None
    ) -> None:
        del deliver
        part = self._parts.setdefault((period, track), _Digest())
        whole = self._tracks.setdefault(track, _Digest())
        for run in runs(buffer, samples):
            part.add(run)
            whole.add(run)
        part.samples += len(samples)
        whole.samples += len(samples)

    def parts(self) -> Mapping[Place, Delivered]:
        return {place: digest.delivered() for place, digest in self._parts.items()}

    def tracks(self) -> Mapping[int, Delivered]:
        return {track: digest.delivered() for track, digest in self._tracks.items()}

    def close(self) -> None:
        """Nothing to close."""


def runs(buffer: bytearray, samples: Sequence[Sample]) -> Iterator[bytes]:
    """The samples' bytes in order, neighbours in the buffer joined: most fragments are one run."""
    table = columns(samples)
    sizes = iter(table.sizes)
    for count, start in table.places:
        size = sum(islice(sizes, count))
        if size:
            yield bytes(buffer[start : start + size])


def columns(samples: Samples) -> Columns:
    """As a fragment has them; whoever gives rows has them turned into columns."""
    return samples if isinstance(samples, Columns) else Columns.of(samples)


class _Digest:
    __slots__ = ("_sha256", "bytes", "samples")

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.samples = 0
        self.bytes = 0

    def add(self, run: bytes) -> None:
        self._sha256.update(run)
        self.bytes += len(run)

    def delivered(self) -> Delivered:
        return Delivered(samples=self.samples, bytes=self.bytes, sha256=self._sha256.hexdigest())
