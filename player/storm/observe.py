"""What is kept of a storm while it runs: rows of plain values, one a license attempt, stall, key and client.

Filled by the events of the machines; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from player.drm.cause import Cause
from player.drm.events import KeyStatusChanged, LicenseAnswered, LicenseFailed, LicenseRequested
from player.drm.keys import ExtendedStatus
from player.engine.events import PlaybackFailed
from player.ids import KeyId
from player.stream.events import Resumed, Stalled, Started
from player.trace.event import Event

WANTED: Final[frozenset[type[Event]]] = frozenset(
    {
        LicenseRequested,
        LicenseAnswered,
        LicenseFailed,
        KeyStatusChanged,
        Started,
        Stalled,
        Resumed,
        PlaybackFailed,
    }
)

NEVER: Final = -1


@dataclass(slots=True)
class Attempt:
    """One row of the request ledger. Instants in µs on the run clock; NEVER where it did not come to that."""

    client: int
    sequence: int
    attempt: int
    cause: Cause
    origin: Cause
    kids: tuple[KeyId, ...]
    intended_us: int
    sent_us: int = NEVER
    completed_us: int = NEVER
    outcome: str = ""


@dataclass(slots=True)
class Stall:
    """`kid`: the key that was missing, None where the network was. `for_us` NEVER: it lasted to the end."""

    client: int
    at_us: int
    cause: str
    kid: KeyId | None
    for_us: int = NEVER


class Start(NamedTuple):
    """When a client began to play, on the run clock, and where on the presentation timeline."""

    at_us: int
    position_us: int


@dataclass(slots=True)
class Observations:
    """Everything one run showed. `usable`: when a client could first use a key."""

    attempts: list[Attempt] = field(default_factory=list)
    stalls: list[Stall] = field(default_factory=list)
    usable: dict[tuple[int, KeyId], int] = field(default_factory=dict)
    started: dict[int, Start] = field(default_factory=dict)
    gave_up: dict[int, str] = field(default_factory=dict)  # client -> one line
    lost: dict[str, list[int]] = field(default_factory=dict)  # kind of exception -> clients whose task raised
    _open: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    _standing: dict[int, Stall] = field(default_factory=dict)

    def listener(self, client: int) -> Callable[[int, Event], None]:
        """What one client's driver is to call with each event."""
        return lambda now, event: _TAKE[type(event)](self, client, now, event)

    def lose(self, client: int, error: BaseException) -> None:
        """The client's task raised: it counts as lost, its error is kept once a kind."""
        self.lost.setdefault(f"{type(error).__name__}: {error}", []).append(client)

    def requested(self, client: int, _now: int, event: LicenseRequested) -> None:
        if event.local:
            return
        row = Attempt(client, event.sequence, event.attempt, event.cause, event.origin, event.kids, event.intended_us)
        self.attempts.append(row)
        self._open[(client, event.sequence)] = row

    def answered(self, client: int, _now: int, event: LicenseAnswered) -> None:
        row = self._open.get((client, event.sequence))
        if row is not None:
            row.outcome = event.outcome
            if row.sent_us == NEVER:  # a license that the CDM refuses is answered twice: by the server, then by the CDM
                row.sent_us, row.completed_us = event.sent_us, event.sent_us + event.duration_us

    def failed(self, client: int, _now: int, event: LicenseFailed) -> None:
        self.gave_up.setdefault(client, event.reason)

    def ended(self, client: int, _now: int, event: PlaybackFailed) -> None:
        self.gave_up.setdefault(client, event.message)

    def key(self, client: int, now: int, event: KeyStatusChanged) -> None:
        if event.new == ExtendedStatus.USABLE:
            self.usable.setdefault((client, event.kid), now)

    def playing(self, client: int, now: int, event: Started) -> None:
        self.started[client] = Start(now, event.position_us)

    def stalled(self, client: int, now: int, event: Stalled) -> None:
        self._standing[client] = Stall(client, now, event.cause, event.kid)
        self.stalls.append(self._standing[client])

    def resumed(self, client: int, now: int, event: Resumed) -> None:
        stall = self._standing.pop(client, None)
        if stall is not None:
            stall.at_us, stall.for_us = now - event.for_us, event.for_us


_TAKE: Final[dict[type[Event], Callable[..., None]]] = {
    LicenseRequested: Observations.requested,
    LicenseAnswered: Observations.answered,
    LicenseFailed: Observations.failed,
    KeyStatusChanged: Observations.key,
    Started: Observations.playing,
    Stalled: Observations.stalled,
    Resumed: Observations.resumed,
    PlaybackFailed: Observations.ended,
}
