"""How the values of a scenario go together; and the backend's own opinion of what it is to serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from player.backend.serve import in_process
from player.backend.spec import ContentSpec
from player.clock import us
from player.errors import BackendError, ScenarioError
from player.scenario.schema import Network, Scenario
from player.scenario.specs import to_backend
from player.storm.strategy import STRATEGIES

Fault = tuple[str, str]
"""Path and reason."""

_PLACES: Final[Mapping[str, str]] = {
    "bad-duration": "$.content.segment_s",
    "bad-grant": "$.backend.license.grant",
    "bad-scheme": "$.content.scheme",
    "bad-tracks": "$.content.tracks",
    "no-clip": "$.content.clip",
}
"""Where a scenario says what the backend refuses, by the code of its refusal."""


def check(scenario: Scenario) -> None:
    """Raises: ScenarioError for the first fault."""
    for path, reason in _faults(scenario):
        raise ScenarioError(scenario.file, path, reason)
    try:
        in_process(to_backend(scenario, seed=0))
    except BackendError as error:
        raise ScenarioError(scenario.file, _PLACES.get(error.code, "$.content"), error.message) from None


def _faults(scenario: Scenario) -> Iterator[Fault]:
    yield from _content(scenario.content)
    yield from _ranges(scenario)
    yield from _changes(scenario.network)
    last_join_s = scenario.clients.join.to_s
    if scenario.storm.end_s <= last_join_s:
        yield "$.storm.end_s", f"{scenario.storm.end_s:g} s: the last client joins at {last_join_s:g} s"
    for i, spec in enumerate(scenario.storm.strategies):
        for parameter in ("window_s", "margin_s"):
            if getattr(spec, parameter) is not None and parameter not in STRATEGIES[spec.name].parameters:
                yield f"$.storm.strategies[{i}].{parameter}", f"{spec.name} has no such parameter"


def _content(content: ContentSpec) -> Iterator[Fault]:
    """A key changes where a segment starts, whatever the strategies make of the rotation."""
    for name in ("crypto_period_s", "first_boundary_s", "duration_s"):
        value_s = getattr(content, name)
        if value_s is not None and us(value_s) % us(content.segment_s):
            yield f"$.content.{name}", f"{value_s:g} s is no multiple of the segment's {content.segment_s:g} s"
    if content.time_shift_s < content.segment_s:
        yield "$.content.time_shift_s", f"{content.time_shift_s:g} s is less than a segment"
    if content.close_s is not None and content.close_s > content.announce_s:
        yield "$.content.close_s", f"{content.close_s:g} s is longer than the announcement's {content.announce_s:g} s"


def _changes(network: Network) -> Iterator[Fault]:
    """In the order of their instants."""
    for i, (before, after) in enumerate(pairwise(network.changes), 1):
        if after.at_s <= before.at_s:
            yield f"$.network.changes[{i}].at_s", f"{after.at_s:g} s is not after {before.at_s:g} s"


def _ranges(scenario: Scenario) -> Iterator[Fault]:
    join, delay, latency = scenario.clients.join, scenario.clients.live_delay_s, scenario.network.latency_ms
    ranges = [
        ("$.clients.join.to_s", join.from_s, join.to_s),
        ("$.clients.live_delay_s.to_s", delay.from_s, delay.to_s),
        ("$.network.latency_ms.to_ms", latency.from_ms, latency.to_ms),
    ]
    faults = scenario.backend.license.faults
    ranges += [(f"$.backend.license.faults[{i}].to_s", fault.from_s, fault.to_s) for i, fault in enumerate(faults)]
    changed = [(i, change.latency_ms) for i, change in enumerate(scenario.network.changes)]
    ranges += [
        (f"$.network.changes[{i}].latency_ms.to_ms", ms.from_ms, ms.to_ms) for i, ms in changed if ms is not None
    ]
    for path, low, high in ranges:
        if high < low:
            yield path, f"{high:g} is less than {low:g}"
