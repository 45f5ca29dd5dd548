"""Init data of type `keyids` (W3C "keyids" Initialization Data Format)."""

from __future__ import annotations

from collections.abc import Iterable

from player.ids import KeyId
from player.wire.members import key_ids, member, texts
from player.wire.strict import read_object, write_object


def write(kids: Iterable[KeyId]) -> bytes:
    """`{"kids":["…", …]}`, in the order given."""
    return write_object({"kids": texts(kids)})


def read(data: bytes) -> tuple[KeyId, ...]:
    """The key ids in their order; `()` for an empty list, which is well-formed and useless.

    Raises: LicenseError for anything else than an object with a list of at most 128 base64url key ids.
    """
    return key_ids(member(read_object(data, "keyids"), "kids", "keyids"), "keyids.kids")
