"""The backend as a real child process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.backend.spec_json import spec_to_json
from player.ids import CLEARKEY
from player.mpd.parse import parse
from player.wire.clearkey import write_request

pytestmark = pytest.mark.rule("decisions:D83")


@contextmanager
def child() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "player.backend"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1) as process:
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")


def hear(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    told: dict[str, object] = json.loads(process.stdout.readline())
    return told


def fetch(url: str, data: bytes | None = None, **headers: str) -> bytes:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, data, given), timeout=5) as answer:
        body: bytes = answer.read()
        return body


def test_a_child_says_ready_then_each_license_request_then_its_counts_and_ends_with_stdin() -> None:
    spec = BackendSpec(content=ContentSpec(rotation=Rotation.NEW_PERIOD), seed=1)
    with child() as process:
        say(process, spec_to_json(spec))
        ready = hear(process)["ready"]
        assert isinstance(ready, dict)
        t0 = time.time_ns() // 1000
        say(process, json.dumps({"t0": t0}))
        presentation = parse(fetch(ready["live_url"]), ready["live_url"])
        assert presentation.availability_start_wall_us // 1000 == (t0 - 24_000_000) // 1000
        (kid,) = presentation.periods[0].adaptation_sets[0].protections[0].default_kids
        headers = {"Content_Type": "application/json", "Keystorm_Request": "12/1/start/1"}
        fetch(ready["license_urls"][CLEARKEY], write_request((kid,)), **headers)
        entry = hear(process)
        members = ("client", "sequence", "cause", "attempt", "kids", "status")
        assert {name: entry[name] for name in members} == {
            "client": 12,
            "sequence": 1,
            "cause": "start",
            "attempt": 1,
            "kids": [str(kid)],
            "status": 200,
        }
        assert 0 <= entry["time_us"] <= entry["done_us"] < 60_000_000  # type: ignore[operator]
        assert process.stdin is not None
        process.stdin.close()
        counts = hear(process)["end"]
        assert isinstance(counts, dict)
        assert (counts["license_requests"], counts["mpd"]) == (1, 1)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{}x"], "backend specification"),
        (['{"content":{"segment_s":3}}'], "no multiple of 2 s"),
        (["{}", "{}"], "t0"),
        ([], "backend specification"),
    ],
)
def test_a_child_that_cannot_serve_says_why_in_one_line(lines: list[str], said: str) -> None:
    with child() as process:
        _, errors = process.communicate("".join(line + "\n" for line in lines), timeout=10)
        assert process.returncode == 2
        assert said in errors
        assert errors.count("\n") == 1
