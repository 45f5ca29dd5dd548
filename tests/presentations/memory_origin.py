"""Files in memory as a service, with byte ranges, and a run of the player against it on the virtual clock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from player.chance import Draw
from player.clock import MILLISECOND
from player.ids import ContentKey, KeyId
from player.runtime.clock import running_clock
from player.runtime.links import Link
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.runtime.virtual_loop import run_virtual
from player.wire.http import Reply, Request, Service

HOST = "files.test"
SWIFT = Link(latency_from_us=MILLISECOND, latency_to_us=MILLISECOND, bits_per_second=1_000_000_000)


@dataclass(slots=True)
class MemoryOrigin:
    """Answers at once. `asked`: every target, in order."""

    files: Mapping[str, bytes]
    asked: list[str] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list)

    def receive(self, request: Request, now: int) -> None:
        self.asked.append(request.target)
        body = self.files.get(request.target.partition("?")[0].lstrip("/"))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("range") or "")
        if body is None:
            self._replies.append(Reply(request.id, 404, (), b""))
        elif wanted is None:
            self._replies.append(Reply(request.id, 200, (), body))
        else:
            first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
            part = ("content-range", f"bytes {first}-{last}/{len(body)}")
            self._replies.append(Reply(request.id, 206, (part,), body[first : last + 1]))

    def gone(self, request_id: int, now: int) -> None:
        """Nothing waits here."""

    def replies(self) -> Iterable[Reply]:
        ready, self._replies = self._replies, []
        return ready

    def deadline(self) -> int | None:
        return None

    def handle_deadline(self, now: int) -> None:
        """There is none."""


def play(
    service: Service,
    url: str,
    keys: Mapping[str, str] | None = None,
    *,
    fast: bool,
    stop_at_s: float,
    representation: str = "auto",
) -> PlayResult:
    """Play until the end, or until it is stopped at an instant of the virtual clock."""
    return run_virtual(_play(service, url, keys or {}, fast, stop_at_s, representation))


async def _play(
    service: Service, url: str, keys: Mapping[str, str], fast: bool, stop_at_s: float, representation: str
) -> PlayResult:
    network = MemoryNetwork(service, running_clock(), SWIFT)
    given = {KeyId.cenc(bytes.fromhex(kid)): ContentKey(bytes.fromhex(key)) for kid, key in keys.items()}
    fetcher = network.fetcher(0, Draw(1, 0))
    async with Player(url, keys=given, fetcher=fetcher, seed=1, representation=representation) as player:
        asyncio.get_running_loop().call_later(stop_at_s, partial(player.stop))
        result = await player.play(as_fast_as_possible=fast)
    network.close()
    return result
