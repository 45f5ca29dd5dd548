"""Three seconds of each codec, packaged by Shaka Packager in every form; a form is packaged once for all codecs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from player.ids import ContentKey, KeyId
from tests.cenc.content import KEY, KID, NO_LEAD, Studio

SECONDS: Final = 3
SEGMENTS: Final = ("--segment_duration", "1")

PICTURE: Final = ("-f", "lavfi", "-i", f"testsrc2=size=128x72:rate=25:duration={SECONDS},noise=alls=20")
TONE: Final = ("-f", "lavfi", "-i", f"sine=frequency=523:sample_rate=48000:duration={SECONDS}")
RATE: Final = ("-pix_fmt", "yuv420p", "-b:v", "300k", "-g", "25", "-keyint_min", "25")
X265: Final = "keyint=25:min-keyint=25:scenecut=0:bframes=0:log-level=none"

CODECS: Final[Mapping[str, tuple[str, ...]]] = {
    "h264": (*PICTURE, "-c:v", "libx264", "-preset", "ultrafast", "-sc_threshold", "0", *RATE),
    "hevc": (*PICTURE, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", X265, "-tag:v", "hvc1", *RATE),
    "av1": (*PICTURE, "-c:v", "libsvtav1", "-preset", "12", *RATE),
    "vp9": (*PICTURE, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", *RATE),
    "aac": (*TONE, "-c:a", "aac", "-b:a", "64k", "-ac", "2"),
    "opus": (*TONE, "-c:a", "libopus", "-b:a", "64k", "-ac", "2"),
}
AUDIO: Final = ("aac", "opus")


def kid_of(codec: str) -> KeyId:
    """Each codec's own, for content with several keys; 16 different bytes, as rotation asks for."""
    return KeyId(bytes(16 * list(CODECS).index(codec) + 0x80 + i & 0xFF for i in range(16)))


KEY_OF: Final = {codec: bytes(b ^ 0x5A for b in kid_of(codec)) for codec in CODECS}
KEYS: Final[Mapping[KeyId, ContentKey]] = {
    KeyId(kid[period:] + kid[:period]): ContentKey(key[period:] + key[:period])
    for kid, key in ((KeyId(KID), KEY), *((kid_of(codec), KEY_OF[codec]) for codec in CODECS))
    for period in range(16)  # Packager's periods with raw keys: both rotate by a byte
}
KEY_A_CODEC: Final = ",".join(
    f"label={codec}:key_id={kid_of(codec).hex()}:key={KEY_OF[codec].hex()}" for codec in CODECS
)


@dataclass(slots=True, kw_only=True)
class Gallery:
    studio: Studio
    _made: dict[tuple[str, ...], Mapping[str, bytes]] = field(default_factory=dict)
    _clear: dict[str, bytes] = field(default_factory=dict)

    def source(self, codec: str) -> Path:
        path = self.studio.folder / f"{codec}.mp4"
        if not path.exists():
            self.studio.run_ffmpeg(*CODECS[codec], "-map_metadata", "-1", "-fflags", "+bitexact", str(path))
        return path

    def clear(self, codec: str) -> bytes:
        """All samples of the source in decode order."""
        if codec not in self._clear:
            self._clear[codec] = self.samples_of(self.source(codec))
        return self._clear[codec]

    def fragmented(self, codec: str) -> bytes:
        """The clear source in fragments of a second, one `moof` with one `traf` each."""
        path = self.studio.folder / f"{codec}-fragmented.mp4"
        flags = ("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "1000000")
        self.studio.run_ffmpeg("-i", str(self.source(codec)), "-map", "0", "-c", "copy", *flags, str(path))
        return path.read_bytes()

    def samples_of(self, path: Path, *options: str) -> bytes:
        """As ffmpeg copies them. `options` stand before the input."""
        return self.studio.run_ffmpeg(*options, "-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-")

    def encrypt(self, *options: str, scheme: str, keys: str | None = None) -> Mapping[str, bytes]:
        """One file a codec. `keys` None: one key for all."""
        wanted = (scheme, keys or "", *options)
        if wanted not in self._made:
            self._made[wanted] = self._package(scheme, keys, options)
        return self._made[wanted]

    def _package(self, scheme: str, keys: str | None, options: tuple[str, ...]) -> Mapping[str, bytes]:
        files = {codec: self.studio.folder / f"gallery-{len(self._made)}-{codec}.mp4" for codec in CODECS}
        tracks = [
            f"in={self.source(codec)},stream={'audio' if codec in AUDIO else 'video'},output={path}"
            + (f",drm_label={codec}" if keys else "")
            for codec, path in files.items()
        ]
        command = [
            self.studio.packager,
            *tracks,
            "--enable_raw_key_encryption",
            "--protection_scheme",
            scheme,
            "--quiet",
        ]
        command += ["--keys", keys or f"label=:key_id={KID.hex()}:key={KEY.hex()}", *SEGMENTS, *options]
        command += [] if "--clear_lead" in options else NO_LEAD
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return {codec: path.read_bytes() for codec, path in files.items()}

    def by_ffmpeg(self, data: bytes, key: bytes = KEY) -> bytes:
        """What ffmpeg decrypts; its exit status says nothing."""
        path = self.studio.folder / "for-ffmpeg.mp4"
        path.write_bytes(data)
        command = [self.studio.ffmpeg, "-hide_banner", "-loglevel", "quiet", "-nostdin", "-decryption_key", key.hex()]
        command += ["-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-"]
        return subprocess.run(command, check=False, capture_output=True, timeout=60).stdout

    def by_packager(self, data: bytes, codec: str, kid: bytes = KID, key: bytes = KEY) -> bytes:
        """What Packager decrypts; nothing where it gives up."""
        path, output = self.studio.folder / "for-packager.mp4", self.studio.folder / "by-packager.mp4"
        path.write_bytes(data)
        output.unlink(missing_ok=True)
        track = f"in={path},stream={'audio' if codec in AUDIO else 'video'},output={output}"
        command = [self.studio.packager, track, "--enable_raw_key_decryption", "--quiet"]
        command += ["--keys", f"label=:key_id={kid.hex()}:key={key.hex()}"]
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        return self.samples_of(output) if done.returncode == 0 else b""
