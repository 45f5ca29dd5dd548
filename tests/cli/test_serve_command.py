"""`keystorm serve`: it says where it is, and serves until it is told to end."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from player.cli.main import main

if TYPE_CHECKING:
    from tests.cli.conftest import Start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_0(number: signal.Signals, start: Start) -> None:
    with start("serve", "--json") as running:
        urls = json.loads(running.out.readline())
        assert list(urls) == ["live_url", "vod_url", "license_urls", "t0_epoch_us"]
        assert sorted(urls["license_urls"]) == ["org.keystorm.hierarchy", "org.w3.clearkey"]
        with urllib.request.urlopen(urls["vod_url"]) as answer:
            assert b"<MPD" in answer.read()
        ended = running.end(number)
    assert (ended.status, ended.stdout, ended.stderr) == (0, "", "")


def test_a_person_reads_its_urls_and_every_license_request(start: Start) -> None:
    with start("serve", "demo") as running:
        lines = [running.out.readline() for _ in range(4)]
        assert [line.split()[0] for line in lines] == ["live", "vod", "license", "license"]
        request = urllib.request.Request(
            lines[2].split()[1], data=b'{"kids":["AAAAAAAAAAAAAAAAAAAAAA"],"type":"temporary"}'
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        refused.value.close()
        ended = running.end()
    assert ended.status == 0
    assert "license request" in ended.stderr
    assert f"status={refused.value.code}" in ended.stderr


@pytest.mark.rule("decisions:D63")
def test_beyond_loopback_it_wants_a_token(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-of-decent-length\n")
    with start("serve", "--listen", "0.0.0.0", "--token-file", path, "--json") as running:
        url = json.loads(running.out.readline())["vod_url"]
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(url)
        refused.value.close()
        bearing = urllib.request.Request(url, headers={"Authorization": "Bearer a-token-of-decent-length"})
        with urllib.request.urlopen(bearing) as answer:
            assert answer.status == 200
        assert running.end().status == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "0.0.0.0"], "go together"),
        (["--token-file", "x"], "go together"),
        (["--listen", "0.0.0.0", "--token-file", "nowhere"], "nowhere: No such file"),
        (["--listen", "0.0.0.0", "--token-file", "SHORT"], "expected a token of 16 to 4,096 characters"),
        (["--listen", "127.0.0.1", "--token-file", "GOOD"], "beyond loopback"),
        (["--listen", "192.0.2.1", "--token-file", "GOOD"], "cannot listen on 192.0.2.1"),
        (["dmeo"], "did you mean 'demo'?"),
        (["nowhere.toml"], "nowhere.toml: No such file"),
        (["--seed", "x"], "expected a whole number"),
    ],
)
def test_wrong_usage_is_one_line(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "SHORT").write_text("short")
    (tmp_path / "GOOD").write_text("5ec2e75ec2e75ec2e75ec2e7")
    files = {name: str(tmp_path / name) for name in ("SHORT", "GOOD")}
    assert main(["serve", *(files.get(option, option) for option in options)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert words in err
    assert "5ec2e7" not in err
