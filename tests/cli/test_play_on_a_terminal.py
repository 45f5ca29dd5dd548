"""`keystorm play` where a person watches it: one line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from typing import Any, Final

import pytest

from tests.cli.conftest import COMMAND, ROOT, Keystorm

Urls = dict[str, Any]

DRAWN: Final = re.compile(r"\r([^\r\x1b]*)\x1b\[K")


def _watch(*arguments: str, columns: int = 120) -> tuple[int, str, str]:
    """Exit code, stdout, and what the terminal behind stderr was sent."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        shown = bytearray()
        while part := _more(screen):
            shown += part
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(screen)
    return process.returncode, out, shown.decode()


def _more(screen: int) -> bytes:
    try:
        return os.read(screen, 1 << 16)
    except OSError:  # Linux tells so that nobody writes any more
        return b""


def test_one_line_tells_how_it_is_going_and_is_gone_at_the_end(backend: Urls) -> None:
    status, out, shown = _watch("play", backend["vod_url"], "--duration", "2", "--json")
    assert (status, json.loads(out)["error"]) == (0, None)
    assert DRAWN.sub("", shown) == ""  # nothing but the line, drawn over itself
    *lines, last = DRAWN.findall(shown)
    assert last == ""
    assert 4 <= len(lines) <= 16  # a few times a second
    told = r"0:0[12]  buffer \d+\.\d s  \d+ kbit/s  licenses 1  keys [0-9a-f]{8} usable"
    assert re.fullmatch(told, lines[-1]), lines[-1]
    assert lines[0].endswith("licenses 0  no keys")


@pytest.mark.parametrize("columns", [20, 60])
def test_a_narrow_terminal_is_never_overrun(backend: Urls, columns: int) -> None:
    _, _, shown = _watch("play", backend["vod_url"], "--duration", "1", "--json", columns=columns)
    assert max(map(len, DRAWN.findall(shown))) < columns


def test_an_error_stands_on_a_line_of_its_own(backend: Urls) -> None:
    status, _, shown = _watch("play", backend["vod_url"].replace("manifest", "nothing"))
    assert status == 1
    assert DRAWN.sub("", shown).startswith("keystorm: http-status: ")


def test_nothing_is_drawn_where_nobody_watches(keystorm: Keystorm, backend: Urls) -> None:
    assert keystorm("play", backend["vod_url"], "--duration", "1", "--json").stderr == ""


def test_cmcd_is_an_option(keystorm: Keystorm, backend: Urls) -> None:
    for way in ("query", "header"):
        ended = keystorm("play", backend["vod_url"], "--as-fast-as-possible", "--json", "--cmcd", way)
        assert (ended.status, ended.json["ended"]) == (0, True)
    assert keystorm("play", backend["vod_url"], "--cmcd", "json").status == 2
