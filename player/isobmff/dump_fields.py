"""What the fields of a box say, as plain values: the table behind `dump`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from player.isobmff.boxes import Box

Field = int | str | bool | tuple["Field", ...] | Mapping[str, "Field"]
"""Plain values that JSON can hold; bytes are lower-case hex."""

_Reader = Callable[[bytes, Box], Mapping[str, Field]]


def read_fields(data: bytes, box: Box) -> Mapping[str, Field]:
    """Raises: MediaError for fields that do not fit the box."""
    reader = _READERS.get(box.type)
    return reader(data, box) if reader else {}


_READERS: Final[Mapping[bytes, _Reader]] = {}
