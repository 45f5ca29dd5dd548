"""What a packaged track says of its keys: `pssh` boxes by kind, and the ContentProtection descriptors of the MPD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from player.backend.origin.mpd_tree import MP4_PROTECTION, Protection
from player.backend.packager.settings import PsshKind, PsshPlace, Settings
from player.backend.spec import Rotation
from player.ids import CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM, KeyId, SystemId
from player.isobmff.pymp4_adapter import build_pssh

SYSTEMS: Final[
    Mapping[PsshKind, SystemId]
] = {  # Shaka Player 5.2 takes the first it knows: Clear Key before all others
    PsshKind.CLEARKEY: CLEARKEY_DASH_SYSTEM,
    PsshKind.COMMON: COMMON_SYSTEM,
    PsshKind.LAB: HIERARCHY_SYSTEM,
}


def boxes(kinds: Sequence[PsshKind], kid: KeyId) -> tuple[bytes, ...]:
    """Version 1 boxes that name this key, and nothing else."""
    return tuple(build_pssh(1, SYSTEMS[kind], (kid,)) for kind in SYSTEMS if kind in kinds)


def descriptors(settings: Settings, kid: KeyId | None) -> tuple[Protection, ...]:
    """mp4protection first; `kid` None: no default key. A Clear Key descriptor stands for every key a license brings."""
    return (Protection(scheme=MP4_PROTECTION, value=settings.scheme.value, default_kid=kid), *_systems(settings, kid))


def _systems(settings: Settings, kid: KeyId | None) -> Iterator[Protection]:
    kinds = set(settings.pssh_kinds)
    if settings.rotation is not Rotation.HIERARCHY:
        kinds.add(PsshKind.CLEARKEY)
    for kind, system in SYSTEMS.items():
        if kind not in kinds:
            continue
        named = kid is not None and PsshPlace.MPD in settings.pssh_in and kind in settings.pssh_kinds
        box = build_pssh(1, system, (kid,)) if named and kid is not None else b""
        clear_key = kind is PsshKind.CLEARKEY
        if box or kind is not PsshKind.COMMON:  # Common says nothing but its box
            url = "" if kind is PsshKind.COMMON else settings.license_url
            value = "ClearKey1.0" if clear_key else None
            yield Protection(scheme=f"urn:uuid:{system}", value=value, pssh=box, license_url=url)
