"""Serves the pages of these tests and the players of `node_modules` on a loopback port."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

TESTS: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = {"pages": TESTS / "browsers" / "pages", "node_modules": TESTS / "node_modules"}


@asynccontextmanager
async def page_server() -> AsyncIterator[str]:
    """The origin of the pages, such as http://127.0.0.1:40001; a secure context, so that EME is there."""
    app = web.Application()
    app.router.add_get("/{address:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _answer(request: web.Request) -> web.StreamResponse:
    """Finds modules as bundlers do: RxPlayer's imports leave out `.js` and `/index.js`, one has a slash too many.

    A redirect tells the browser where the module lies, which keeps the relative imports in it right.
    """
    address = re.sub("/+", "/", request.path)
    found = next((address + end for end in ("", ".js", "/index.js") if _file(address + end)), None)
    if found is None:
        raise web.HTTPNotFound
    if found != request.path:
        raise web.HTTPFound(found)
    return web.FileResponse(_file(found) or Path())


def _file(address: str) -> Path | None:
    """The file of an address, inside one of the two folders."""
    top, _, rest = address.lstrip("/").partition("/")
    folder = FOLDERS.get(top)
    path = (folder / rest).resolve() if folder else None
    return path if folder and path and path.is_relative_to(folder.resolve()) and path.is_file() else None
