"""What holds for every command: help, lines, exit codes, and how little is loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from player.cli import main as cli
from player.cli.file_limit import raise_file_limit
from player.cli.main import COMMANDS, complain, main
from player.errors import KeystormError, UsageError

HEAVY = ("aiohttp", "cryptography", "vl_convert", "rich", "structlog", "asyncio", "msgspec", "lxml")

OPTIONS = {
    "demo": {"--clients", "--seed", "--clock", "--report", "--json"},
    "play": {
        "--license-url", "--license-header", "--key", "--key-system", "--profile", "--license-scope",
        "--representation", "--start", "--rate", "--duration", "--as-fast-as-possible", "--out", "--sink", "--cmcd",
        "--seed", "--trace", "--json",
    },
    "decrypt": {"--key", "--output"},
    "package": {
        "--output", "--key", "--scheme", "--pattern", "--iv-size", "--form", "--segment", "--clear-lead", "--rotation",
        "--crypto-period", "--seed", "--write-keys", "--pssh", "--pssh-in", "--license-url", "--period-at", "--json",
    },
    "storm": {
        "--clients", "--seed", "--strategy", "--driver", "--clock", "--media", "--report", "--result", "--trace",
        "--json",
    },
    "inspect": {"--init", "--json"},
    "cpix": set(),  # its four commands have them
    "trace": set(),  # its commands have them
    "serve": {"--listen", "--token-file", "--seed", "--json"},
}  # fmt: skip
"""What is built; nothing else may be listed."""


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, player.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_help_lists_the_commands_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"^    (\w+) +\w", capsys.readouterr().out, re.MULTILINE)
    assert [name for name in listed if name != "COMMAND"] == list(COMMANDS) == list(OPTIONS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_only_what_is_built(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert set(re.findall(r"--[a-z-]+", told)) - {"--help"} >= OPTIONS[command]
    assert set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", told, re.MULTILINE)) == OPTIONS[command] | {"--help"}
    assert not re.search(r"lean|virtual-time|isolated|hashed-slot", told)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"keystorm \d+(\.\d+)*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no command given; there are: demo, play, "),
        (["plya"], "invalid choice: 'plya'"),
        (["--verbose"], "--verbose"),
        (["play"], "required: MPD"),
        (["storm", "one", "two"], "1 argument too many"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("keystorm: usage: ")
    assert len(err.splitlines()) == 1
    assert words in err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("no"), 2, "usage: no"),
        (KeystormError("some-code", "a\nb  c"), 1, "some-code: a b c"),
        (KeyboardInterrupt(), 1, "interrupted: ended before its time"),
        (RuntimeError("x"), 1, "internal-error: RuntimeError: x (KEYSTORM_DEBUG=1 shows where)"),
    ],
)
def test_whatever_is_raised_becomes_one_line(
    error: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert main([]) == status
    assert capsys.readouterr().err == f"keystorm: {line}\n"


def test_a_traceback_is_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_arguments: list[str]) -> int:
        raise RuntimeError("x")

    monkeypatch.setattr(cli, "_run", fail)
    monkeypatch.setenv("KEYSTORM_DEBUG", "1")
    with pytest.raises(RuntimeError, match="x"):
        main([])


def test_a_long_message_stays_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain("x", "word " * 500, 1) == 1
    assert len(capsys.readouterr().err) == 401


def test_a_reader_that_has_gone_is_no_error_of_its_own() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "player", "play", "--help"]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    told = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=buffered)
    os.close(writer)
    assert (told.returncode, told.stderr) == (1, "")


@pytest.mark.rule("decisions:D80")
def test_more_clients_than_files_can_be_opened_are_refused() -> None:
    code = (
        "import resource, sys; from player.cli.file_limit import raise_file_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 100)); raise_file_limit(20);"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)); raise_file_limit(21)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout == "(100, 100)\n"
    assert "21 clients need 105 open files, and this machine allows 100" in told.stderr
    raise_file_limit(1)
