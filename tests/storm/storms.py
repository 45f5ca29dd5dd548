"""The demo in small: a fifth of its clients before a fifth of its capacity, so that waits and shares stay."""

from __future__ import annotations

from functools import cache

from player.backend.spec import Admission, BackendSpec, ContentSpec, LicenseSpec, Rotation
from player.runtime.profiles import load_profile
from player.storm.document import Run
from player.storm.play import run
from player.storm.record import Record
from player.storm.result import build
from player.storm.spec import ClockKind, StormSpec, StrategySpec, Uniform

CLIENTS = 60
CAPACITY = 10.0
BOUNDARIES_S = (10.0, 18.0, 26.0)

ON_DEMAND = StrategySpec(name="on-demand")
JITTER = StrategySpec(name="jitter", window_s=8, margin_s=1)
EMBEDDED = StrategySpec(name="embedded")
STRATEGIES = (ON_DEMAND, JITTER, EMBEDDED)

CONTENT = ContentSpec(
    tracks=("video-180p", "audio"), crypto_period_s=8, first_boundary_s=10, announce_s=8, rotation=Rotation.IN_BAND
)


def twin(*, clients: int = CLIENTS, capacity: float = CAPACITY, end_s: float = 35, seed: int = 1) -> StormSpec:
    """The demo on the virtual clock."""
    return StormSpec(
        title="A fifth of the demo",
        profile=load_profile("ideal"),
        backend=BackendSpec(content=CONTENT, license=LicenseSpec(admission=Admission(capacity=capacity))),
        clients=clients,
        clock=ClockKind.VIRTUAL,
        seed=seed,
        end_s=end_s,
    )


def quick_real() -> StormSpec:
    """A key every 4 s for 30 players on real sockets, over in 12 s: 30 licenses take 2 s, and some wait no longer."""
    content = ContentSpec(
        tracks=("video-180p", "audio"), crypto_period_s=4, first_boundary_s=6, announce_s=4, rotation=Rotation.IN_BAND
    )
    return StormSpec(
        title="A storm for the tests",
        profile=load_profile("ideal"),
        backend=BackendSpec(content=content, license=LicenseSpec(admission=Admission(capacity=15))),
        clients=30,
        join=Uniform(from_s=0, to_s=2),
        live_delay=Uniform(from_s=1.5, to_s=2),
        end_s=12.5,
    )


@cache
def played(strategy: StrategySpec) -> Record:
    """The twin under one strategy, played once for all tests."""
    return run(twin(), strategy)


@cache
def result(strategy: StrategySpec) -> Run:
    return build(played(strategy))
