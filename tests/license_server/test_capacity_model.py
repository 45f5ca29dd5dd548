"""The capacity model against closed forms, and against arithmetic for any order of events."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.backend.license_server.admission import CapacityModel, Count, Outcome
from player.backend.license_server.overload import PS, Slots
from player.backend.spec import Admission, Discipline, Overload
from player.chance import Draw, Purpose
from player.clock import SECOND, seconds, us


def model(spec: Admission) -> CapacityModel:
    return CapacityModel(spec, Draw(1, "license"))


def drain(busy: CapacityModel) -> list[Outcome]:
    """Everything that is still to come, by the model's own deadlines."""
    ended = busy.outcomes()
    while (due := busy.deadline()) is not None:
        busy.handle_deadline(due)
        ended += busy.outcomes()
    return ended


def storm(spec: Admission, arrivals: Iterable[int]) -> tuple[CapacityModel, dict[int, int], int]:
    """Clients that come back exactly as told until they are served: (model, end by client, attempts)."""
    busy = model(spec)
    coming: list[tuple[int, int, int | None]] = [(at, client, None) for client, at in enumerate(arrivals)]
    heapq.heapify(coming)
    attempts = 0
    while coming:
        now, client, ticket = heapq.heappop(coming)
        attempts += 1
        refusal = busy.arrive(client, now, ticket)
        if refusal is not None:
            assert refusal.retry_after_us is not None
            heapq.heappush(coming, (now + refusal.retry_after_us, client, refusal.ticket))
    return busy, {outcome.request_id: outcome.at for outcome in drain(busy)}, attempts


@pytest.mark.rule("storm:O5")
@pytest.mark.parametrize(("count", "capacity", "workers"), [(300, 50.0, 1), (1_000, 30.0, 1), (400, 50.0, 4)])
def test_a_burst_waits_in_the_order_of_its_arrival(count: int, capacity: float, workers: int) -> None:
    busy = model(Admission(capacity=capacity, workers=workers))
    for client in range(count):
        assert busy.arrive(client, 0) is None
    ended = drain(busy)
    assert [outcome.request_id for outcome in ended] == list(range(count))
    for client, outcome in enumerate(ended):
        rounds = client // workers + 1
        assert outcome.at == pytest.approx(rounds * workers / capacity * SECOND, abs=1)
    assert busy.backlog_max == count
    assert seconds(busy.longest_wait_us) == pytest.approx((count - workers) / capacity, abs=1e-5)


@pytest.mark.rule("storm:O5")
def test_an_overloaded_window_follows_its_closed_form() -> None:
    count, capacity, window = 2_000, 50.0, 8.0
    draw = Draw(7, "arrivals")
    arrivals = sorted(us(draw.between(Purpose.JOIN, client, 0.0, window)) for client in range(count))
    busy, ends, _ = storm(Admission(capacity=capacity), arrivals)
    excess = count / (capacity * window)
    band = 3 / count + 10 / (count * (excess - 1) ** 2)
    assert seconds(busy.longest_wait_us) == pytest.approx(count / capacity - window, rel=band)
    assert busy.backlog_max == pytest.approx(count - capacity * window, rel=band)
    assert seconds(max(ends.values())) == pytest.approx(count / capacity, rel=band)


@pytest.mark.rule("storm:O16")
def test_a_fixed_retry_after_keeps_the_herd_together() -> None:
    count, capacity, window, retry, queue = 2_000, 50.0, 0.1, 5.0, 1.0
    spec = Admission(capacity=capacity, queue_max_s=queue, overload=Overload.REFUSE_FIXED, retry_after_s=retry)
    busy, ends, attempts = storm(spec, [us(window * client / count) for client in range(count)])
    admitted = capacity * min(retry, queue + window)
    assert (attempts - count) / count == pytest.approx((count / admitted - 1) / 2, rel=0.15)
    assert seconds(max(ends.values())) == pytest.approx(retry * count / admitted, rel=0.15)
    assert busy.counts[Count.REFUSED] == attempts - count


@pytest.mark.rule("storm:O18")
def test_a_reserved_slot_costs_one_refusal_and_wastes_no_capacity() -> None:
    count, capacity, window, queue = 2_000, 50.0, 1.0, 1.0
    spec = Admission(capacity=capacity, queue_max_s=queue, overload=Overload.REFUSE_SLOT)
    busy, ends, attempts = storm(spec, [us(window * client / count) for client in range(count)])
    assert (attempts - count) / count == pytest.approx(1 - capacity * (queue + window) / count, abs=0.01)
    assert seconds(max(ends.values())) == pytest.approx(count / capacity, abs=0.1)
    assert len(ends) == count
    assert busy.longest_wait_us <= us(queue)


def test_a_jittered_retry_after_is_drawn_between_its_bounds() -> None:
    spec = Admission(
        capacity=1.0, queue_max_s=0.0, overload=Overload.REFUSE_JITTER, retry_after_s=5.0, retry_jitter_s=60.0
    )
    waits = []
    for _ in range(2):
        busy = model(spec)
        refusals = [busy.arrive(client, 0) for client in range(200)]
        waits.append([refusal.retry_after_us for refusal in refusals if refusal and refusal.retry_after_us])
    assert waits[0] == waits[1]
    assert len(set(waits[0])) == len(waits[0]) == 199
    assert us(5) <= min(waits[0]) < us(8)
    assert us(62) < max(waits[0]) <= us(65)


@pytest.mark.rule("decisions:D44")
@pytest.mark.parametrize(
    ("overload", "status", "told", "count"),
    [
        (Overload.REFUSE_FIXED, 429, True, Count.REFUSED),
        (Overload.REFUSE_JITTER, 429, True, Count.REFUSED),
        (Overload.REFUSE_SLOT, 429, True, Count.REFUSED),
        (Overload.UNAVAILABLE, 503, False, Count.REFUSED),
        (Overload.CLOSE, 0, False, Count.CLOSED),
    ],
)
def test_a_server_that_may_refuse_accepts_a_wait_of_one_second(
    overload: Overload, status: int, told: bool, count: Count
) -> None:
    busy = model(Admission(capacity=10.0, overload=overload))
    refusals = [busy.arrive(client, 0) for client in range(12)]
    assert refusals[:11] == [None] * 11
    last = refusals[11]
    assert last is not None
    assert last.status == status
    assert (last.retry_after_us is not None) is told
    assert busy.counts[count] == 1


def test_a_server_that_only_queues_refuses_nobody() -> None:
    busy = model(Admission(capacity=1.0, queue_max_s=0.0))
    assert [busy.arrive(client, 0) for client in range(50)] == [None] * 50


def test_infinite_capacity_serves_at_once() -> None:
    busy = model(Admission())
    assert busy.arrive(7, 123) is None
    assert busy.outcomes() == [Outcome(7, 123, Count.SERVED)]
    assert busy.deadline() is None


def test_lifo_serves_the_newest_first() -> None:
    busy = model(Admission(capacity=1.0, discipline=Discipline.LIFO))
    for client in range(4):
        busy.arrive(client, client)
    assert [outcome.request_id for outcome in drain(busy)] == [0, 3, 2, 1]


def test_work_of_a_client_that_has_gone_is_wasted_where_the_server_keeps_it() -> None:
    busy = model(Admission(capacity=1.0))
    for client in range(3):
        busy.arrive(client, 0)
    busy.gone(0, 10)
    busy.gone(1, 10)
    busy.gone(99, 10)
    ended = drain(busy)
    assert [(outcome.at, outcome.ended, outcome.gone) for outcome in ended] == [
        (SECOND, Count.WASTED, True),
        (2 * SECOND, Count.WASTED, True),
        (3 * SECOND, Count.SERVED, False),
    ]


def test_stale_and_abandoned_work_is_thrown_away_by_the_deadline_discipline() -> None:
    busy = model(Admission(capacity=1.0, discipline=Discipline.FIFO_DEADLINE, deadline_s=1.5))
    for client in range(4):
        busy.arrive(client, 0)
    busy.gone(1, 10)
    assert busy.outcomes() == [Outcome(1, 10, Count.DROPPED, gone=True)]
    assert drain(busy) == [
        Outcome(0, SECOND, Count.SERVED),
        Outcome(2, 2 * SECOND, Count.SERVED),
        Outcome(3, 2 * SECOND, Count.DROPPED),
    ]


def test_a_client_that_comes_long_before_its_slot_keeps_it() -> None:
    busy = model(Admission(capacity=1.0, queue_max_s=0.0, overload=Overload.REFUSE_SLOT))
    assert busy.arrive(0, 0) is None
    refusals = [busy.arrive(client, 0) for client in range(1, 4)]
    assert [refusal.retry_after_us for refusal in refusals if refusal] == [SECOND, 2 * SECOND, 3 * SECOND]
    last = refusals[2]
    assert last is not None
    early = busy.arrive(3, SECOND // 2, last.ticket)
    assert early == replace(last, retry_after_us=3 * SECOND - SECOND // 2)
    assert busy.arrive(3, 3 * SECOND, last.ticket) is None
    again = busy.arrive(4, 3 * SECOND, last.ticket)
    assert again is not None, "a ticket is good for one visit"


def test_an_unused_slot_is_forgotten_after_a_minute() -> None:
    slots = Slots(gap_ps=PS)
    first, instant = slots.reserve(0, 0)
    assert slots.promised(first) == instant == 0
    second, instant = slots.reserve(0, 61 * SECOND * PS)
    assert slots.promised(first) is None
    assert slots.promised(second) == instant == PS


specs = st.builds(
    Admission,
    capacity=st.sampled_from([None, 3.0, 50.0, 1000.0]),
    workers=st.integers(1, 3),
    queue_max_s=st.sampled_from([None, 0.0, 0.05, 0.5]),
    discipline=st.sampled_from(Discipline),
    deadline_s=st.sampled_from([None, 0.1, 1.0]),
    overload=st.sampled_from(Overload),
)
events = st.lists(st.tuples(st.integers(0, 200_000), st.booleans(), st.integers(0, 30)), max_size=60)


def play(busy: CapacityModel, happenings: list[tuple[int, bool, int]], *, step: int) -> tuple[list[Outcome], set[int]]:
    """Arrivals and departures at rising instants; `step` > 0 calls the model that often in between."""
    ended: list[Outcome] = []
    admitted: set[int] = set()
    now = 0
    for request_id, (gap, leaves, who) in enumerate(happenings):
        for between in range(now, now + gap, step) if step else ():
            busy.handle_deadline(between)
        now += gap
        if leaves and admitted:
            busy.gone(sorted(admitted)[who % len(admitted)], now)
        elif busy.arrive(request_id, now) is None:
            admitted.add(request_id)
        ended += busy.outcomes()
    return ended + drain(busy), admitted


@pytest.mark.rule("storm:O19")
@settings(max_examples=150)
@given(specs, events)
def test_every_attempt_ends_in_exactly_one_way(spec: Admission, happenings: list[tuple[int, bool, int]]) -> None:
    busy = model(spec)
    ended, admitted = play(busy, happenings, step=0)
    assert sorted(outcome.request_id for outcome in ended) == sorted(admitted)
    assert [outcome.at for outcome in ended] == sorted(outcome.at for outcome in ended)
    assert busy.counts[Count.ARRIVED] == sum(busy.counts[count] for count in Count if count is not Count.ARRIVED)
    assert sum((row for row in busy.bins.values()), start=type(busy.counts)()) == +busy.counts
    assert busy.backlog == 0
    assert busy.backlog_max <= len(admitted)


@pytest.mark.rule("storm:O19")
@settings(max_examples=60)
@given(specs, events, st.sampled_from([7, 1_000, 33_333]))
def test_it_does_not_matter_how_often_the_model_is_called(
    spec: Admission, happenings: list[tuple[int, bool, int]], step: int
) -> None:
    short = [(gap % 2_000, leaves, who) for gap, leaves, who in happenings]
    assert play(model(spec), short, step=0) == play(model(spec), short, step=step)


@pytest.mark.rule("storm:O19")
@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=40), st.integers(1, 3))
def test_the_backlog_over_time_is_the_sum_of_the_times_spent(gaps: list[int], workers: int) -> None:
    busy = model(Admission(capacity=50.0 * workers, workers=workers))
    arrivals: dict[int, int] = {}
    now = area = last = 0
    ended: list[Outcome] = []

    def look(at: int) -> None:
        nonlocal area, last
        while (due := busy.deadline()) is not None and due <= at:
            area, last = area + busy.backlog * (due - last), due
            busy.handle_deadline(due)
        area, last = area + busy.backlog * (at - last), at

    for client, gap in enumerate(gaps):
        now += gap
        look(now)
        arrivals[client] = now
        busy.arrive(client, now)
    look(now + 10 * SECOND)
    ended = busy.outcomes()
    assert len(ended) == len(gaps)
    assert area == sum(outcome.at - arrivals[outcome.request_id] for outcome in ended)
