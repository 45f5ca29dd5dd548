"""The closed forms laid beside one run. A form whose conditions the run does not meet is not in the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from player.backend.rotation.schedule import live_schedule
from player.backend.spec import Discipline, KeyPlan, Overload, Rotation
from player.clock import seconds, us
from player.drm.cause import Cause
from player.storm import forms
from player.storm.boundaries import Boundary, lost_clients
from player.storm.document import FormResult
from player.storm.forms import Form
from player.storm.latency import under_way
from player.storm.observe import NEVER, Attempt, Stall
from player.storm.record import Record
from player.storm.series import busiest
from player.storm.stalls import Stood

_BINS_OF_JOINS = 10
_ROTATING = frozenset({Rotation.IN_BAND, Rotation.NEW_PERIOD})  # every content key is asked for


class _Queue(NamedTuple):
    """What the license server saw of one boundary, µs on the run clock."""

    arrivals: tuple[int, ...]
    ends: tuple[int, ...]
    waits: tuple[int, ...]
    deepest: int

    @property
    def spread_s(self) -> float:
        return seconds(max(self.arrivals) - min(self.arrivals))

    @property
    def cleared_s(self) -> float:
        return seconds(max(self.ends) - min(self.arrivals))


def at_start(record: Record) -> list[FormResult]:
    """Joins: one license each, and their fullest bin where they are uniform and many."""
    if record.backend.content.keys is not KeyPlan.SINGLE:
        return []
    first = [a.intended_us for a in record.seen.attempts if a.cause is Cause.START]
    found = [_beside(forms.total(record.spec.clients, 1), len(first))]
    window_s = record.spec.join.to_s - record.spec.join.from_s
    bin_s = window_s / _BINS_OF_JOINS
    form = forms.peak_of_uniform_window(record.spec.clients, window_s, bin_s) if window_s > 0 else None
    if form is not None and first:
        began = min(first)
        found.append(_beside(form, busiest((instant - began for instant in first), us(bin_s))[0]))
    return found


def at_boundary(
    record: Record, boundary: Boundary, attempts: Sequence[Attempt], stood: Sequence[Stood]
) -> list[FormResult]:
    """`attempts` and `stood` are those of the boundary."""
    content = record.backend.content
    if not boundary.counted or content.keys is not KeyPlan.SINGLE or record.backend.license.grant != "requested":
        return []
    each = 1 if content.rotation in _ROTATING else 0
    found = [_beside(forms.total(record.spec.clients, each), sum(attempt.attempt == 1 for attempt in attempts))]
    queue = _queue(record, boundary)
    return found if queue is None else [*found, *_queued(record, boundary, queue, attempts, stood)]


def _queued(
    record: Record, boundary: Boundary, queue: _Queue, attempts: Sequence[Attempt], stood: Sequence[Stood]
) -> Iterable[FormResult]:
    capacity = record.backend.license.admission.capacity or 0.0
    overloaded = forms.overload(len(queue.arrivals), capacity, queue.spread_s)
    if overloaded is None:
        return
    measured = (seconds(max(queue.waits)), queue.deepest, queue.cleared_s)
    yield from (_beside(form, value) for form, value in zip(overloaded, measured, strict=True))
    slacks_s = _slacks_s(record, boundary, attempts, stood)
    clients = len({stall.client for stall in stood if stall.kid is not None})
    if len(slacks_s) == len(queue.arrivals):
        yield _beside(forms.stalled(slacks_s, overloaded[0].predicted), clients)


def conservation(record: Record) -> list[FormResult]:
    """Every client and every attempt has exactly one end."""
    seen, lost = record.seen, lost_clients(record)
    gave_up = seen.gave_up.keys() - lost
    playing = seen.started.keys() - lost - gave_up
    waiting = [client for client in range(record.spec.clients) if client not in lost | gave_up | playing]
    ended = sum(1 for attempt in seen.attempts if attempt.outcome)
    left = len(under_way(record)) + sum(1 for a in seen.attempts if not a.outcome and a.client in lost)
    rows = [_queue_of(record.server_log)] if record.server_log else []
    return [
        _beside(
            *forms.conserved("clients", len(playing) + len(gave_up) + len(lost) + len(waiting), record.spec.clients)
        ),
        _beside(*forms.conserved("attempts", ended + left, len(seen.attempts))),
        *(
            _beside(*forms.conserved("seconds waited at the server", seconds(_area(queue)), seconds(sum(queue.waits))))
            for queue in rows
        ),
    ]


def _queue(record: Record, boundary: Boundary) -> _Queue | None:
    """None where the forms of a queue do not apply: other rules, faults, or other requests in the queue meanwhile."""
    admission = record.backend.license.admission
    plain = (
        admission.capacity is not None
        and admission.workers == 1
        and admission.discipline is Discipline.FIFO
        and admission.overload is Overload.QUEUE
        and admission.queue_max_s is None
        and not record.backend.license.faults
    )
    kids = {str(kid) for kid in boundary.kids}
    own = [row for row in record.server_log if kids.intersection(row["kids"])]
    if not plain or not own:
        return None
    queue = _queue_of(own)
    others = (row for row in record.server_log if not kids.intersection(row["kids"]))
    alone = all(row["done_us"] <= min(queue.arrivals) or row["time_us"] >= max(queue.ends) for row in others)
    return queue if alone else None


def _queue_of(rows: Iterable[dict[str, Any]]) -> _Queue:
    spans = [(row["time_us"], row["done_us"]) for row in rows]
    return _Queue(
        arrivals=tuple(arrived for arrived, _ in spans),
        ends=tuple(ended for _, ended in spans),
        waits=tuple(ended - arrived for arrived, ended in spans),
        deepest=max((depth for _, depth in _depths(spans)), default=0),
    )


def _depths(spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Each instant at which the queue changed, and its length from there on; at one instant, arrivals first."""
    moves = sorted([(arrived, -1) for arrived, _ in spans] + [(ended, 1) for _, ended in spans])
    depth = 0
    for instant, move in moves:
        depth -= move
        yield instant, depth


def _area(queue: _Queue) -> int:
    """The queue's length, integrated over time."""
    spans = tuple(zip(queue.arrivals, queue.ends, strict=True))
    area, since, length = 0, 0, 0
    for instant, depth in _depths(spans):
        area, since, length = area + length * (instant - since), instant, depth
    return area


def _slacks_s(
    record: Record, boundary: Boundary, attempts: Sequence[Attempt], stood: Sequence[Stood]
) -> tuple[float, ...]:
    """How long the answer to each client that asked may take before it stalls.

    Its position is behind the live edge by its live delay, by what its start took, and by all it has stalled before.
    """
    sent = {attempt.client: attempt.sent_us for attempt in attempts if attempt.attempt == 1}
    mine = {stall.client: stall.from_us for stall in stood}
    earlier: dict[int, list[Stall]] = {}
    for stall in record.seen.stalls:
        earlier.setdefault(stall.client, []).append(stall)
    return tuple(
        seconds(
            boundary.at_us
            + behind_us(record, client, earlier.get(client, ()), mine.get(client, boundary.at_us))
            - sent_us
        )
        for client, sent_us in sent.items()
        if sent_us != NEVER and client in record.seen.started
    )


def behind_us(record: Record, client: int, stalls: Iterable[Stall], until_us: int) -> int:
    """How long after a segment becomes available this client plays its start. `stalls`: its own."""
    schedule = live_schedule(record.backend.content)
    start = record.seen.started[client]
    stalled_us = sum(stall.for_us for stall in stalls if stall.for_us != NEVER and stall.at_us < until_us)
    return start.at_us + schedule.lead - schedule.segment - start.position_us + stalled_us


def _beside(form: Form, measured: float) -> FormResult:
    return FormResult(
        form=form.number,
        what=form.what,
        predicted=round(form.predicted, 6),
        low=round(form.low, 6),
        high=round(form.high, 6),
        measured=measured,
        holds=form.holds(measured),
    )
