"""Pages that are killed while they write usage records: real processes, SIGKILL, one real store."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from player.runtime.browsing_profile import BrowsingProfile
from player.wire import stored_session
from tests.runtime.usage_writer import KID

SITE: Final = "https://player.example"  # the origin of a page of which nothing is said
ACCURACY_S: Final = 0.03  # so small that a page writes all the time
ROOT: Final = Path(__file__).parents[2]
PAGES: Final = 2  # at one time, in one store


class Page:
    """A child process that writes; `seen_ms`: the last decryption that anybody saw."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.runtime.usage_writer", str(folder), str(ACCURACY_S)]
        self._child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.session_id = ""
        self.seen_ms = 0

    def wait_for_the_first(self) -> None:
        assert self._child.stdout is not None
        self.session_id = self._child.stdout.readline().decode().strip()
        self.seen_ms = int(self._child.stdout.readline())

    def kill(self) -> None:
        """SIGKILL; what it told before is read to the last whole line."""
        assert self._child.stdout is not None
        self._child.kill()
        self._child.wait(10)
        with self._child.stdout as out:
            told = out.read()
        self.seen_ms = int((b"%d\n" % self.seen_ms + told).rpartition(b"\n")[0].rpartition(b"\n")[2])


def killed(folder: Path, kills: int, chance: random.Random) -> Iterator[Page]:
    """Pages that were killed at random points, a few at one time."""
    for _ in range(kills // PAGES):
        pages = [Page(folder) for _ in range(PAGES)]
        for page in pages:
            page.wait_for_the_first()
        for page in pages:
            time.sleep(chance.uniform(0, 0.08))
            page.kill()
        yield from pages


def check_kills(folder: Path, kills: int) -> None:
    """All their records are there, and none is further from the truth than the accuracy; tampering shows."""
    store = BrowsingProfile(folder).store(SITE)
    seen = {}
    with capture_logs() as logs:
        for page in killed(folder, kills, random.Random(20)):
            seen[page.session_id] = page.seen_ms
            assert store.claim(page.session_id), "a killed page holds nothing open"
            store.release(page.session_id)
        for session_id, seen_ms in seen.items():
            data = store.read(session_id)
            assert data is not None, "a record is lost"
            stored = stored_session.read(data)
            assert stored.kids == (KID,)
            assert stored.times is not None
            assert stored.times.latest_ms is not None
            assert stored.times.latest_ms >= seen_ms - ACCURACY_S * 1000
    assert len(seen) == kills
    assert logs == [], "an unreadable store"
    check_tampering(folder, *seen)


def check_tampering(folder: Path, *session_ids: str) -> None:
    (file,) = folder.glob("*/sessions.jsonl")
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 3] ^= 4
    file.write_bytes(raw)
    with capture_logs() as logs:
        assert [BrowsingProfile(folder).store(SITE).read(it) for it in session_ids[:3]] == [None] * 3
    assert len(logs) == 3


@pytest.mark.rule("UD03")
@pytest.mark.rule("UR07")
@pytest.mark.rule("UR09")
def test_twenty_killed_pages_lose_no_record_and_leave_a_readable_store(tmp_path: Path) -> None:
    check_kills(tmp_path, 20)


@pytest.mark.long
@pytest.mark.rule("UD03")
def test_two_hundred_killed_pages_lose_no_record_and_leave_a_readable_store(tmp_path: Path) -> None:
    """Two minutes."""
    check_kills(tmp_path, 200)
