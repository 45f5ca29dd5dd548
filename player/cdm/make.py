"""The key systems there are, and a CDM for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from player.cdm import clearkey, hierarchy
from player.cdm.emulated import EmulatedCdm, Law
from player.cdm.key_systems import on_device, with_quirks
from player.cdm.own import OwnCdm
from player.cdm.quirks import names
from player.cdm.spec import CdmSpec, OnSessionLimit
from player.eme.cdm import Cdm
from player.eme.errors import NotSupportedError, named
from player.eme.key_system import KeySystem
from player.ids import CLEARKEY, HIERARCHY, Pool

_LAWS: Final[Mapping[str, Law]] = MappingProxyType({CLEARKEY: clearkey.LAW, HIERARCHY: hierarchy.LAW})


def key_systems(spec: CdmSpec | OwnCdm) -> Mapping[str, KeySystem]:
    """What `eme.access.request_access` is to know: the key systems of this device."""
    if isinstance(spec, OwnCdm):
        known = {**key_systems(CdmSpec()), spec.key_system: spec.supports}
        return MappingProxyType({name: with_quirks(it, spec.quirks) for name, it in known.items()})
    return MappingProxyType({name: on_device(law.supports, spec) for name, law in _LAWS.items()})


KEY_SYSTEMS: Final = key_systems(CdmSpec())
"""Those of a device of which nothing was said."""


def make(key_system: str, spec: CdmSpec | OwnCdm, pool: Pool, epoch_us: int) -> Cdm:
    """A CDM for one client. Quirks lie around it in the order of their names in the spec, the first one innermost.

    Raises: NotSupportedError for a key system that is not there; what the spec says of one that does not start.
    """
    return names.around(_bare(key_system, spec, pool, epoch_us), spec.quirks)


def _bare(key_system: str, spec: CdmSpec | OwnCdm, pool: Pool, epoch_us: int) -> Cdm:
    if isinstance(spec, OwnCdm):
        return spec.make(epoch_us) if key_system == spec.key_system else _bare(key_system, CdmSpec(), pool, epoch_us)
    law = _LAWS.get(key_system)
    if law is None:
        raise NotSupportedError(f"no key system {key_system!r}; there are: {', '.join(sorted(_LAWS))}")
    if names.is_on(spec.quirks, "evict_oldest_session"):
        room = names.amount(spec.quirks, "evict_oldest_session")
        spec = replace(spec, max_sessions=room, on_session_limit=OnSessionLimit.EVICT)
    if spec.create_fail is not None:
        raise named(spec.create_fail, "the CDM cannot be started")
    return EmulatedCdm(law, spec, pool, epoch_us)
