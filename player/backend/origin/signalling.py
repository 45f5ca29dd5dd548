"""What each rotation mode says of its keys, and where: DASH-IF IOP v5 part 6, 9.2 to 9.4, as one table.

A mode is a row; nothing else in the origin asks which mode it serves, but for the number of Periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from player.backend.spec import Rotation
from player.ids import CLEARKEY, HIERARCHY


class Names(StrEnum):
    """The key that `tenc` and the MPD's default_KID name."""

    CONTENT = "content"
    ROOT = "root"
    NOTHING = "nothing"  # all-zero in `tenc`, absent from the MPD


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalling:
    """`pssh_*`: a box stands there. `in_band`: each `moof` has a `pssh`, and a `seig` group that names the key."""

    key_system: str
    default_kid: Names
    pssh_in_mpd: bool
    pssh_in_moov: bool
    in_band: bool


SIGNALLING: Final[Mapping[Rotation, Signalling]] = MappingProxyType(
    {
        Rotation.NONE: Signalling(
            key_system=CLEARKEY, default_kid=Names.CONTENT, pssh_in_mpd=True, pssh_in_moov=True, in_band=False
        ),
        Rotation.NEW_PERIOD: Signalling(
            key_system=CLEARKEY, default_kid=Names.CONTENT, pssh_in_mpd=False, pssh_in_moov=True, in_band=False
        ),
        Rotation.IN_BAND: Signalling(
            key_system=CLEARKEY, default_kid=Names.NOTHING, pssh_in_mpd=False, pssh_in_moov=False, in_band=True
        ),
        Rotation.HIERARCHY: Signalling(
            key_system=HIERARCHY, default_kid=Names.ROOT, pssh_in_mpd=True, pssh_in_moov=True, in_band=True
        ),
    }
)
