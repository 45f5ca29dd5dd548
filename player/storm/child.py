"""The backend as a process of its own: started, told when time begins, listened to, ended.

It speaks the line protocol of `python -m player.backend`. Leaving the context ends the child, whatever happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from player.backend.spec import BackendSpec
from player.backend.spec_json import spec_to_json
from player.errors import BackendError

_READY_S: Final = 60.0  # a cold start on a machine with much else to do; a child that fails ends at once
_END_S: Final = 10.0
_MAX_LINE: Final = 1 << 20  # bytes


@dataclass(slots=True)
class Child:
    """`log`: what the license server says of each request, as it says it. `end`: its counts, once it has ended."""

    live_url: str
    vod_url: str
    license_urls: dict[str, str]
    _stdin: asyncio.StreamWriter
    log: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, int] = field(default_factory=dict)

    async def begin(self, epoch_us: int) -> None:
        """Run-clock 0 is at this wall time."""
        self._stdin.write(b'{"t0":%d}\n' % epoch_us)
        await self._stdin.drain()


@asynccontextmanager
async def child(spec: BackendSpec) -> AsyncIterator[Child]:
    """A backend for this specification. Raises: BackendError where it does not come up, with what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "player.backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_MAX_LINE,
    )
    try:
        backend = await _ready(process, spec)
        reader = asyncio.create_task(_listen(process, backend), name="backend ledger")
        try:
            yield backend
        finally:
            await _end(process, reader)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, spec: BackendSpec) -> Child:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise BackendError("backend-gone", "the backend has no pipes")
    with contextlib.suppress(ConnectionError):
        stdin.write(spec_to_json(spec).encode() + b"\n")
        await stdin.drain()
    try:
        line = await asyncio.wait_for(stdout.readline(), _READY_S)
    except TimeoutError:
        line = b""
    if not line:
        raise BackendError("backend-gone", await _last_words(process))
    return Child(**json.loads(line)["ready"], _stdin=stdin)


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """What the child said last, for a person."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    said = b"" if process.stderr is None else await process.stderr.read(_MAX_LINE)
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "the backend did not come up"


async def _listen(process: asyncio.subprocess.Process, backend: Child) -> None:
    if process.stdout is None:
        return
    async for line in process.stdout:
        document = json.loads(line)
        if "end" in document:
            backend.end = document["end"]
        else:
            backend.log.append(document)


async def _end(process: asyncio.subprocess.Process, reader: asyncio.Task[None]) -> None:
    """Close its stdin and take what it still has to say."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader, _END_S)
        await asyncio.wait_for(process.wait(), _END_S)
