"""From init data to the key ids of a license request: what key systems that take boxes have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from player.eme.errors import EmeTypeError, NotSupportedError
from player.ids import KeyId
from player.isobmff.pssh import Pssh
from player.wire.members import MAX_KEY_IDS

T = TypeVar("T")


def first_supported(boxes: tuple[Pssh, ...], read: Callable[[Pssh], T | None]) -> T:
    """What `read` finds in the first box in which it finds anything (registry, "cenc", Processing).

    Raises: NotSupportedError where no box is for this CDM.
    """
    for box in boxes:
        found = read(box)
        if found:
            return found
    raise NotSupportedError("the init data has no box for this key system")


def limited(kids: tuple[KeyId, ...]) -> tuple[KeyId, ...]:
    """Each key id once. Raises: EmeTypeError for more than a request may name."""
    distinct = tuple(dict.fromkeys(kids))
    if len(distinct) > MAX_KEY_IDS:
        raise EmeTypeError(f"{len(distinct)} key ids, at most {MAX_KEY_IDS} are asked for at once")
    return distinct
