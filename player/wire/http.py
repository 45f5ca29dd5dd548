"""HTTP as plain values: what a front hands to a service, and what comes back. No I/O here.

Player and backend share these two records and nothing else of HTTP: the in-memory network of virtual time and the
aiohttp fronts of real sockets carry the same values, so a front cannot change a decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Request(NamedTuple):
    """One HTTP request as a service sees it."""

    id: int  # unique per front; a reply names it
    method: str  # "GET", "POST", …
    host: str  # "127.0.0.1:8080": authority of the URL
    target: str  # path and query, starting with "/"
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes

    def header(self, name: str) -> str | None:
        """First value of a header; `name` in lower case."""
        return next((value for key, value in self.headers if key == name), None)


class Reply(NamedTuple):
    """The answer to the request with the same id. Status 0: the server closes the connection without an answer."""

    id: int
    status: int
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes
    paced: tuple[tuple[int, int], ...] = ()  # (instant, end): body[:end] is there to be sent from this instant on


class Service(Protocol):
    """A sans-IO server: time is an argument (µs on the run clock), answers are taken, a front drives the deadlines."""

    def receive(self, request: Request, now: int) -> None: ...

    def gone(self, request_id: int, now: int) -> None:
        """The client has closed the connection of this request before its answer."""
        ...

    def replies(self) -> Iterable[Reply]:
        """Answers ready since the last call, in order; taken once."""
        ...

    def deadline(self) -> int | None:
        """The instant at which `handle_deadline` wants to be called, or None."""
        ...

    def handle_deadline(self, now: int) -> None: ...
