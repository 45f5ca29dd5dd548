"""A CDM of one's own: what is given where a `CdmSpec` is, to play a key system that this room does not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from player.cdm.quirks import names
from player.eme.cdm import Cdm
from player.eme.key_system import KeySystem


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCdm:
    """It comes beside the key systems of the lab, or in place of the one that has its name.

    `make` is called once a client, with the wall time of run-clock 0 in µs since the epoch. `quirks` lie around what it
    gives, as around any other CDM.
    """

    key_system: str
    supports: KeySystem
    make: Callable[[int], Cdm]
    quirks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises: UsageError for a deviation that nobody knows."""
        object.__setattr__(self, "quirks", names.expanded(self.quirks))
