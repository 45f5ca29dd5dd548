"""The key systems there are, and a CDM for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from player.cdm import clearkey, hierarchy
from player.cdm.emulated import EmulatedCdm, Law
from player.cdm.quirks import QUIRKS
from player.cdm.spec import CdmSpec
from player.eme.access import KeySystem
from player.eme.cdm import Cdm
from player.eme.errors import NotSupportedError
from player.ids import CLEARKEY, HIERARCHY, Pool

_LAWS: Final[Mapping[str, Law]] = MappingProxyType({CLEARKEY: clearkey.LAW, HIERARCHY: hierarchy.LAW})

KEY_SYSTEMS: Final[Mapping[str, KeySystem]] = MappingProxyType({name: law.supports for name, law in _LAWS.items()})
"""What `eme.access.request_access` is to know."""


def make(key_system: str, spec: CdmSpec, pool: Pool, epoch_us: int) -> Cdm:
    """A CDM for one client. Quirks lie around it in the order of their names in the spec, the first one innermost.

    Raises: NotSupportedError for a key system that is not there.
    """
    law = _LAWS.get(key_system)
    if law is None:
        raise NotSupportedError(f"no key system {key_system!r}; there are: {', '.join(sorted(_LAWS))}")
    cdm: Cdm = EmulatedCdm(law, spec, pool, epoch_us)
    for name in spec.quirks:
        cdm = QUIRKS[name](cdm)
    return cdm
