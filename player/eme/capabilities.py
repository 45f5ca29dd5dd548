"""Get Supported Capabilities for Audio/Video Type (EME 3.2.2.3): a list narrowed to what can be had together.

What has been accepted stands as the ways of the key system that are left: each entry that is accepted narrows them for
all that come after it, in its own list and in the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from player.eme.content_type import Container, MediaKind, container_of
from player.eme.key_system import ALL_SCHEMES, KeySystem, Scheme, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """MediaKeySystemMediaCapability (EME 3.4). `encryption_scheme` None: any."""

    content_type: str = ""
    robustness: str = ""
    encryption_scheme: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """The entries accepted, each as it was given, and the ways that do them all; no ways: it cannot be had."""

    accepted: tuple[Capability, ...] = ()
    ways: tuple[Way, ...] = ()


CONTAINER_SCHEMES: Final[Mapping[Container, tuple[Scheme, ...]]] = MappingProxyType(
    {Container.MP4: ALL_SCHEMES, Container.WEBM: (Scheme.CENC,)}  # WebM encrypts with AES-CTR only
)


def narrowed(ways: tuple[Way, ...], asked: tuple[Capability, ...], kind: MediaKind, system: KeySystem) -> Narrowed:
    """An empty list restricts nothing. One that holds an entry without a content type cannot be had at all."""
    if any(not it.content_type for it in asked):
        return Narrowed()
    accepted: list[Capability] = []
    for it in asked:
        left = _with(ways, it, kind, system)
        if left:
            accepted.append(it)
            ways = left
    return Narrowed() if asked and not accepted else Narrowed(accepted=tuple(accepted), ways=ways)


def _with(ways: tuple[Way, ...], asked: Capability, kind: MediaKind, system: KeySystem) -> tuple[Way, ...]:
    """The ways that do this as well."""
    container = container_of(asked.content_type, kind, system.codecs)
    if container is None:
        return ()
    return tuple(way for way in ways if _reaches(way, asked.robustness, kind) and _encrypts(way, asked, container))


def _reaches(way: Way, robustness: str, kind: MediaKind) -> bool:
    levels = way.video_robustness if kind is MediaKind.VIDEO else way.audio_robustness
    return not robustness or robustness in levels


def _encrypts(way: Way, asked: Capability, container: Container) -> bool:
    """None is any scheme; "" is one that nobody knows."""
    schemes = [scheme for scheme in way.schemes if scheme in CONTAINER_SCHEMES[container]]
    return bool(schemes) if asked.encryption_scheme is None else asked.encryption_scheme in schemes
