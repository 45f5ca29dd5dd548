"""The one door of pymp4: it builds the packager's `pssh` boxes and gives `inspect` a second reading of others.

Nothing it says of bytes from the network decides anything. It takes boxes in greedy ranges, so a child it cannot read
(any `senc`) ends the list without a word: our own walk goes first, and what it read must add up to what it was given.

pymp4 1.4 needs `collections.Sequence`, which Python 3.10 removed; it is set before the import, which happens on first
use. No untyped value leaves this module.
"""

from __future__ import annotations

import collections
import collections.abc
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from player.ids import KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.dump import walk

MAX_READ_BYTES: Final = 64 << 10  # choice: its time grows with the square of the depth
Plain = int | str | bytes | None | tuple["Plain", ...] | Mapping[str, "Plain"]
"""What pymp4 says, in values of Python's own; a UUID is its bytes."""


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


def read_pssh(data: bytes) -> pssh.Pssh:
    """One box as pymp4 reads it, for comparison with our own reading.

    Raises: ValueError for what it refuses, in whichever of its ways.
    """
    if data[4:8] != b"pssh" or len(data) > MAX_READ_BYTES:
        raise ValueError("not shown to pymp4: no pssh box, or too large")
    kids_end = 32 + 16 * int.from_bytes(data[28:32], "big") if data[8:9] != b"\0" else 28
    if int.from_bytes(data[:4], "big") != len(data) or kids_end + 4 > len(data):
        raise ValueError("not shown to pymp4, which can loop without end on it: sizes that do not fit")
    parser = _pymp4_parser().Box
    from construct.core import ConstructError

    try:
        found = parser.parse(data)
        return pssh.Pssh(
            version=int(found.version),
            system_id=SystemId(found.system_ID.bytes),
            key_ids=tuple(KeyId(kid.bytes) for kid in found.key_IDs or ()),
            data=bytes(found.init_data),
        )
    except (ConstructError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from None


def read_boxes(data: bytes) -> tuple[Mapping[str, Plain], ...]:
    """The boxes that pymp4 finds at the top of `data`, with its own names of their fields; `children` holds theirs.

    Raises: ValueError for more than MAX_READ_BYTES, for boxes that our walk finds a fault in, or where pymp4 lost some.
    """
    if len(data) > MAX_READ_BYTES:
        raise ValueError(f"{len(data)} bytes, pymp4 is given {MAX_READ_BYTES} at most")
    fault = next((box for box in walk(data) if box.fault is not None), None)
    if fault is not None:
        raise ValueError(f"{fault.path} @ {fault.offset}: {fault.fault}")
    boxes = _pymp4_parser().MP4.parse(data)
    read = sum(int(box.end - box.offset) for box in boxes)
    if read != len(data):
        raise ValueError(f"pymp4 read {read} of {len(data)} bytes")
    return tuple(_plain_box(box) for box in boxes)


def count_boxes(data: bytes) -> int:
    """How many boxes pymp4 finds at the top of `data`, sound or not: pymp4 and nothing else, for measuring it."""
    return len(_pymp4_parser().MP4.parse(data))


def _plain_box(box: Any) -> Mapping[str, Plain]:
    return {str(name): _plain(value) for name, value in box.items()}


def _plain(value: Any) -> Plain:
    if isinstance(value, dict):
        return _plain_box(value)
    if isinstance(value, list):
        return tuple(_plain(each) for each in value)
    if isinstance(value, UUID):
        return value.bytes
    return value if isinstance(value, int | str | bytes | None) else str(value)


def _build(box: pssh.Pssh) -> bytes:
    fields: dict[str, Any] = {
        "type": b"pssh",
        "version": box.version,
        "flags": 0,
        "system_ID": UUID(bytes=bytes(box.system_id)),
        "key_IDs": [UUID(bytes=bytes(kid)) for kid in box.key_ids] or None,
        "init_data": box.data,
    }
    return bytes(_pymp4_parser().Box.build(fields))


def _pymp4_parser() -> Any:
    if not hasattr(collections, "Sequence"):
        collections.Sequence = collections.abc.Sequence  # type: ignore[attr-defined]
    from pymp4 import parser

    return parser
