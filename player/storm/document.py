"""The shape of a result: plain JSON values, one `Run` a strategy. Tables and reports read this and nothing else.

Instants are seconds on the run clock. None: it cannot be said (nothing ended, or the clock was virtual).
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

FORMAT: Final = 1
"""Readers refuse a greater number."""


class FormResult(TypedDict):
    """A closed form beside what was measured; it `holds` where low <= measured <= high."""

    form: str
    what: str
    predicted: float
    low: float
    high: float
    measured: float
    holds: bool


class Condition(TypedDict):
    """One row of the verdict. `value` None: there was nothing to judge."""

    name: str
    value: float | None
    limit: str
    holds: bool


class Validity(TypedDict):
    verdict: str  # valid, invalid, partial
    warm_up_s: float  # until every client had its first key; None of it is judged
    conditions: list[Condition]


class AtBoundary(TypedDict):
    """One boundary in the summary. `all_usable_after_s` is negative where every client had its keys before.

    `peak_100ms` None: the clients asked at once, and later than a tenth of a second can tell.
    """

    at_s: float
    requests: int
    peak_1s: int
    peak_100ms: int | None
    by_cause: dict[str, int]
    stalled_clients: int
    stall_s_total: float
    all_usable_after_s: float | None


class Generator(TypedDict):
    late_ms_p99: float | None
    cpu_us_per_request: float | None
    rss_kib_per_client: float | None
    lost_clients: int


class Summary(TypedDict):
    """What `storm --json` prints of a run."""

    clients: int
    strategy: str
    driver: str
    media: str
    seed: int
    valid: bool
    boundaries: list[AtBoundary]
    requests_per_s: list[int]
    latency_ms: dict[str, float | None]
    amplification: float
    gave_up: int
    generator: Generator


class Series(TypedDict):
    """One number a second from run-clock 0. `answer_ms`: percentiles of completed - intended, by second intended."""

    bin_s: float
    intended: list[int]
    sent: list[int]
    completed: list[int]
    failed: list[int]
    goodput: list[int]  # first license for a client's keys
    backlog: list[int]  # intended and not ended, at the end of the second
    by_cause: dict[str, list[int]]
    stalled_clients: list[int]  # that stood at some time of the second
    answer_ms: dict[str, list[float | None]]


class Run(TypedDict):
    """One strategy. The sections that are only written and never read again are plain objects."""

    title: str
    summary: Summary
    spec: dict[str, Any]
    environment: dict[str, Any]
    validity: Validity
    totals: dict[str, Any]
    series_1s: Series
    series_100ms: dict[str, Any]
    start: dict[str, Any]
    boundaries: list[dict[str, Any]]
    lateness: dict[str, Any]
    latency: dict[str, Any]
    stalls: dict[str, Any]
    retry: dict[str, Any]
    keys: dict[str, Any]
    generator: dict[str, Any]


class Document(TypedDict):
    format: int
    runs: list[Run]
