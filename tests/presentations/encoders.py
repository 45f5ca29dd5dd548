"""Tiny clear sources from ffmpeg, and the presentations that ffmpeg's dash muxer and Shaka Packager make of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.presentations.written_out import Ask

KID: Final = "000102030405060708090a0b0c0d0e0f"
KEY: Final = "101112131415161718191a1b1c1d1e1f"
LENGTH_S: Final = 8

_FRAGMENTS: Final = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-fflags", "+bitexact")
_PICTURE: Final = f"testsrc2=size=160x90:rate=25:duration={LENGTH_S}"
_GOP: Final = ("-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25")
_H264: Final = ("-c:v", "libx264", "-preset", "veryfast", *_GOP, "-sc_threshold", "0")
_X265: Final = "keyint=25:min-keyint=25:scenecut=0:log-level=none"


# the frames of AAC and Opus must not reach beyond the pictures: 374 of them, and one before
SOUND_S: Final = 374 * 1024 / 48000


def _tone(hertz: int, *codec: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=frequency={hertz}:sample_rate=48000:duration={SOUND_S}", *codec, "-b:a", "48k")


def _video(*codec: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", _PICTURE, *codec)


SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "low": _video(*_H264, "-b:v", "60k"),
    "high": _video(*_H264, "-b:v", "150k"),
    "hevc": _video("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", _X265, "-tag:v", "hvc1", *_GOP),
    "av1": _video("-c:v", "libsvtav1", "-preset", "12", *_GOP),
    "vp9": _video("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "60k", *_GOP),
    "en": _tone(440, "-c:a", "aac"),
    "de": _tone(660, "-c:a", "aac"),
    "opus": _tone(550, "-c:a", "libopus"),
}
"""By name, what ffmpeg is told to make of nothing: one track in fragments of a second."""

_FRAMEHASH: Final = ("-f", "framehash", "-hash", "sha256", "-")

WORDS: Final = "WEBVTT\n\n00:00.500 --> 00:02.000\nOne\n\n00:03.000 --> 00:07.000\nTwo\n"


@dataclass(slots=True)
class Encoders:
    """Every source is made once. All runs are at a lower priority: tests run beside them."""

    binaries: ModuleType
    folder: Path
    _digests: dict[str, str] = field(default_factory=dict)

    def source(self, name: str) -> Path:
        path = self.folder / f"{name}.mp4"
        if not path.exists():
            self.ffmpeg(*SOURCES[name], *_FRAGMENTS, path)
        return path

    def words(self) -> Path:
        path = self.folder / "words.vtt"
        path.write_text(WORDS, encoding="utf-8")
        return path

    def ffmpeg(self, *arguments: str | Path, cwd: Path | None = None) -> bytes:
        done = subprocess.run(
            [*self.ffmpeg_command(), *arguments], cwd=cwd, check=True, capture_output=True, timeout=60
        )
        return done.stdout

    def ffmpeg_command(self) -> list[str]:
        return ["nice", self.binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]

    def packager(self, *arguments: str, cwd: Path) -> None:
        subprocess.run([*self.packager_command(), *arguments], cwd=cwd, check=True, capture_output=True, timeout=60)

    def packager_command(self) -> list[str]:
        return ["nice", self.binaries.packager, "--quiet"]

    def digest(self, folder: Path, asks: Iterable[Ask], options: Sequence[str] = ()) -> str:
        """SHA-256 over the samples of an init segment and its media segments, as ffmpeg copies them."""
        bodies = ((folder / ask.path).read_bytes()[slice(*_bounds(ask))] for ask in asks)
        joined = self.folder / "joined.mp4"
        joined.write_bytes(b"".join(bodies))
        return self._digest(joined, options)

    def digest_of(self, source: str) -> str:
        """The same of a clear source; it is computed once."""
        if source not in self._digests:
            self._digests[source] = self._digest(self.source(source), ())
        return self._digests[source]

    def frames(self, source: str) -> list[str]:
        """SHA-256 of every sample of a source, in decode order."""
        lines = self.ffmpeg("-i", self.source(source), "-map", "0", "-c", "copy", *_FRAMEHASH).decode().splitlines()
        return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]

    def _digest(self, path: Path, options: Sequence[str]) -> str:
        copied = ("-map", "0", "-c", "copy", "-f", "streamhash", "-hash", "sha256", "-")
        return self.ffmpeg(*options, "-i", path, *copied).decode().strip().rpartition("=")[2]


def _bounds(ask: Ask) -> tuple[int | None, int | None]:
    return (None, None) if ask.part is None else (ask.part[0], ask.part[1] + 1)
