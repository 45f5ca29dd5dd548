"""Bad input to `keystorm play`: one clear line, the right exit code, no traceback, an end within ten seconds."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.play.conftest import Origin, Packaged, Play, Run

pytestmark = pytest.mark.rule("decisions:D61")

KID = "000102030405060708090a0b0c0d0e0f"
KEY = "101112131415161718191a1b1c1d1e1f"
UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"

NOT_READ, NOT_PLAYED = 2, 1
"""Exit codes: wrong usage or unreadable input; it ran, and what was asked did not hold."""

FAST = ("--as-fast-as-possible", "--representation", "highest")
WITH_KEY = ("--key", f"{KID}:{KEY}", *FAST)


def assert_one_clear_line(run: Run, status: int, *words: str) -> None:
    lines = run.stderr.splitlines()
    assert run.status == status, run.stderr
    assert len(lines) == 1, run.stderr
    assert len(lines[0]) <= 400
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in run.stderr
    assert not re.search(KEY, run.stderr + run.stdout, re.IGNORECASE), "a key was shown"
    assert run.took_s < 10


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def content(origin: Origin, packaged: Packaged) -> Origin:
    """An origin with content by number under one key."""
    shutil.copytree(packaged("live", "cenc"), origin.folder, dirs_exist_ok=True)
    return origin


# ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--key", "nonsense"), "--key"),
        (("--key", f"{KID}:{KEY}00"), "--key"),
        (("--key", f"{KID}:{KEY}x"), "--key"),
        (("--license-header", "no colon"), "--license-header"),
        (("--profile", "nobody"), "nobody"),
        (("--license-scope", "galaxy"), "galaxy"),
        (("--key-system", "com.example.unknown"), "com.example.unknown"),
        (("--duration", "soon"), "--duration"),
        (("--sink", "printer"), "printer"),
        (("--no-such-option",), "--no-such-option"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_fetched(
    options: tuple[str, ...], words: str, play: Play, origin: Origin
) -> None:
    run = play(f"{origin.url}/x.mpd", *options)
    assert_one_clear_line(run, NOT_READ, words)
    assert origin.asked == []


@pytest.mark.parametrize(
    "url", ["", "x.mpd", "/etc/hostname", "file:///etc/hostname", "ftp://localhost/x.mpd", "http://"]
)
def test_only_http_is_fetched(url: str, play: Play) -> None:
    assert_one_clear_line(play(url, *FAST), NOT_READ)


# ── the MPD ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unreachable_host(play: Play, closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}/x.mpd"
    assert_one_clear_line(play(url, *WITH_KEY), NOT_PLAYED, url, "cannot connect")


def test_a_host_that_does_not_exist(play: Play) -> None:
    assert_one_clear_line(play("http://nobody.invalid/x.mpd", *WITH_KEY), NOT_PLAYED, "http://nobody.invalid/x.mpd")


@pytest.mark.parametrize("status", [404, 503])
def test_an_mpd_that_the_server_refuses(status: int, play: Play, origin: Origin) -> None:
    origin.route("/x.mpd", status, b"<html>sorry</html>")
    assert_one_clear_line(play(f"{origin.url}/x.mpd", *WITH_KEY), NOT_PLAYED, f"{origin.url}/x.mpd", str(status))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><br></body></html>", "an HTML page"),
        (b"#EXTM3U\n", "an HLS playlist"),
        (b"", "empty"),
        (b"\x00\x01\x02\x03" * 100, "not an MPD"),
        (b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>', "line 1"),
        (b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>', "nothing to play"),
        (b'<!DOCTYPE MPD [<!ENTITY a "b">]><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>', "DOCTYPE"),
    ],
    ids=["html", "hls", "empty", "binary", "cut", "no-periods", "doctype"],
)
def test_an_mpd_that_is_none(body: bytes, words: str, play: Play, origin: Origin) -> None:
    origin.route("/x.mpd", body=body)
    assert_one_clear_line(play(f"{origin.url}/x.mpd", *WITH_KEY), NOT_READ, f"{origin.url}/x.mpd", words)


def test_an_mpd_that_breaks_off_in_transfer(play: Play, content: Origin) -> None:
    content.route("/x.mpd", body=(content.folder / "x.mpd").read_bytes(), cut=100)
    assert_one_clear_line(play(f"{content.url}/x.mpd", *WITH_KEY), NOT_PLAYED, f"{content.url}/x.mpd", "cut")


def test_a_redirect_without_end(play: Play, origin: Origin) -> None:
    origin.route("/x.mpd", 302, location="/x.mpd")
    assert_one_clear_line(play(f"{origin.url}/x.mpd", *WITH_KEY), NOT_PLAYED, f"{origin.url}/x.mpd", "redirects")


@pytest.mark.rule("decisions:D34")
def test_a_live_mpd_cannot_be_played_as_fast_as_possible(play: Play, content: Origin) -> None:
    text = (content.folder / "x.mpd").read_text().replace('type="static"', 'type="dynamic"')
    content.route("/x.mpd", body=text.encode())
    assert_one_clear_line(play(f"{content.url}/x.mpd", *WITH_KEY), NOT_READ, "live", "as fast as possible")


# ── segments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


FAULTS: Mapping[str, Callable[[bytes], Mapping[str, Any]]] = {
    "truncated": lambda body: {"body": body[: len(body) // 2]},
    "cut": lambda body: {"body": body, "cut": len(body) // 2},
    "404": lambda _: {"status": 404},
    "500": lambda _: {"status": 500},
    "html": lambda _: {"body": b"<!DOCTYPE html><html>not here</html>"},
    "empty": lambda _: {"body": b""},
    "zeros": lambda body: {"body": bytes(len(body))},
}


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        *(("video/init.mp4", fault) for fault in ("truncated", "404", "html", "empty")),
        *(("video/3.m4s", fault) for fault in ("truncated", "cut", "500", "zeros")),
        *(("audio/1.m4s", fault) for fault in ("truncated", "404", "html", "empty")),
    ],
)
def test_a_bad_segment(path: str, fault: str, play: Play, content: Origin) -> None:
    content.route(f"/{path}", **FAULTS[fault]((content.folder / path).read_bytes()))
    run = play(f"{content.url}/x.mpd", *WITH_KEY, "--json")
    assert_one_clear_line(run, NOT_PLAYED, f"{content.url}/{path}")
    assert run.result["ended"] is False
    assert run.result["error"]["message"] in run.stderr


def test_a_bad_index(play: Play, origin: Origin, packaged: Packaged) -> None:
    shutil.copytree(packaged("on-demand", "cenc"), origin.folder, dirs_exist_ok=True)
    text = re.sub(r'indexRange="(\d+)-(\d+)"', r'indexRange="0-\1"', (origin.folder / "x.mpd").read_text())
    origin.route("/x.mpd", body=text.encode())
    assert_one_clear_line(play(f"{origin.url}/x.mpd", *WITH_KEY), NOT_PLAYED, f"{origin.url}/", ".mp4: ")


# ── keys and licenses ────────────────────────────────────────────────────────────────────────────────────────────────


def encoded(digits: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(digits)).rstrip(b"=").decode()


def jwk_set(*pairs: tuple[str, str]) -> bytes:
    keys = [{"kty": "oct", "kid": encoded(kid), "k": encoded(key)} for kid, key in pairs]
    return json.dumps({"keys": keys, "type": "temporary"}).encode()


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """The profile `ideal` with two retries and hardly a wait between them."""
    text = (files("player.drm") / "profiles" / "ideal.toml").read_text(encoding="utf-8")
    for name, value in (("attempts", 3), ("backoff_base_ms", 10)):
        text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert found == 1
    path = tmp_path / "impatient.toml"
    path.write_text(text, encoding="utf-8")
    return path


def licensed(url: str, profile: Path) -> tuple[str, ...]:
    return ("--license-url", url, "--profile", str(profile), *FAST, "--json")


@pytest.mark.rule("decisions:D32")
def test_no_source_of_a_key(play: Play, content: Origin) -> None:
    run = play(f"{content.url}/x.mpd", *FAST, "--json")
    assert_one_clear_line(run, NOT_PLAYED, "license")
    assert run.result["error"]["code"] == "no-license-url"


@pytest.mark.rule("decisions:D32")
def test_the_key_of_another_key_id(play: Play, content: Origin) -> None:
    run = play(f"{content.url}/x.mpd", "--key", f"{'f' * 32}:{KEY}", *FAST, "--json")
    assert_one_clear_line(run, NOT_PLAYED)
    assert run.result["error"]["code"] == "no-license-url"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"Internal Server Error"),
        (403, b'{"type":"about:blank"}'),
        (404, b""),
        (200, b""),
        (200, b"<html>Sign in</html>"),
        (200, b"\x00\xff" * 50),
        (200, b"{}"),
        (200, b'{"keys":[]}'),
        (200, b'{"keys":null}'),
        (200, b'{"keys":[{"kty":"oct","kid":"AA","k":"AA"}]}'),
        (200, b"[" * 60_000),
        (200, b'{"keys":"' + b"a" * 70_000 + b'"}'),
        (200, jwk_set(("f" * 32, KEY))),
        (204, b""),
    ],
    ids=[
        "500", "403", "404", "empty", "html", "binary", "no-keys", "keys-empty", "keys-null", "short-key", "deep",
        "too-large", "other-key", "204",
    ],
)  # fmt: skip
def test_a_license_server_that_answers_badly(
    status: int, body: bytes, play: Play, content: Origin, impatient: Path
) -> None:
    content.route("/license", status, body)
    run = play(f"{content.url}/x.mpd", *licensed(f"{content.url}/license", impatient))
    assert_one_clear_line(run, NOT_PLAYED)
    assert run.result["ended"] is False
    assert run.result["tracks"][0]["samples"] == 0
    assert run.result["license_requests"] == len(content.bodies("/license")) >= 1
    assert run.result["keys"].get(UUID) != "usable"


def test_a_license_server_that_is_not_there(play: Play, content: Origin, closed_port: int, impatient: Path) -> None:
    url = f"http://127.0.0.1:{closed_port}/"
    run = play(f"{content.url}/x.mpd", *licensed(url, impatient))
    assert_one_clear_line(run, NOT_PLAYED, url)
    assert run.result["licenses"] == 0
    assert run.result["retries"] == 2 * run.result["license_failures"] >= 2


def test_a_license_that_breaks_off_in_transfer(play: Play, content: Origin, impatient: Path) -> None:
    content.route("/license", body=jwk_set((KID, KEY)), cut=20)
    run = play(f"{content.url}/x.mpd", *licensed(f"{content.url}/license", impatient))
    assert_one_clear_line(run, NOT_PLAYED, f"{content.url}/license")
