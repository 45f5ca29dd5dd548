"""How a playback is going: one line on a terminal, drawn anew a few times a second; elsewhere nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from player.drm.events import LicenseRequested
from player.runtime.player import Player
from player.stream.events import RepresentationChosen

EVERY_S: Final = 0.25
NAMED_KEYS: Final = 3  # more are counted by their state

_TO_THE_LEFT: Final = "\r"
_ERASE: Final = "\x1b[K"  # ECMA-48, EL: to the end of the line
_HOUR_S: Final = 3600
_SHORT_ID: Final = 8  # characters of a key id that tell it from others


@asynccontextmanager
async def status_line(player: Player) -> AsyncIterator[None]:
    """On stderr until the block ends, and gone then: what is printed next begins on a clean line."""
    if not sys.stderr.isatty():
        yield
        return
    line = _StatusLine(player)
    tasks = [asyncio.create_task(line.listen()), asyncio.create_task(line.draw())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _write(_TO_THE_LEFT + _ERASE)


class _StatusLine:
    def __init__(self, player: Player) -> None:
        self._player = player
        self._requests = 0
        self._bandwidths: dict[int, int] = {}  # by track, bit/s
        self._events = player.events(LicenseRequested, RepresentationChosen)

    async def listen(self) -> None:
        async for event in self._events:
            if isinstance(event, RepresentationChosen):
                self._bandwidths[event.track] = event.bandwidth
            elif isinstance(event, LicenseRequested) and not event.local:
                self._requests += 1

    async def draw(self) -> None:
        while True:
            _write(_TO_THE_LEFT + self.text()[: _columns() - 1] + _ERASE)
            await asyncio.sleep(EVERY_S)

    def text(self) -> str:
        """What matters most stands first: a narrow terminal cuts the end off."""
        player = self._player
        ahead_s = sum(end - max(begin, player.position_s) for begin, end in player.buffered_s)
        return "  ".join(
            (
                _clock(player.position_s),
                f"buffer {max(0.0, ahead_s):.1f} s",
                f"{sum(self._bandwidths.values()) / 1000:,.0f} kbit/s",
                f"licenses {self._requests}",
                self._keys(),
            )
        )

    def _keys(self) -> str:
        statuses = self._player.key_statuses
        if not statuses:
            return "no keys"
        if len(statuses) > NAMED_KEYS:
            counts = Counter(status.value for status in statuses.values())
            return "keys " + ", ".join(f"{count} {status}" for status, count in counts.items())
        return "keys " + ", ".join(f"{str(kid)[:_SHORT_ID]} {status.value}" for kid, status in statuses.items())


def _clock(position_s: float) -> str:
    hours, rest = divmod(position_s, _HOUR_S)
    minutes, s = divmod(rest, 60)
    return f"{int(hours)}:{int(minutes):02}:{int(s):02}" if hours else f"{int(minutes)}:{int(s):02}"


def _columns() -> int:
    """Of the terminal, which may have been made wider; 80 where it does not say."""
    with suppress(OSError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def _write(text: str) -> None:
    """A terminal that has gone does not end the playback."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
