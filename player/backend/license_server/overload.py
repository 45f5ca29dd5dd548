"""The door of a busy license server: what an arrival is told whose wait would be too long.

Instants are in picoseconds on the run clock, as the capacity model keeps them. A door knows nothing of the queue but
the instant at which a worker would be free.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from player.backend.spec import Admission, Overload
from player.chance import Draw, Purpose
from player.clock import SECOND, us

PS: Final = 1_000_000  # picoseconds a µs: 1/C is kept to the picosecond, so that no sum over a storm drifts
DEFAULT_QUEUE_MAX_S: Final = 1.0  # longest wait accepted by a server that may refuse
_SLOT_KEPT: Final = 60 * SECOND * PS  # an unused slot is forgotten so long after its instant
_SLOTS_KEPT: Final = 1_000_000  # the schedule is a cache; beyond this the oldest promise is forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`status` 0: closed without an answer. `ticket` names the slot reserved under 429-slot."""

    status: int
    retry_after_us: int | None = None
    ticket: int | None = None


class Door:
    """Lets an arrival in, or refuses it by the rule of `overload`."""

    def __init__(self, spec: Admission, draw: Draw, *, gap_ps: int) -> None:
        self._spec = spec
        self._draw = draw
        self._jitters = 0
        self._queue_max = us(DEFAULT_QUEUE_MAX_S if spec.queue_max_s is None else spec.queue_max_s) * PS
        self._slots = Slots(gap_ps=gap_ps)

    def refuse(self, at: int, free_at: int, ticket: int | None) -> Refusal | None:
        """None: come in. `free_at`: when a worker would turn to an arrival at `at`."""
        wait = free_at - at
        match self._spec.overload:
            case Overload.QUEUE:
                return None
            case Overload.REFUSE_SLOT:
                return self._slot(at, free_at, ticket)
            case _ if wait <= self._queue_max:
                return None
            case Overload.REFUSE_FIXED:
                return Refusal(status=429, retry_after_us=us(self._spec.retry_after_s))
            case Overload.REFUSE_JITTER:
                return Refusal(status=429, retry_after_us=self._jittered())
            case Overload.UNAVAILABLE:
                return Refusal(status=503)
            case Overload.CLOSE:
                return Refusal(status=0)

    def _jittered(self) -> int:
        low = self._spec.retry_after_s
        self._jitters += 1
        return us(self._draw.between(Purpose.RETRY_AFTER, self._jitters - 1, low, low + self._spec.retry_jitter_s))

    def _slot(self, at: int, free_at: int, ticket: int | None) -> Refusal | None:
        """A newcomer is let in while the queue is short, like anywhere else; whoever has a slot, from then on."""
        slot = self._slots.promised(ticket)
        if (free_at if slot is None else slot) - at <= self._queue_max:
            self._slots.admit(free_at, ticket)
            return None
        if ticket is None or slot is None:
            ticket, slot = self._slots.reserve(free_at, at)
        return Refusal(status=429, retry_after_us=whole_us(slot - at), ticket=ticket)


class Slots:
    """The schedule of 429-slot: instants promised to clients that were refused, one every 1/C.

    It is a cache: a promise forgotten costs its client a second refusal and nothing else.
    """

    def __init__(self, *, gap_ps: int) -> None:
        self._gap = gap_ps
        self._promises: OrderedDict[int, int] = OrderedDict()  # ticket → instant, both rising
        self._tickets = 0
        self._end = 0  # everything promised or let in so far is done by then

    def promised(self, ticket: int | None) -> int | None:
        """The instant of a ticket; None for a ticket that is used, forgotten or unknown."""
        return None if ticket is None else self._promises.get(ticket)

    def admit(self, free_at: int, ticket: int | None) -> None:
        """Somebody is let in: on a promise, or as a newcomer, whose work comes on top of all that is promised."""
        if ticket is None or self._promises.pop(ticket, None) is None:
            self._end = max(self._end, free_at) + self._gap

    def reserve(self, free_at: int, at: int) -> tuple[int, int]:
        """A new ticket and its instant, behind everything promised so far."""
        self._forget(at)
        slot = max(self._end, free_at)
        self._end = slot + self._gap
        self._tickets += 1
        self._promises[self._tickets] = slot
        return self._tickets, slot

    def _forget(self, at: int) -> None:
        while self._promises:
            ticket = next(iter(self._promises))
            if len(self._promises) < _SLOTS_KEPT and self._promises[ticket] + _SLOT_KEPT >= at:
                return
            del self._promises[ticket]


def whole_us(ps: int) -> int:
    """Picoseconds as whole µs, rounded up: nothing is done before its time."""
    return -(-ps // PS)
