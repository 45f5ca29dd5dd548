"""Init data as the key logic handles it: what `generate_request` would be given, for which keys, where it was met.

Built for one key system: of several boxes only those that system takes are kept, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from player.errors import KeystormError
from player.ids import CLEARKEY, COMMON_SYSTEM, HIERARCHY, HIERARCHY_SYSTEM, KeyId, SystemId
from player.isobmff import pssh
from player.wire import blob, keyids


class Origin(StrEnum):
    """Where init data was met."""

    MPD = "mpd"
    INIT_SEGMENT = "init-segment"
    MEDIA_SEGMENT = "media-segment"
    EVENT = "event"
    ANNOUNCEMENT = "announcement"


class Unit(NamedTuple):
    """What asks: ids of Period, AdaptationSet and Representation."""

    period: str
    adaptation_set: str
    representation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InitData:
    """`kids` empty: not known. `root`: the key id that embedded keys are wrapped under, None where there are none."""

    type: str  # "cenc" or "keyids"
    data: bytes
    kids: tuple[KeyId, ...]
    origin: Origin
    unit: Unit | None = None
    root: KeyId | None = None


SYSTEMS: Final[dict[str, tuple[SystemId, ...]]] = {
    # the boxes a key system takes, its own before the common one
    CLEARKEY: (COMMON_SYSTEM,),
    HIERARCHY: (HIERARCHY_SYSTEM, COMMON_SYSTEM),
}


def from_boxes(key_system: str, data: bytes, origin: Origin, unit: Unit | None) -> InitData | None:
    """Init data of type cenc from concatenated `pssh` boxes; None where the key system takes none of them.

    Raises: ValueError where the bytes are no `pssh` boxes.
    """
    boxes = pssh.read(data)
    for system in SYSTEMS[key_system]:
        for box in boxes:
            if box.system_id == system and (box.key_ids or system != COMMON_SYSTEM):
                root = _root(box) if system == HIERARCHY_SYSTEM else None
                return InitData(
                    type="cenc", data=pssh.write(box), kids=box.key_ids, origin=origin, unit=unit, root=root
                )
    return None


def second_boxes(data: bytes) -> tuple[KeyId, ...]:
    """Key ids of the boxes whose SystemID a box before them has: they are not used.

    Raises: ValueError where the bytes are no `pssh` boxes.
    """
    seen: set[SystemId] = set()
    kids: list[KeyId] = []
    for box in pssh.read(data):
        kids += box.key_ids if box.system_id in seen else ()
        seen.add(box.system_id)
    return tuple(dict.fromkeys(kids))


def from_kids(kids: Iterable[KeyId], origin: Origin, unit: Unit | None = None) -> InitData | None:
    """Init data of type keyids; None where no key id but the zero one is given."""
    known = tuple(dict.fromkeys(kid for kid in kids if not kid.is_zero))
    if not known:
        return None
    return InitData(type="keyids", data=keyids.write(known), kids=known, origin=origin, unit=unit)


def kids_of(type_: str, data: bytes) -> tuple[KeyId, ...]:
    """The key ids that init data names by itself; () where it names none, or is unreadable."""
    try:
        if type_ == "keyids":
            return keyids.read(data)
        return tuple(dict.fromkeys(kid for box in pssh.read(data) for kid in box.key_ids))
    except (ValueError, KeystormError):
        return ()


def _root(box: pssh.Pssh) -> KeyId | None:
    if not box.data:
        return None
    try:
        return blob.read(box.data).root_kid
    except KeystormError:
        return None  # the CDM will refuse it by name (EQ12)
