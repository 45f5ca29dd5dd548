"""How the emulated CDM of every client of a run behaves: features, deviations of real devices, baked-in keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from player.cdm.quirks import QUIRKS
from player.errors import UsageError
from player.ids import ContentKey, KeyId
from player.wire.hierarchy import Output

EMBEDDED_KEYS: Final = "embedded_keys"
FEATURES: Final = frozenset({EMBEDDED_KEYS})
MAX_KEYS_PER_SESSION: Final = 128  # choice: as Chromium; EME asks for a high minimum


class OnMissingRoot(StrEnum):
    """What generateRequest does with embedded keys whose root key is not there."""

    REQUEST = "request"  # asks for the root on this session and keeps the wrapped keys
    PENDING = "pending"  # the keys are status-pending until some session has the root
    REJECT = "reject"  # NotSupportedError


@dataclass(frozen=True, slots=True, kw_only=True)
class CdmSpec:
    """`roots`: root keys baked into the device. `single_session`: embedded keys join the root's session (old devices).

    `hdcp`: what the emulated display can do. Raises: UsageError for a name that nobody knows.
    """

    features: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    on_missing_root: str = OnMissingRoot.REQUEST
    single_session: bool = False
    roots: Mapping[KeyId, ContentKey] = field(default_factory=lambda: MappingProxyType({}))
    hdcp: str = Output.HDCP_2_3
    max_keys: int = MAX_KEYS_PER_SESSION

    def __post_init__(self) -> None:
        _known("feature", self.features, FEATURES)
        _known("quirk", self.quirks, QUIRKS)
        _known("answer to a missing root key", (self.on_missing_root,), tuple(OnMissingRoot))
        _known("HDCP version", (self.hdcp,), tuple(Output))

    @property
    def embedded_keys(self) -> bool:
        return EMBEDDED_KEYS in self.features


def _known(what: str, given: Iterable[str], names: Iterable[str]) -> None:
    for name in given:
        if name not in (known := sorted(names)):
            raise UsageError(f"the CDM has no {what} {name!r}; there are: {', '.join(known)}")
