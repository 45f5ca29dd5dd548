"""The tables of a scenario file. Those that a room owns are that room's own dataclasses; the others are here.

Units stand in the names. What a value may be is told in `limits`, how values go together in `relations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from player.backend.spec import ContentSpec, LicenseSpec
from player.cdm.spec import CdmSpec
from player.engine.spec import Media
from player.storm.spec import ClockKind, DriverKind, StrategySpec

FORMAT: Final = 1
"""A file with a greater number is refused."""


class Model(StrEnum):
    """How a number is drawn for each client."""

    UNIFORM = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformSeconds:
    from_s: float
    to_s: float
    model: Model = Model.UNIFORM


@dataclass(frozen=True, slots=True, kw_only=True)
class UniformMilliseconds:
    from_ms: float
    to_ms: float
    model: Model = Model.UNIFORM


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`[scenario]`. `source`: the public document that the scenario comes from."""

    format: int
    title: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    license: LicenseSpec = field(default_factory=LicenseSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """`profile`: a name, or a `.toml` file beside the scenario. `license_scope` None: the profile's."""

    profile: str = "ideal"
    representation: str = "lowest"
    license_scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """`live_delay_s`: from the availability of a segment to its playout."""

    count: int = 300
    join: UniformSeconds = UniformSeconds(from_s=0, to_s=7)
    live_delay_s: UniformSeconds = UniformSeconds(from_s=4, to_s=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChange:
    """For all clients from this instant on; what is left out stays. A bandwidth of 0: nothing passes."""

    at_s: float  # on the run clock
    latency_ms: UniformMilliseconds | None = None
    bandwidth_mbps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Of the in-memory network; real sockets take what they take. Latency: there and back, without the body."""

    latency_ms: UniformMilliseconds = UniformMilliseconds(from_ms=20, to_ms=30)
    bandwidth_mbps: float = 20
    changes: tuple[NetworkChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    driver: DriverKind = DriverKind.PLAY
    clock: ClockKind = ClockKind.REAL
    media: Media = Media.FULL
    seed: int = 1
    end_s: float = 35
    workers: int = 1
    strategies: tuple[StrategySpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One file. `file`: its name, as it is to stand in errors."""

    scenario: Head
    file: str = ""
    content: ContentSpec = field(default_factory=ContentSpec)
    backend: Backend = field(default_factory=Backend)
    player: Player = field(default_factory=Player)
    cdm: CdmSpec = field(default_factory=CdmSpec)
    clients: Clients = field(default_factory=Clients)
    network: Network = field(default_factory=Network)
    storm: Storm = field(default_factory=Storm)


NOT_WRITTEN: Final[Mapping[type, frozenset[str]]] = {
    Scenario: frozenset({"file"}),
    ContentSpec: frozenset({"announced"}),  # a strategy sets it
    CdmSpec: frozenset({"roots"}),  # a key stands in no scenario
}
"""Fields that a scenario file cannot set."""
