"""What lies between a client and the services in memory: latency and bandwidth, which may change at set instants."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND

NEVER: Final = 1 << 62  # an instant that does not come

_BIT_US: Final = 8 * SECOND  # a byte, in bits x µs/s


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChange:
    """From this instant on; None: as before. 0 bit/s: nothing passes."""

    at_us: int  # on the run clock
    latency_from_us: int | None = None
    latency_to_us: int | None = None
    bits_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Latency: there and back, without the body. `changes` in the order of their instants."""

    latency_from_us: int = 20 * MILLISECOND
    latency_to_us: int = 30 * MILLISECOND
    bits_per_second: int = 20_000_000
    changes: tuple[LinkChange, ...] = ()

    def latency_us(self, draw: Draw, counter: int, now: int) -> int:
        """Whole µs, rounded down."""
        link = self.at(now)
        return int(draw.between(Purpose.LATENCY, counter, link.latency_from_us, link.latency_to_us))

    def at(self, now: int) -> Link:
        """What holds at this instant."""
        return self if not self.changes else self._after(bisect_right(self.changes, now, key=_instant))

    def transfer_end(self, start: int, size_bytes: int) -> int:
        """When a body that begins to pass at `start` has passed: whole µs, rounded up."""
        left = size_bytes * _BIT_US
        for begin, end, rate in self._rates(start):
            room = rate * (end - begin)
            if left <= room:
                return begin + -(-left // rate) if left else begin
            left -= room
        return NEVER

    def passed_bytes(self, start: int, now: int) -> int:
        """What has passed by `now` of a body that began to pass at `start`."""
        units = sum(rate * (min(end, now) - begin) for begin, end, rate in self._rates(start) if begin < now)
        return units // _BIT_US

    def _rates(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Stretches of one rate from `start` on: begin, end (µs), bit/s."""
        begin = start
        position = bisect_right(self.changes, start, key=_instant)
        for number in range(position, len(self.changes) + 1):
            end = self.changes[number].at_us if number < len(self.changes) else NEVER
            yield begin, end, self._after(number).bits_per_second
            begin = end

    def _after(self, count: int) -> Link:
        """With so many changes made."""
        link = self
        for change in self.changes[:count]:
            said = {name: value for name in _CHANGEABLE if (value := getattr(change, name)) is not None}
            link = replace(link, **said)
        return link


_CHANGEABLE: Final = ("latency_from_us", "latency_to_us", "bits_per_second")


def _instant(change: LinkChange) -> int:
    return change.at_us
