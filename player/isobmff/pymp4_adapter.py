"""The one door of pymp4: it builds the packager's `pssh` boxes, and nothing it says of bytes from the network decides.

pymp4 1.4 needs `collections.Sequence`, which Python 3.10 removed; it is set before the import, which happens on first
use. No untyped value leaves this module.
"""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from player.ids import KeyId, SystemId
from player.isobmff import pssh


def build_pssh(version: int, system_id: SystemId, key_ids: Sequence[KeyId], data: bytes = b"") -> bytes:
    """One `pssh` box, read back by our own codec before it is handed out.

    pymp4 takes the version from the presence of KIDs, so a version 1 box without any is written by the codec itself.

    Raises: ValueError for what the codec would not write.
    """
    wanted = pssh.Pssh(version=version, system_id=system_id, key_ids=tuple(key_ids), data=data)
    written = pssh.write(wanted)  # refuses what does not exist
    if version == 1 and not key_ids:
        return written
    built = _build(wanted)
    if pssh.read(built) != (wanted,):
        raise ValueError("pymp4 built another pssh box than it was asked for")
    return built


def _build(box: pssh.Pssh) -> bytes:
    fields: dict[str, Any] = {
        "type": b"pssh",
        "version": box.version,
        "flags": 0,
        "system_ID": UUID(bytes=bytes(box.system_id)),
        "key_IDs": [UUID(bytes=bytes(kid)) for kid in box.key_ids] or None,
        "init_data": box.data,
    }
    return bytes(_pymp4_box().build(fields))


def _pymp4_box() -> Any:
    if not hasattr(collections, "Sequence"):
        collections.Sequence = collections.abc.Sequence  # type: ignore[attr-defined]
    from pymp4.parser import Box

    return Box
