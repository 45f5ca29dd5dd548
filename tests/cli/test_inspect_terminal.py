"""`keystorm inspect` where a person reads it: on a terminal, with colours and no wider than the page."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from player.cli.inspect import page
from player.cli.inspected import source
from player.cli.inspected.source import MAX_BYTES, Source
from player.cli.main import main
from tests.cli.conftest import COMMAND, ROOT
from tests.cli.content import fetched

WIDTH: Final = 100
STYLES: Final = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(*arguments: str, columns: int) -> tuple[int, str]:
    """Exit code, and what a terminal of so many columns is sent."""
    screen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = bytearray()
        while part := _more(screen):
            shown += part
    os.close(screen)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def _more(screen: int) -> bytes:
    try:
        return os.read(screen, 1 << 16)
    except OSError:  # Linux tells so that nobody writes any more
        return b""


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_the_page_in_colours_and_never_wider(tmp_path: Path, columns: int) -> None:
    parts = fetched("live/video-180p/init.mp4", "live/video-180p/13.m4s", rotation="in-band")
    path = tmp_path / "media.mp4"
    path.write_bytes(b"".join(parts))
    status, shown = on_a_terminal("inspect", str(path), columns=columns)
    assert status == 0
    assert "\x1b[1m" in shown  # headings are bold
    text = STYLES.sub("", shown)
    assert "\x1b" not in text
    assert tuple(text.splitlines()) == page(Source(str(path), b"".join(parts)))
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_fault_is_shown_in_a_colour_of_its_own(tmp_path: Path) -> None:
    (init,) = fetched("live/video-180p/init.mp4", rotation="in-band")
    path = tmp_path / "broken.mp4"
    path.write_bytes(init + b"\0\0\0\7moof")
    status, shown = on_a_terminal("inspect", str(path), columns=120)
    assert status == 1
    (line,) = [line for line in shown.splitlines() if "bad-box" in line and "moof @" in line]
    assert STYLES.search(line)


def test_what_is_larger_than_any_box_is_refused_unread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with a hole takes no room on the disk."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    tracemalloc.start()
    status = main(["inspect", str(path)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert status == 2
    assert capsys.readouterr().err == f"keystorm: usage: {path}: more than {MAX_BYTES:,} bytes\n"
    assert peak < 1 << 20


def test_what_tells_no_size_is_read_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 5000)
    assert main(["inspect", "/dev/zero"]) == 2
    assert capsys.readouterr().err == "keystorm: usage: /dev/zero: more than 5,000 bytes\n"
