"""A live origin that encoders push into (PUT, DELETE) and players read from, while every byte's instant is noted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

NEVER: int = 1 << 62


def wall_us() -> int:
    return time.time_ns() // 1000


@dataclass(slots=True)
class Stored:
    """One upload: its pieces with the wall time of each, when it was whole and when it was deleted."""

    begun_us: int
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    whole_us: int = NEVER
    gone_us: int = NEVER

    @property
    def body(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Get:
    """A request of a player and what came of it."""

    at_us: int
    path: str
    status: int


@dataclass(slots=True)
class Ingest:
    """Uploads by path, each path with all that was ever put there; an upload is served while it still comes in."""

    stored: dict[str, list[Stored]] = field(default_factory=dict)
    asked: list[Get] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        if request.method in ("PUT", "POST"):
            return await self._take(path, request)
        if request.method == "DELETE":
            for upload in self.stored.get(path, ()):
                upload.gone_us = min(upload.gone_us, wall_us())
            return web.Response()
        if path == "time":
            return web.Response(text=datetime.now(UTC).isoformat())
        return await self._give(path, request)

    async def until(self, path: str, uploads: int) -> None:
        """Wait until so many uploads to a path are whole."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.whole(path)) >= uploads)

    def whole(self, path: str, at_us: int = NEVER - 1) -> list[Stored]:
        return [upload for upload in self.stored.get(path, ()) if upload.whole_us <= at_us]

    async def _take(self, path: str, request: web.Request) -> web.Response:
        upload = Stored(wall_us())
        self.stored.setdefault(path, []).append(upload)
        async for piece in request.content.iter_any():
            upload.pieces.append((wall_us(), piece))
            await self._tell()
        upload.whole_us = wall_us()
        await self._tell()
        return web.Response()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _give(self, path: str, request: web.Request) -> web.StreamResponse:
        now = wall_us()
        there = [one for one in self.stored.get(path, ()) if one.gone_us > now]
        if path.endswith(".mpd"):
            there = [one for one in there if one.whole_us <= now]
        self.asked.append(Get(now, path, 200 if there else 404))
        if not there:
            return web.Response(status=404)
        if there[-1].whole_us <= now:
            return web.Response(body=there[-1].body)
        return await self._give_as_it_comes(there[-1], request)

    async def _give_as_it_comes(self, upload: Stored, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        given = 0
        while True:
            async with self._news:
                while len(upload.pieces) == given and upload.whole_us == NEVER:
                    await self._news.wait()
            for _, piece in upload.pieces[given:]:
                given += 1
                await response.write(piece)
            if upload.whole_us < NEVER and given == len(upload.pieces):
                await response.write_eof()
                return response
