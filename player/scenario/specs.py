"""From a scenario to what each room is to do: the rooms' own configuration, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from player.backend.spec import BackendSpec
from player.clock import MILLISECOND, us
from player.engine.profile import Profile
from player.engine.spec import Media
from player.errors import UsageError
from player.runtime.links import Link, LinkChange
from player.runtime.profiles import load_profile, with_license_scope
from player.scenario.schema import Network, NetworkChange, Scenario, UniformSeconds
from player.storm.spec import ClockKind, DriverKind, StormSpec, StrategySpec, Uniform


def to_backend(scenario: Scenario, *, seed: int | None = None) -> BackendSpec:
    """`seed` None: keys and KIDs come from the operating system."""
    return BackendSpec(content=scenario.content, license=scenario.backend.license, seed=seed)


def to_storm(
    scenario: Scenario,
    *,
    clients: int | None = None,
    seed: int | None = None,
    strategies: Sequence[str] = (),
    driver: DriverKind | None = None,
    clock: ClockKind | None = None,
    media: Media | None = None,
) -> StormSpec:
    """What is given here wins over the file. A strategy by name has the parameters that the file gives it, if any.

    Raises: UsageError, ScenarioError for a profile file that cannot be had.
    """
    storm, crowd = scenario.storm, scenario.clients
    return StormSpec(
        title=scenario.scenario.title,
        profile=_profile(scenario),
        backend=to_backend(scenario),
        cdm=scenario.cdm,
        representation=scenario.player.representation,
        clients=crowd.count if clients is None else clients,
        join=_uniform(crowd.join),
        live_delay=_uniform(crowd.live_delay_s),
        link=_link(scenario.network),
        driver=driver or storm.driver,
        clock=clock or storm.clock,
        media=media or storm.media,
        seed=storm.seed if seed is None else seed,
        end_s=storm.end_s,
        strategies=_strategies(scenario, strategies),
    )


def _profile(scenario: Scenario) -> Profile:
    """A profile file lies beside the scenario that names it."""
    name = scenario.player.profile
    if name.endswith(".toml"):
        name = str(Path(scenario.file).parent / name)
    return with_license_scope(load_profile(name), scenario.player.license_scope)


def _strategies(scenario: Scenario, names: Sequence[str]) -> tuple[StrategySpec, ...]:
    listed = scenario.storm.strategies
    if not names and not listed:
        raise UsageError(f"{scenario.file} names no strategy: add [[storm.strategies]] or --strategy NAME")
    by_name = {spec.name: spec for spec in reversed(listed)}
    return tuple(by_name.get(name, StrategySpec(name=name)) for name in dict.fromkeys(names)) or listed


def _uniform(law: UniformSeconds) -> Uniform:
    return Uniform(from_s=law.from_s, to_s=law.to_s)


def _link(network: Network) -> Link:
    return Link(
        latency_from_us=round(network.latency_ms.from_ms * MILLISECOND),
        latency_to_us=round(network.latency_ms.to_ms * MILLISECOND),
        bits_per_second=round(network.bandwidth_mbps * 1_000_000),
        changes=tuple(map(_link_change, network.changes)),
    )


def _link_change(change: NetworkChange) -> LinkChange:
    latency, mbps = change.latency_ms, change.bandwidth_mbps
    return LinkChange(
        at_us=us(change.at_s),
        latency_from_us=None if latency is None else round(latency.from_ms * MILLISECOND),
        latency_to_us=None if latency is None else round(latency.to_ms * MILLISECOND),
        bits_per_second=None if mbps is None else round(mbps * 1_000_000),
    )
