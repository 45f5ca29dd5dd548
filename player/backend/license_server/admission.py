"""The capacity of a license server: who waits, who is served when, and who is turned away.

One object for the real servers and for simulated ones, so that a simulated storm meets the same server. It sees request
ids and instants, never a license. Everything it does is a function of the order of arrivals; chance comes from a draw.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from enum import StrEnum
from typing import Final, NamedTuple

from player.backend.license_server.overload import PS, Door, Refusal, whole_us
from player.backend.spec import Admission, Discipline
from player.chance import Draw
from player.clock import MILLISECOND, SECOND, us

BIN_US: Final = 100 * MILLISECOND


class Count(StrEnum):
    """What is counted: every arrival, and the one way in which it ended."""

    ARRIVED = "arrived"
    SERVED = "served"
    WASTED = "wasted"  # served, but the client had gone
    REFUSED = "refused"  # told to come back
    DROPPED = "dropped"  # thrown away while it waited
    CLOSED = "closed"  # turned away without an answer


class Outcome(NamedTuple):
    """The end of an admitted request: served, wasted or dropped, at an instant in µs on the run clock."""

    request_id: int
    at: int
    ended: Count
    gone: bool = False  # nobody waits for the answer any more


class CapacityModel:
    """A queue before `workers` parallel servers that together do `capacity` licenses a second, each in the same time.

    Calls come in time order. `counts` and `bins` (of 100 ms) tell what happened, `backlog` how many wait or are served.
    """

    def __init__(self, spec: Admission, draw: Draw) -> None:
        self._spec = spec
        self._service = round(spec.workers / spec.capacity * SECOND * PS) if spec.capacity else 0
        self._door = Door(spec, draw, gap_ps=self._service // spec.workers)
        self._too_old = None if spec.deadline_s is None else us(spec.deadline_s) * PS
        self._waiting: OrderedDict[int, int] = OrderedDict()  # request id → arrival in ps, in order of arrival
        self._serving: list[tuple[int, int, int]] = []  # heap of (end in ps, number of the service, request id)
        self._gone: set[int] = set()  # ids in `_waiting` or `_serving` whose client has closed
        self._outcomes: list[Outcome] = []
        self._services = 0
        self.counts: Counter[Count] = Counter()
        self.bins: dict[int, Counter[Count]] = {}
        self.backlog_max = 0
        self.longest_wait_us = 0

    @property
    def backlog(self) -> int:
        return len(self._waiting) + len(self._serving)

    def arrive(self, request_id: int, now: int, ticket: int | None = None) -> Refusal | None:
        """None: admitted, and one `Outcome` will follow. `ticket` is that of an earlier refusal with a slot."""
        self._advance(now)
        self._count(Count.ARRIVED, now)
        if self._spec.capacity is None:
            self._end(request_id, now, Count.SERVED)
            return None
        refusal = self._door.refuse(now * PS, self._free_at(now), ticket)
        if refusal is None:
            self._admit(request_id, now)
        else:
            self._count(Count.REFUSED if refusal.status else Count.CLOSED, now)
        return refusal

    def gone(self, request_id: int, now: int) -> None:
        """The client has closed. Its work stays and is wasted, unless the discipline throws such work away."""
        self._advance(now)
        waiting = request_id in self._waiting
        if waiting or any(served == request_id for _, _, served in self._serving):
            self._gone.add(request_id)
        if waiting and self._spec.discipline is Discipline.FIFO_DEADLINE:
            del self._waiting[request_id]
            self._end(request_id, now, Count.DROPPED)

    def wait_us(self, now: int) -> int:
        """How long an arrival at `now` would wait if all that is ahead of it were served in order."""
        return whole_us(self._free_at(now) - now * PS)

    def outcomes(self) -> list[Outcome]:
        """What has ended since the last call, in the order of time; taken once."""
        taken, self._outcomes = self._outcomes, []
        return taken

    def deadline(self) -> int | None:
        return whole_us(self._serving[0][0]) if self._serving else None

    def handle_deadline(self, now: int) -> None:
        self._advance(now)

    def _admit(self, request_id: int, now: int) -> None:
        if len(self._serving) < self._spec.workers:
            self._serve(request_id, now * PS, now * PS)
        else:
            self._waiting[request_id] = now * PS
        self.backlog_max = max(self.backlog_max, self.backlog)

    def _advance(self, now: int) -> None:
        """Ends what is due, in order: what ends at an instant makes room for an arrival at it."""
        while self._serving and self._serving[0][0] <= now * PS:
            end, _, request_id = heapq.heappop(self._serving)
            self._end(request_id, whole_us(end), Count.WASTED if request_id in self._gone else Count.SERVED)
            self._serve_next(end)

    def _serve_next(self, at: int) -> None:
        newest_first = self._spec.discipline is Discipline.LIFO
        while self._waiting:
            request_id, arrived = self._waiting.popitem(last=newest_first)
            if not self._stale(at - arrived):
                return self._serve(request_id, arrived, at)
            self._end(request_id, whole_us(at), Count.DROPPED)
        return None

    def _stale(self, age: int) -> bool:
        return self._spec.discipline is Discipline.FIFO_DEADLINE and self._too_old is not None and age > self._too_old

    def _serve(self, request_id: int, arrived: int, at: int) -> None:
        self._services += 1
        self.longest_wait_us = max(self.longest_wait_us, (at - arrived) // PS)
        heapq.heappush(self._serving, (at + self._service, self._services, request_id))

    def _free_at(self, now: int) -> int:
        """Instant in ps at which a worker would turn to an arrival at `now`."""
        if len(self._serving) < self._spec.workers:
            return now * PS
        rounds, worker = divmod(len(self._waiting), self._spec.workers)
        return sorted(self._serving)[worker][0] + rounds * self._service

    def _end(self, request_id: int, at: int, count: Count) -> None:
        self._outcomes.append(Outcome(request_id, at, count, gone=request_id in self._gone))
        self._gone.discard(request_id)
        self._count(count, at)

    def _count(self, count: Count, at: int) -> None:
        self.counts[count] += 1
        self.bins.setdefault(at // BIN_US, Counter())[count] += 1
