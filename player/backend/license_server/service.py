"""The license server: a request comes in, waits its turn, and gets a license, a refusal or a fault.

A `wire.http.Service`: no I/O, time and chance are arguments. It knows keys by key id and group, and nobody by name.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from player.backend.common.faults import INSTEAD, SLOW, SPOILED, Faults
from player.backend.common.keys import KeySource
from player.backend.common.replies import (
    JSON,
    NO_STORE,
    Handler,
    closed,
    health_reply,
    json_reply,
    problem_reply,
    reply,
    route,
)
from player.backend.license_server import clearkey, hierarchy, tickets
from player.backend.license_server.admission import CapacityModel, Count, Outcome
from player.backend.license_server.challenge import USAGE_RECORD, Challenge, KeySystem
from player.backend.license_server.grant import Granter
from player.backend.license_server.log import LicenseLogEntry, Listener
from player.backend.license_server.metrics import Metrics
from player.backend.license_server.overload import Refusal
from player.backend.license_server.tickets import Tickets
from player.backend.spec import LicenseSpec
from player.chance import Draw, Purpose
from player.clock import MILLISECOND, SECOND, us
from player.errors import LicenseError
from player.wire import attribution
from player.wire.attribution import Attribution
from player.wire.http import Reply, Request
from player.wire.problem import DASHIF, OURS, Problem

CLEARKEY_PATH: Final = "/license/clearkey"
HIERARCHY_PATH: Final = "/license/hierarchy"

_BAD_CHALLENGE: Final = Problem(type=f"{OURS}bad-challenge", title="No license request", status=400)
_NO_KEYS: Final = Problem(
    type=f"{DASHIF}insufficient-proof-of-authorization", title="No license for these keys", status=403, reason="kids"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A license request between its arrival and its answer. `challenge` None: it cannot be read."""

    request: Request
    system: KeySystem
    arrived: int
    sender: Attribution | None
    challenge: Challenge | None
    fault_mode: str  # of the fault that hits it; "" for none
    delay: int  # µs by which a slow answer is held back


class LicenseServer:
    """`epoch_us` is the wall time of run-clock 0; `listen` hears of every license request once it has ended."""

    def __init__(
        self, spec: LicenseSpec, keys: KeySource, draw: Draw, epoch_us: int, *, listen: Listener | None = None
    ) -> None:
        self._epoch_us = epoch_us
        self._listen = listen
        self._granter = Granter(spec, keys)
        self._faults = Faults(spec.faults, draw)
        self._capacity = CapacityModel(spec.admission, draw)
        self._tickets = Tickets(draw.value(Purpose.SERVICE, 0, 32))
        self._metrics = Metrics()
        self._asked: dict[int, _Asked] = {}  # by request id, until answered
        self._held_back: list[tuple[int, int, Reply]] = []  # heap of (due, request id, answer): the fault `slow`
        self._replies: list[Reply] = []
        self._routes: dict[str, dict[str, Handler]] = {
            CLEARKEY_PATH: {"POST": partial(self._ask, clearkey.SYSTEM)},
            HIERARCHY_PATH: {"POST": partial(self._ask, hierarchy.SYSTEM)},
            "/v1/health": {"GET": lambda request, _now: health_reply(request, "license")},
            "/metrics": {"GET": self._tell},
        }

    def receive(self, request: Request, now: int) -> None:
        self.handle_deadline(now)  # what ends at this instant ends before what arrives at it
        answer = route(self._routes, request, now)
        if answer is not None:
            self._replies.append(answer)
        self._settle(now)

    def gone(self, request_id: int, now: int) -> None:
        self._capacity.gone(request_id, now)
        self._settle(now)
        held = next((entry for entry in self._held_back if entry[1] == request_id), None)
        if held is not None:
            self._held_back.remove(held)
            heapq.heapify(self._held_back)
            self._finish(self._asked[request_id], None, now)

    def replies(self) -> Iterable[Reply]:
        taken, self._replies = self._replies, []
        return taken

    def deadline(self) -> int | None:
        instants = [entry[0] for entry in self._held_back[:1]]
        served = self._capacity.deadline()
        return min(instants if served is None else [*instants, served], default=None)

    def handle_deadline(self, now: int) -> None:
        self._capacity.handle_deadline(now)
        self._settle(now)

    def _ask(self, system: KeySystem, request: Request, now: int) -> None:
        fault = self._faults.hit(now)
        asked = _Asked(
            request=request,
            system=system,
            arrived=now,
            sender=_sender(request),
            challenge=_challenge(system, request.body),
            fault_mode=fault.mode if fault else "",
            delay=us(fault.delay_s) if fault else 0,
        )
        if asked.fault_mode in INSTEAD:
            return self._finish(asked, INSTEAD[asked.fault_mode](request), now)
        ticket = self._tickets.read(request.header(tickets.HEADER))
        refusal = self._capacity.arrive(request.id, now, ticket)
        if refusal is not None:
            return self._finish(asked, self._refuse(request, refusal), now)
        self._asked[request.id] = asked
        return None

    def _settle(self, now: int) -> None:
        """Answers whoever has been served, and whoever has been held back long enough."""
        for outcome in self._capacity.outcomes():
            self._answer(outcome, now)
        while self._held_back and self._held_back[0][0] <= now:
            _, request_id, answer = heapq.heappop(self._held_back)
            self._finish(self._asked[request_id], answer, now)

    def _answer(self, outcome: Outcome, now: int) -> None:
        asked = self._asked[outcome.request_id]
        if outcome.ended is not Count.SERVED:
            self._finish(asked, None if outcome.gone else closed(asked.request), now)
            return
        answer = self._license(asked, now)
        if asked.fault_mode in SPOILED and answer.status == 200:
            answer = SPOILED[asked.fault_mode](answer)
        if asked.fault_mode == SLOW:
            heapq.heappush(self._held_back, (now + asked.delay, asked.request.id, answer))
        else:
            self._finish(asked, answer, now)

    def _license(self, asked: _Asked, now: int) -> Reply:
        if asked.challenge is None:
            return problem_reply(asked.request, _BAD_CHALLENGE)
        is_record = asked.challenge.session_type == USAGE_RECORD
        if asked.challenge.acknowledgement is not None:
            self._metrics.release(of_record=is_record)
            return reply(asked.request, 200, asked.challenge.acknowledgement, JSON, headers=(NO_STORE,))
        now_ms = (self._epoch_us + now) // MILLISECOND
        grant = self._granter.grant(asked.challenge.kids, now_ms)
        body = asked.system.write(asked.challenge, grant, now_ms)
        if body is None:
            return problem_reply(asked.request, _NO_KEYS)
        self._metrics.keys += len(grant.keys)
        self._metrics.open_records += is_record
        return reply(asked.request, 200, body, JSON, headers=(NO_STORE,))

    def _refuse(self, request: Request, refusal: Refusal) -> Reply:
        if not refusal.status:
            return closed(request)
        wait_us = refusal.retry_after_us
        record = Problem(
            type=f"{OURS}overloaded",
            title="Too many license requests",
            status=refusal.status,
            retry_after_ms=None if wait_us is None else -(-wait_us // MILLISECOND),
            ticket=None if refusal.ticket is None else self._tickets.write(refusal.ticket),
        )
        headers = () if wait_us is None else (("retry-after", str(-(-wait_us // SECOND))),)
        return problem_reply(request, record, headers=headers)

    def _finish(self, asked: _Asked, answer: Reply | None, now: int) -> None:
        """The end of a license request; no answer: the client has gone."""
        self._asked.pop(asked.request.id, None)
        status = 0 if answer is None else answer.status
        if answer is not None:
            self._replies.append(answer)
        is_release = asked.challenge is not None and asked.challenge.acknowledgement is not None
        self._metrics.count(status, now, is_release=is_release)
        if self._listen is not None:
            self._listen(_log_entry(asked, status, now))

    def _tell(self, request: Request, now: int) -> Reply:
        return json_reply(request, self._metrics.document(queue_s=self._capacity.wait_us(now) / SECOND))


def _sender(request: Request) -> Attribution | None:
    """What the sender says of itself; a header that says nothing sensible is as good as none."""
    value = request.header(attribution.HEADER)
    try:
        return None if value is None else attribution.read(value)
    except LicenseError:
        return None


def _challenge(system: KeySystem, body: bytes) -> Challenge | None:
    try:
        return system.read(body)
    except LicenseError:
        return None


def _log_entry(asked: _Asked, status: int, now: int) -> LicenseLogEntry:
    sender = asked.sender
    return LicenseLogEntry(
        time_us=asked.arrived,
        client=sender.client if sender else None,
        sequence=sender.sequence if sender else None,
        cause=sender.cause if sender else None,
        attempt=sender.attempt if sender else None,
        kids=asked.challenge.kids if asked.challenge else (),
        status=status,
        done_us=now,
    )
