"""The command in a process of its own, as a user has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "player"]


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[str]

    @property
    def out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def end(self, number: signal.Signals = signal.SIGINT) -> Ended:
        """Send a signal and wait."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return Ended(self.process.returncode, out, err)


Keystorm = Callable[..., Ended]
Start = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(scope="session")
def keystorm() -> Keystorm:
    """`keystorm(*arguments)`: run the command and wait for its end."""

    def run(*arguments: str | Path, **environment: str) -> Ended:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell starts what runs in the background with Ctrl-C ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def start() -> Start:
    """`with start(*arguments) as running`: it is killed at the end of the block if it has not ended."""

    @contextmanager
    def begin(*arguments: str | Path) -> Iterator[Running]:
        command = [*COMMAND, *map(str, arguments)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield Running(process)
            finally:
                if process.poll() is None:
                    process.kill()

    return begin


@pytest.fixture(scope="session")
def backend(start: Start) -> Iterator[dict[str, Any]]:
    """The URLs of a backend that rotates keys in-band, as `keystorm serve demo --json` prints them."""
    with start("serve", "demo", "--json", "--seed", "1") as running:
        yield json.loads(running.out.readline())
