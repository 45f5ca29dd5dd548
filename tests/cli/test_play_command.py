"""`keystorm play` against `keystorm serve`, each in a process of its own."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from player.isobmff.segment import parse_media

if TYPE_CHECKING:
    from tests.cli.conftest import Keystorm, Start

FIELDS = [
    "mpd", "ended", "played_s", "startup_s", "stalls", "blocked", "encrypted_events", "init_data_distinct", "sessions",
    "license_requests", "local_licenses", "licenses", "license_failures", "retries", "keys", "tracks", "periods",
    "crypto_periods", "error", "quirks",
]  # fmt: skip
TRACK_FIELDS = ["id", "kind", "codec", "representations", "samples", "bytes", "sha256"]

Urls = dict[str, Any]


@pytest.mark.rule("decisions:D34")
def test_a_presentation_on_demand_is_told_as_json_with_every_field(keystorm: Keystorm, backend: Urls) -> None:
    ended = keystorm("play", backend["vod_url"], "--as-fast-as-possible", "--json", "--seed", "3")
    assert (ended.status, ended.stderr) == (0, "")
    result = ended.json
    assert list(result) == FIELDS
    assert [list(track) for track in result["tracks"]] == [TRACK_FIELDS] * 2
    assert (result["mpd"], result["ended"], result["error"]) == (backend["vod_url"], True, None)
    assert result["played_s"] == pytest.approx(16)
    assert (result["license_requests"], result["licenses"], result["stalls"]) == (1, 1, [])
    assert set(result["keys"].values()) == {"usable"}
    (wait,) = result["blocked"]
    assert list(wait) == ["at_s", "for_s", "kid"]
    assert wait["kid"] in result["keys"]


def test_the_same_for_a_person(keystorm: Keystorm, backend: Urls) -> None:
    ended = keystorm("play", backend["vod_url"], "--as-fast-as-possible")
    assert (ended.status, ended.stderr) == (0, "")
    lines = {line.partition(" ")[0]: line for line in ended.stdout.splitlines()}
    assert list(lines) == [backend["vod_url"], "played", "video", "audio", "key", "licenses", "blocked"]
    assert "16.00 s, to the end" in lines["played"]
    assert lines["key"].endswith(" usable")
    assert "1 request, 1 license, 1 session, 2 encrypted events" in lines["licenses"]


@pytest.mark.rule("decisions:D59")
def test_samples_are_written_and_every_event_is_traced(keystorm: Keystorm, backend: Urls, tmp_path: Path) -> None:
    out, trace = tmp_path / "new" / "out", tmp_path / "x.trace.jsonl"
    options = ["--as-fast-as-possible", "--seed", "3", "--sink", "raw", "--out", out, "--trace", trace, "--json"]
    result = keystorm("play", backend["vod_url"], *options).json
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    assert sorted(sizes.values()) == sorted(track["bytes"] for track in result["tracks"])
    assert all(name.endswith(".raw") for name in sizes)
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    assert (lines[0]["format"], lines[0]["seed"], lines[0]["clock"]) == (1, 3, "real")
    assert {"eme:encrypted", "mpd:loaded"} <= {line["name"] for line in lines[1:]}


@pytest.mark.rule("decisions:D59")
def test_what_was_played_is_written_as_clear_mp4(keystorm: Keystorm, backend: Urls, tmp_path: Path) -> None:
    options = ["--as-fast-as-possible", "--sink", "fmp4", "--out", tmp_path, "--json"]
    result = keystorm("play", backend["vod_url"], *options).json
    written = {path.name: parse_media(path.read_bytes()).fragments for path in tmp_path.iterdir()}
    assert sorted(written) == ["0-0.mp4", "0-1.mp4"]
    samples = [sum(len(each.samples) for each in written[f"0-{track}.mp4"]) for track in (0, 1)]
    assert samples == [track["samples"] for track in result["tracks"]]
    assert not any(each.kids for fragments in written.values() for each in fragments)


def test_a_live_presentation_plays_for_the_duration_asked_for(keystorm: Keystorm, backend: Urls) -> None:
    ended = keystorm("play", backend["live_url"], "--duration", "1.5", "--representation", "lowest", "--json")
    assert (ended.status, ended.stderr) == (0, "")
    assert (ended.json["ended"], ended.json["error"]) == (False, None)
    assert ended.json["played_s"] == pytest.approx(1.5, abs=0.1)


@pytest.mark.rule("decisions:D35")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_live_play_with_its_result(
    number: signal.Signals, start: Start, backend: Urls, tmp_path: Path
) -> None:
    with start("play", backend["live_url"], "--sink", "raw", "--out", tmp_path / "out", "--json") as running:
        while not (tmp_path / "out").exists():  # before that it is interrupted like any other program
            time.sleep(0.02)
        ended = running.end(number)
    assert (ended.status, ended.stderr) == (0, "")
    assert list(ended.json) == FIELDS
    assert ended.json["error"] is None


def test_a_live_presentation_is_not_played_as_fast_as_possible(keystorm: Keystorm, backend: Urls) -> None:
    ended = keystorm("play", backend["live_url"], "--as-fast-as-possible", "--json")
    assert ended.status == 2
    assert ended.stderr == "keystorm: usage: a live presentation cannot be played as fast as possible\n"
    assert ended.json["error"]["code"] == "usage"


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_one_line_beside_the_result(as_json: bool, keystorm: Keystorm, backend: Urls) -> None:
    ended = keystorm("play", backend["vod_url"] + "x", *(["--json"] if as_json else []))
    assert ended.status == 1
    (line,) = ended.stderr.splitlines()
    code, message = line.split(": ", 2)[1:]
    assert "404" in message
    if as_json:
        assert ended.json["error"] == {"code": code, "message": message}
    else:
        assert "played" in ended.stdout


def test_keys_come_from_a_file_and_are_never_shown(keystorm: Keystorm, backend: Urls, tmp_path: Path) -> None:
    known = keystorm("play", backend["vod_url"], "--as-fast-as-possible", "--json").json["keys"]
    (kid,) = known
    key = "5ec2e7" * 5 + "00"
    path = tmp_path / "keys.txt"
    path.write_text(f"# a comment\n\n{'f' * 32}:{key}\n{kid}:{key}\n")
    ended = keystorm("play", backend["vod_url"], "--as-fast-as-possible", "--key", f"@{path}", "--json")
    assert (ended.status, ended.json["local_licenses"], ended.json["license_requests"]) == (0, 1, 0)
    assert key not in ended.stdout + ended.stderr
    path.write_text(f"{kid}:{key}\n{kid}={key}\n")
    ended = keystorm("play", backend["vod_url"], "--key", f"@{path}")
    assert ended.status == 2
    assert ended.stderr == f"keystorm: usage: argument --key: {path} line 2: expected KID:KEY, each of 32 hex digits\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--key", "@/nonexistent"], "No such file"),
        (["--key", "5ec2e75ec2e75ec2e75ec2e75ec2e700"], "expected KID:KEY"),
        (["5ec2e75ec2e75ec2e75ec2e75ec2e700"], "1 argument too many"),
        (["--keys=5ec2e75ec2e75ec2e75ec2e75ec2e700"], "no option --keys;"),
        (["--license-header", "Authorization 5ec2e75ec2e7"], "expected NAME:VALUE"),
        (["--license-header", "A: 5ec2e7\r\nB: 5ec2e7"], "expected NAME:VALUE"),
        (["--license-url", "example.com"], "only http and https"),
        (["--license-url", "http://a b/"], "blanks"),
        (["--duration", "0"], "greater than 0"),
        (["--duration", "nan"], "greater than 0"),
        (["--duration", "-1"], "greater than 0"),
        (["--seed", "x"], "expected a whole number"),
        (["--seed", "-1"], "expected 0 to"),
        (["--sink", "raw"], "go together"),
        (["--out", "x"], "go together"),
        (["--sink", "raw", "--out", "README.md"], "is no folder"),
        (["--trace", "nowhere/x"], "no folder nowhere"),
        (["--trace", "tests"], "is a folder"),
        (["--profile", "x.toml"], "No such file"),
        (["--profile", "pyproject.toml"], "pyproject.toml $"),
        (["--representation"], "expected one argument"),
        (["--rep", "auto"], "no option --rep"),
    ],
)
def test_wrong_usage_is_one_line_without_a_secret(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from player.cli.main import main

    assert main(["play", "http://127.0.0.1:9/x.mpd", *options]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert words in err
    assert "5ec2e7" not in err
