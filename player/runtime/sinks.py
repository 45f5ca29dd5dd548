"""Where clear samples go. Every sink counts; all but `null` also digest, per (period, track) and per track.

File names are our own numbers: nothing of a manifest gets into a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from player.errors import UsageError
from player.isobmff.sample import Sample

Place = tuple[int, int]
"""(period played, track)."""

RAW_SUFFIX: Final = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What reached a sink. `sha256`: over the clear samples in decode order, as in `mdat`; None: not digested."""

    samples: int
    bytes: int
    sha256: str | None


class Sink(Protocol):
    """Takes the clear samples of one client, each track's in decode order."""

    def write(self, period: int, track: int, buffer: bytearray, samples: Sequence[Sample]) -> None:
        """`samples` lie at their offsets in `buffer`, which is the player's again when this returns."""
        ...

    def parts(self) -> Mapping[Place, Delivered]: ...

    def tracks(self) -> Mapping[int, Delivered]: ...

    def close(self) -> None: ...


class NullSink:
    """Counts and forgets."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Place, tuple[int, int]] = {}

    def write(self, period: int, track: int, buffer: bytearray, samples: Sequence[Sample]) -> None:  # noqa: ARG002
        count, size = self._counts.get((period, track), (0, 0))
        self._counts[period, track] = (count + len(samples), size + sum(sample.size for sample in samples))

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

    def write(self, period: int, track: int, buffer: bytearray, samples: Sequence[Sample]) -> None:
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


class RawSink:
    """Writes `DIRECTORY/<period>-<track>.raw`: the samples one after the other, as they lie in `mdat`."""

    __slots__ = ("_directory", "_files", "_hash")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._hash = HashSink()
        self._files: dict[Place, BinaryIO] = {}

    def write(self, period: int, track: int, buffer: bytearray, samples: Sequence[Sample]) -> None:
        """Raises: UsageError where the file cannot be written."""
        try:
            file = self._file(period, track)
            for run in runs(buffer, samples):
                file.write(run)
        except OSError as error:
            raise UsageError(f"{self._directory}: {error.strerror}") from None
        self._hash.write(period, track, buffer, samples)

    def parts(self) -> Mapping[Place, Delivered]:
        return self._hash.parts()

    def tracks(self) -> Mapping[int, Delivered]:
        return self._hash.tracks()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, period: int, track: int) -> BinaryIO:
        if (period, track) not in self._files:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._files[period, track] = (self._directory / f"{period}-{track}.{RAW_SUFFIX}").open("wb")
        return self._files[period, track]


def sink_named(name: str, directory: Path | None = None) -> Sink:
    """The sink `hash`, `raw` (into `directory`) or `null`. Raises: UsageError."""
    match name:
        case "hash":
            return HashSink()
        case "null":
            return NullSink()
        case "raw" if directory is not None:
            return RawSink(directory)
        case "raw":
            raise UsageError("the sink raw needs a folder to write to")
        case _:
            raise UsageError(f"no sink {name!r}; there are hash, null and raw")


def runs(buffer: bytearray, samples: Sequence[Sample]) -> Iterator[bytes]:
    """The samples' bytes in order, neighbours in the buffer joined: most fragments are one run."""
    start = end = 0
    for sample in samples:
        if sample.offset != end:
            if end > start:
                yield bytes(buffer[start:end])
            start = sample.offset
        end = sample.offset + sample.size
    if end > start:
        yield bytes(buffer[start:end])


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
