"""The names of protection systems, and nothing else of them.

Source: the DASH-IF registry of content protection systems; ours as in `ids`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from player.ids import CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY_SYSTEM, SystemId

NAMES: Final[Mapping[SystemId, str]] = {
    COMMON_SYSTEM: "common",
    CLEARKEY_DASH_SYSTEM: "Clear Key (DASH-IF)",
    HIERARCHY_SYSTEM: "keystorm hierarchy",
    SystemId.parse("dd3221be-1345-5461-bf50-2f99affbfb56"): "keystorm handshake",
    SystemId.parse("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"): "Widevine",
    SystemId.parse("9a04f079-9840-4286-ab92-e65be0885f95"): "PlayReady",
    SystemId.parse("94ce86fb-07ff-4f43-adb8-93d2fa968ca2"): "FairPlay",
    SystemId.parse("5e629af5-38da-4063-8977-97ffbd9902d4"): "Marlin",
}
_URN: Final = "urn:uuid:"


def name_of(system_id: SystemId) -> str:
    return NAMES.get(system_id, "unknown system")


def name_of_scheme(scheme: str) -> str:
    """What a ContentProtection@schemeIdUri names."""
    if scheme == "urn:mpeg:dash:mp4protection:2011":
        return "Common Encryption"
    try:
        return name_of(SystemId.parse(scheme.removeprefix(_URN))) if scheme.startswith(_URN) else "unknown scheme"
    except ValueError:
        return "no UUID"
