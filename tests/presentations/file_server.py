"""The files of a folder over real sockets, and what was asked of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.presentations.written_out import Ask


@dataclass(slots=True)
class FileServer:
    """`asked`: every request for anything but an MPD, in order of arrival; `refused`: paths that are not there."""

    folder: Path
    url: str = ""
    asked: list[Ask] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.lstrip("/")
        path = self.folder / name
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if not name.endswith(".mpd"):
            self.asked.append(Ask(name, None if wanted is None else (int(wanted[1]), int(wanted[2]))))
        if not path.is_file():
            self.refused.append(name)
            return web.Response(status=404)
        body = await asyncio.to_thread(path.read_bytes)
        if wanted is None:
            return web.Response(body=body)
        first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
        part = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
        return web.Response(status=206, headers=part, body=body[first : last + 1])


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[FileServer]:
    """Serve `folder` on a free port of loopback until the context is left."""
    server = FileServer(folder)
    async with listening(server.answer) as server.url:
        yield server


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[str]:
    """Answer every request of any method with `answer`; gives the URL."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
