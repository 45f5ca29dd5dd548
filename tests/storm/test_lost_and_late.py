"""What goes wrong in a run is counted, named, and shown in its verdict."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import replace

import pytest

from player.backend.spec import ContentSpec
from player.clock import SECOND
from player.errors import BackendError
from player.storm import validity
from player.storm.child import child
from player.storm.latency import response_us, service_us
from player.storm.play import run
from player.storm.record import Record
from player.storm.result import build
from player.storm.spec import ClockKind
from player.trace.encode import Header
from player.trace.event import Event
from player.trace.writer import TraceWriter
from tests.storm.storms import EMBEDDED, JITTER, ON_DEMAND, played, quick_real, twin

pytestmark = pytest.mark.alone

UNLUCKY = 3


class Raises(TraceWriter):
    """A listener that fails for one client, five seconds into the run."""

    def write(self, time_us: int, client: int, event: Event) -> None:
        if client == UNLUCKY and time_us > 5 * SECOND:
            raise RuntimeError("a listener broke")
        super().write(time_us, client, event)


def judged(record: Record, name: str) -> bool:
    (condition,) = (each for each in validity.judge(record)["conditions"] if name in each["name"])
    return condition["holds"]


@pytest.mark.rule("decisions:D51")
@pytest.mark.rule("decisions:D46")
def test_a_client_that_raises_is_lost_and_the_run_goes_on() -> None:
    spec = twin(clients=12, capacity=2, end_s=20)
    record = run(spec, ON_DEMAND, trace=Raises(io.BytesIO(), Header(version="0")))
    assert record.seen.lost == {"RuntimeError: a listener broke": [UNLUCKY]}
    result = build(record)
    assert result["summary"]["generator"]["lost_clients"] == 1
    assert result["validity"]["verdict"] == "partial"
    assert not result["summary"]["valid"]
    assert result["summary"]["boundaries"][0]["requests"] == 11
    assert result["summary"]["boundaries"][0]["all_usable_after_s"] is not None  # of those it kept
    assert all(form["holds"] for form in result["totals"]["forms"])


def test_a_backend_that_does_not_come_up_says_why_in_one_line() -> None:
    async def start() -> None:
        async with child(replace(twin().backend, content=ContentSpec(segment_s=3))):
            pytest.fail("it came up")

    with pytest.raises(BackendError) as raised:
        asyncio.run(start())
    assert "no multiple of 2 s" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.rule("storm:L8")
def test_a_generator_that_stops_for_200_ms_makes_its_run_invalid_and_response_time_shows_it() -> None:
    def stumble(now_s: float) -> None:
        if now_s > 3:
            time.sleep(0.2)

    spec = replace(quick_real(), end_s=8)
    record = run(spec, replace(JITTER, window_s=1, margin_s=0.5), progress=stumble)
    late = [attempt for attempt in record.seen.attempts if attempt.sent_us - attempt.intended_us > 100_000]
    assert late
    assert not judged(record, "lateness, 99 % of the worst")
    assert validity.judge(record)["verdict"] == "invalid"
    assert all(response_us(attempt) > 100_000 + service_us(attempt) for attempt in late if attempt.outcome == "ok")


@pytest.mark.rule("storm:L8")
def test_requests_that_leave_late_make_a_real_run_invalid() -> None:
    record = as_if_real(played(JITTER))
    assert validity.judge(record)["verdict"] == "valid"
    late = record.seen.attempts[-10]
    late.sent_us += 900_000
    try:
        assert not judged(record, "lateness, 99 % of the worst")
        assert validity.judge(record)["verdict"] == "invalid"
    finally:
        late.sent_us -= 900_000


def test_each_condition_of_a_real_run_can_fail() -> None:
    record = as_if_real(played(JITTER))
    record.gauge.cpu.append((20 * SECOND, 0.9))
    record.gauge.collections.append(0.06)
    record.gauge.late_start_us = 90_000
    for name in ("CPU", "garbage", "late start"):
        assert not judged(record, name)


def test_a_starved_backend_makes_a_real_run_invalid() -> None:
    record = as_if_real(played(EMBEDDED))
    assert judged(record, "backend")
    assert not judged(replace(record, server_counts={"late_us_p99": 400_000}), "backend")


def test_an_attempt_that_only_one_side_knows_makes_the_run_invalid() -> None:
    record = played(EMBEDDED)
    assert judged(record, "one side")
    assert not judged(replace(record, server_log=record.server_log[1:]), "one side")
    assert not judged(replace(record, server_log=(*record.server_log, record.server_log[0])), "one side")
    stranger = record.server_log[0] | {"client": None, "sequence": None}
    assert not judged(replace(record, server_log=(*record.server_log, stranger)), "one side")


def test_a_request_older_than_its_timeout_was_never_sent() -> None:
    record = played(ON_DEMAND)
    assert judged(record, "never sent")  # those of the last second are under way
    assert not judged(replace(record, spec=replace(record.spec, end_s=60)), "never sent")


def test_bursts_of_a_strategy_that_asks_at_once_are_not_judged() -> None:
    record = as_if_real(played(ON_DEMAND))
    record.gauge.cpu.append((11 * SECOND, 1.0))  # in the second after the boundary
    assert judged(record, "CPU")
    record.gauge.cpu.append((14 * SECOND, 1.0))
    assert not judged(record, "CPU")


def as_if_real(record: Record) -> Record:
    """The same rows, judged as if the clock had been real; with a gauge of its own."""
    return replace(
        record, spec=replace(record.spec, clock=ClockKind.REAL), gauge=replace(record.gauge, cpu=[], collections=[])
    )
