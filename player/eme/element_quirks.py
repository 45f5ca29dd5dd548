"""How the elements of real devices deviate, as flags: by the names under which a run switches deviations on.

NAME alone is the first form of a deviation, NAME:FORM another one. Who reads a flag says what it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Final

EARLY_US: Final = 320_000  # 8 frames at 25 a second: decoders look 4 to 10 ahead (w3c/encrypted-media 284)


class WaitingForKeyEvent(StrEnum):
    """When the waitingforkey event comes."""

    IN_TIME = "in time"
    STALE = "stale"  # with the resume: the key is there when it is heard
    MISSING = "missing"  # never
    EARLY = "early"  # while `EARLY_US` of the lead are left


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementQuirks:
    """All off: an element as EME has it."""

    waiting_for_key: WaitingForKeyEvent = WaitingForKeyEvent.IN_TIME
    error_instead_of_waiting: bool = False  # an element error where data cannot be decrypted, and no waitingforkey
    buffered_data_sticks: bool = False  # what is queued under an unusable key goes with a seek or a reload only
    needs_keys_before_clear: bool = False  # no sample of protected content, clear or not, is decoded without MediaKeys
    set_media_keys_hangs: bool = False  # its promise never settles
    media_keys_single_use: bool = False  # MediaKeys that served one content decrypt no other
    needs_encryption_info: bool = False  # with MediaKeys, media whose init segment tells of no protection fails
    duplicated_pssh: bool = False  # the encrypted event has every box twice
    channel_per_key: bool = False  # each key id must have been asked for before its samples come
    zero_default_kid: bool = False  # init segments name the zero key id, those of clear tracks too


NO_QUIRKS: Final = ElementQuirks()

_BY_NAME: Final[Mapping[str, ElementQuirks]] = MappingProxyType(
    {
        "unreliable_waitingforkey": ElementQuirks(waiting_for_key=WaitingForKeyEvent.STALE),
        "unreliable_waitingforkey:stale": ElementQuirks(waiting_for_key=WaitingForKeyEvent.STALE),
        "unreliable_waitingforkey:missing": ElementQuirks(waiting_for_key=WaitingForKeyEvent.MISSING),
        "unreliable_waitingforkey:early": ElementQuirks(waiting_for_key=WaitingForKeyEvent.EARLY),
        "set_media_keys_hangs": ElementQuirks(set_media_keys_hangs=True),
        "media_keys_single_use": ElementQuirks(media_keys_single_use=True),
        "attach_first": ElementQuirks(needs_keys_before_clear=True),
        "attach_first:needs_keys_before_clear": ElementQuirks(needs_keys_before_clear=True),
        "attach_first:needs_encryption_info": ElementQuirks(needs_encryption_info=True),
        "fragile_pssh:duplicated": ElementQuirks(duplicated_pssh=True),
        "channel_per_key": ElementQuirks(channel_per_key=True),
        "zero_default_kid": ElementQuirks(zero_default_kid=True),
        "error_instead_of_waitingforkey": ElementQuirks(error_instead_of_waiting=True),
        "buffered_data_sticks": ElementQuirks(buffered_data_sticks=True),
    }
)
ELEMENT_QUIRKS: Final = frozenset(_BY_NAME)


def element_quirks(names: Iterable[str]) -> ElementQuirks:
    """The flags of these names together; the names of other parts of a device are passed over."""
    found = [_BY_NAME[name] for name in names if name in _BY_NAME]
    flags = {each.name: getattr(it, each.name) for it in found for each in fields(it) if _is_set(it, each.name)}
    return ElementQuirks(**flags)


def _is_set(it: ElementQuirks, flag: str) -> bool:
    return bool(getattr(it, flag) != getattr(NO_QUIRKS, flag))
