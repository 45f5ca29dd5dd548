"""requestMediaKeySystemAccess (EME 3.2): which key systems there are, and what a page may have of them.

Knows no key system by itself: the caller brings what it knows. Capabilities are taken as given; codecs are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.status import SessionType
from player.errors import EmeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """MediaKeySystemMediaCapability (EME 3.4). `encryption_scheme` None: any."""

    content_type: str = ""
    robustness: str = ""
    encryption_scheme: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """MediaKeySystemConfiguration (EME 3.3). `session_types` None: not given, which means temporary."""

    label: str = ""
    init_data_types: tuple[str, ...] = ()
    audio_capabilities: tuple[Capability, ...] = ()
    video_capabilities: tuple[Capability, ...] = ()
    session_types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySystem:
    """What one key system can do."""

    init_data_types: tuple[str, ...]
    session_types: tuple[SessionType, ...] = (SessionType.TEMPORARY,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """MediaKeySystemAccess (EME 4): the key system's name exactly as asked for, and what was granted."""

    key_system: str
    configuration: Configuration
    supports: KeySystem


def request_access(
    key_system: str, configurations: Sequence[Configuration], known: Mapping[str, KeySystem]
) -> Access | EmeError:
    """The first configuration that can be satisfied; the rest is not looked at. Names are compared exactly."""
    if not key_system:
        return EmeTypeError("the key system has no name")
    if not configurations:
        return EmeTypeError("no configuration is given")
    supports = known.get(key_system)
    if supports is None:
        return NotSupportedError(f"no key system {key_system!r}; there are: {', '.join(sorted(known))}")
    granted = (_satisfied(configuration, supports) for configuration in configurations)
    for configuration in granted:
        if configuration is not None:
            return Access(
                key_system=key_system, configuration=configuration, supports=_restricted(supports, configuration)
            )
    return NotSupportedError(f"{key_system} can satisfy none of the configurations")


def _satisfied(asked: Configuration, supports: KeySystem) -> Configuration | None:
    """Get Supported Configuration (EME 3.2.2): the configuration as granted, None where it cannot be."""
    init_data_types = tuple(kind for kind in asked.init_data_types if kind in supports.init_data_types)
    if asked.init_data_types and not init_data_types:
        return None
    session_types = (SessionType.TEMPORARY,) if asked.session_types is None else asked.session_types
    if any(kind not in supports.session_types for kind in session_types):
        return None
    if not asked.audio_capabilities and not asked.video_capabilities:
        return None
    return Configuration(
        label=asked.label,
        init_data_types=init_data_types,
        audio_capabilities=asked.audio_capabilities,
        video_capabilities=asked.video_capabilities,
        session_types=session_types,
    )


def _restricted(supports: KeySystem, granted: Configuration) -> KeySystem:
    """Only the session types granted can be created (EME 4.2, createMediaKeys)."""
    types = tuple(kind for kind in supports.session_types if kind in (granted.session_types or ()))
    return KeySystem(init_data_types=supports.init_data_types, session_types=types)
