"""What a storm is: plain frozen data, made from a scenario or by hand. A run is this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from player.backend.spec import BackendSpec
from player.cdm.spec import CdmSpec
from player.engine.profile import Profile
from player.engine.spec import Media
from player.runtime.links import Link


class DriverKind(StrEnum):
    """How the clients are driven; `play`: one task a client."""

    PLAY = "play"


class ClockKind(StrEnum):
    """Real sockets and real time, or the in-memory network on the virtual clock."""

    REAL = "real"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """U(from, to) seconds, a draw a client."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySpec:
    """A strategy by name, with its parameters; None: the strategy's default."""

    name: str
    window_s: float | None = None  # W
    margin_s: float | None = None  # g


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSpec:
    """`clients` join by `join` (run clock) and play `live_delay` behind the live edge until `end_s`."""

    profile: Profile
    title: str = ""
    backend: BackendSpec = field(default_factory=BackendSpec)
    cdm: CdmSpec = field(default_factory=CdmSpec)
    representation: str = "lowest"
    clients: int = 300
    join: Uniform = Uniform(from_s=0, to_s=7)
    live_delay: Uniform = Uniform(from_s=4, to_s=8)
    link: Link = field(default_factory=Link)  # virtual clock only
    driver: DriverKind = DriverKind.PLAY
    clock: ClockKind = ClockKind.REAL
    media: Media = Media.FULL
    seed: int = 1
    end_s: float = 35.0
    strategies: tuple[StrategySpec, ...] = ()
