"""Small clear content of every codec, as ffmpeg writes it in fragments, and what ffmpeg and Packager make of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from player.backend.packager.keys import HeldPair, KeyBook
from player.backend.packager.package import Packaged, package
from player.backend.packager.settings import Settings
from player.backend.packager.source import SourceTrack, read_tracks
from player.chance import Draw
from player.ids import ContentKey, KeyId

KID: Final = KeyId(bytes(range(16)))
KEY: Final = ContentKey(bytes(range(0x10, 0x20)))
ONE_KEY: Final = {"all": (HeldPair(KID, KEY),)}
PICTURE: Final = ("-f", "lavfi", "-i", "testsrc2=size=128x72:rate=25:duration=4,noise=alls=20", "-b:v", "200k")
TONE: Final = ("-f", "lavfi", "-i", "sine=frequency=523:sample_rate=48000:duration=4", "-b:a", "48k")
GOP: Final = ("-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25")
X265: Final = "keyint=25:min-keyint=25:scenecut=0:log-level=none"
FRAGMENTS: Final = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")
CMAF: Final = ("-movflags", "+cmaf+frag_keyframe")
CODECS: Final[Mapping[str, tuple[str, ...]]] = {
    "h264": (*PICTURE, "-c:v", "libx264", "-preset", "veryfast", "-sc_threshold", "0", *GOP, *FRAGMENTS),  # B-frames
    "hevc": (*PICTURE, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", X265, "-tag:v", "hvc1", *GOP, *CMAF),
    "av1": (*PICTURE, "-c:v", "libsvtav1", "-preset", "12", *GOP, *CMAF),
    "vp9": (*PICTURE, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", *GOP, *CMAF),
    "aac": (*TONE, "-c:a", "aac", *CMAF),
    "opus": (*TONE, "-c:a", "libopus", *CMAF),
}


@dataclass(slots=True)
class Studio:
    folder: Path
    binaries: Any

    def source(self, codec: str) -> Path:
        path = self.folder / f"{codec}.mp4"
        if not path.exists():
            self.ffmpeg(*CODECS[codec], str(path))
        return path

    def tracks(self, *codecs: str) -> tuple[SourceTrack, ...]:
        return tuple(track for codec in codecs for track in read_tracks(self.source(codec).read_bytes()))

    def ffmpeg(self, *arguments: str) -> bytes:
        command = [self.binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    def sha256(self, data: bytes | Path, *options: str) -> str:
        """Over the samples of a file, as ffmpeg copies them. `options` stand before the input."""
        path = data if isinstance(data, Path) else self._put(data)
        return sha256(self.ffmpeg(*options, "-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-")).hexdigest()

    def by_ffmpeg(self, data: bytes, pair: HeldPair = ONE_KEY["all"][0]) -> str:
        return self.sha256(data, "-decryption_key", pair.key.reveal().hex())

    def by_packager(self, data: bytes, pair: HeldPair = ONE_KEY["all"][0]) -> str:
        clear = self.folder / "clear.mp4"
        keys = f"label=:key_id={pair.kid.hex()}:key={pair.key.reveal().hex()}"
        stream = f"in={self._put(data)},stream=0,output={clear}"
        command = [self.binaries.packager, stream, "--enable_raw_key_decryption", "--keys", keys, "--quiet"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return self.sha256(clear)

    def _put(self, data: bytes) -> Path:
        path = self.folder / "protected.mp4"
        path.write_bytes(data)
        return path


@dataclass(slots=True)
class Made:
    """A presentation in memory."""

    packaged: Packaged
    files: dict[str, bytes]
    keys: KeyBook

    @property
    def mpd(self) -> bytes:
        return self.files["manifest.mpd"]

    def sha256(self, track: str) -> str:
        return next(each.sha256 for each in self.packaged.renditions if each.id == track)


def made(
    tracks: Sequence[SourceTrack],
    settings: Settings,
    given: Mapping[str, Sequence[HeldPair]] = ONE_KEY,
    seed: int | None = None,
) -> Made:
    files: dict[str, bytes] = {}
    keys = KeyBook(given, None if seed is None else Draw(seed, "package"))
    return Made(package(tracks, settings, keys, files.__setitem__), files, keys)
