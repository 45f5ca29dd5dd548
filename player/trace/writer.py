"""Writes a trace in the order (time, client, sequence), whatever order the driver came to the clients in."""

from __future__ import annotations

from typing import BinaryIO

from player.trace.encode import Encoder, Header
from player.trace.event import Event


def client_name(client: int) -> str:
    """`who` of a client: c0017."""
    return f"c{client:04d}"


class TraceWriter:
    """Holds back the events of the current instant and writes them, by client, when time has moved on.

    The file belongs to the caller; `close` writes what is held back and flushes, it does not close the file.
    """

    __slots__ = ("_encoder", "_file", "_held", "_time")

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._encoder = Encoder()
        self._time = 0
        self._held: list[tuple[int, bytes]] = []
        file.write(self._encoder.header(header))

    def write(self, time_us: int, client: int, event: Event) -> None:
        """Raises: ValueError where time runs backwards; TypeError where the event holds what no trace may hold."""
        line = self._encoder.event(time_us, client_name(client), event)
        if self._held and time_us != self._time:
            if time_us < self._time:
                raise ValueError(f"an event at {time_us} µs after one at {self._time} µs")
            self._release()
        self._time = time_us
        self._held.append((client, line))

    def close(self) -> None:
        self._release()
        self._file.flush()

    def _release(self) -> None:
        self._held.sort(key=_client)  # stable: a client's own events keep their sequence
        self._file.write(b"".join(line for _, line in self._held))
        self._held.clear()


def _client(held: tuple[int, bytes]) -> int:
    return held[0]
