"""Strategies: each an overlay over the content, the server, the client and the CDM. All else stays the scenario's.

The laws of the instants are in `drm.plan`; what a strategy asks of the content and the server is here, in one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.cdm.spec import EMBEDDED_KEYS, CdmSpec
from player.drm.plan import ClientPlan
from player.drm.profile import NextPeriodTrigger
from player.errors import UsageError
from player.storm.spec import StormSpec, StrategySpec

DEFAULT_MARGIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaid:
    """What one strategy makes of a storm. `plan` None: the profile's own trigger runs."""

    backend: BackendSpec
    cdm: CdmSpec
    plan: ClientPlan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One row of the table. `tells`: what it does, for a person."""

    name: str
    tells: str
    content: Callable[[ContentSpec, StrategySpec], ContentSpec]
    client: Callable[[ContentSpec, StrategySpec], ClientPlan | None]
    features: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # of StrategySpec


def _in_band(content: ContentSpec, _spec: StrategySpec) -> ContentSpec:
    return replace(content, rotation=Rotation.IN_BAND, announced=False)


def _announced(content: ContentSpec, spec: StrategySpec) -> ContentSpec:
    return replace(content, rotation=Rotation.IN_BAND, announced=True, announce_s=_window(content, spec))


def _hierarchy(content: ContentSpec, _spec: StrategySpec) -> ContentSpec:
    return replace(content, rotation=Rotation.HIERARCHY, announced=False)


def _at_first_segment(_content: ContentSpec, _spec: StrategySpec) -> ClientPlan:
    return ClientPlan(trigger=NextPeriodTrigger.MEDIA_SEGMENT)


def _spread(_content: ContentSpec, spec: StrategySpec) -> ClientPlan:
    margin_s = DEFAULT_MARGIN_S if spec.margin_s is None else spec.margin_s
    return ClientPlan(trigger=NextPeriodTrigger.MANIFEST_REFRESH_SPREAD, margin_s=margin_s)


def _window(content: ContentSpec, spec: StrategySpec) -> float:
    return content.announce_s if spec.window_s is None else spec.window_s


STRATEGIES: Final[dict[str, Strategy]] = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            name="on-demand",
            tells="asks when the first segment under the new key is parsed",
            content=_in_band,
            client=_at_first_segment,
        ),
        Strategy(
            name="jitter",
            tells="asks at a random instant between the announcement and the need, less a margin",
            content=_announced,
            client=_spread,
            parameters=("window_s", "margin_s"),
        ),
        Strategy(
            name="embedded",
            tells="asks once for a root key; content keys come wrapped in the media",
            content=_hierarchy,
            client=lambda _content, _spec: None,
            features=(EMBEDDED_KEYS,),
        ),
    )
}


def check(spec: StrategySpec) -> Strategy:
    """The strategy of this name. Raises: UsageError for an unknown name or a parameter it does not have."""
    strategy = STRATEGIES.get(spec.name)
    if strategy is None:
        raise UsageError(f"no strategy {spec.name!r}; there are: {', '.join(STRATEGIES)}")
    for parameter in ("window_s", "margin_s"):
        value = getattr(spec, parameter)
        if value is not None and parameter not in strategy.parameters:
            raise UsageError(f"strategy {spec.name} has no parameter {parameter}")
        if value is not None and value < 0:
            raise UsageError(f"strategy {spec.name}: {parameter} must not be negative")
    return strategy


def overlay(storm: StormSpec, spec: StrategySpec) -> Overlaid:
    """The storm under one strategy; its seed becomes the backend's."""
    strategy = check(spec)
    content = strategy.content(storm.backend.content, spec)
    features = tuple(dict.fromkeys((*storm.cdm.features, *strategy.features)))
    return Overlaid(
        backend=replace(storm.backend, content=content, seed=storm.seed),
        cdm=replace(storm.cdm, features=features),
        plan=strategy.client(storm.backend.content, spec),
    )
