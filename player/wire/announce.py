"""A coming crypto period, announced as the text of an MPD event: its key ids and when to ask for them.

The text of an `Event` in an `EventStream` with the scheme below; `Event@id` is the period's index and
`Event@presentationTime` its start on the media timeline (ISO/IEC 23009-1, 5.10.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from player.ids import KeyId
from player.wire.members import an_object, bad, key_ids, member, nullable, texts, whole
from player.wire.strict import read_object, write_object

SCHEME: Final = "urn:keystorm:key-announce:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Crypto period `idx`. Instants in ms since the epoch; `valid_until_ms` None: no end is known."""

    idx: int
    kids: tuple[KeyId, ...]
    prefetch_open_ms: int
    prefetch_close_ms: int
    valid_from_ms: int
    valid_until_ms: int | None = None


def write(announcement: Announcement) -> str:
    it = announcement
    return write_object(
        {
            "idx": it.idx,
            "kids": texts(it.kids),
            "prefetch": {"close": it.prefetch_close_ms, "open": it.prefetch_open_ms},
            "valid": [it.valid_from_ms, it.valid_until_ms],
        }
    ).decode("utf-8")


def read(text: str) -> Announcement:
    """Raises: LicenseError for a text that is no announcement, or whose window or validity ends before it starts."""
    document = read_object(text.strip().encode("utf-8", "surrogatepass"), _PLACE)
    prefetch = an_object(member(document, "prefetch", _PLACE), f"{_PLACE} prefetch")
    valid_from, valid_until = _valid(member(document, "valid", _PLACE))
    window = [whole(member(prefetch, name, f"{_PLACE} prefetch"), f"{_PLACE} prefetch.{name}") for name in _WINDOW]
    _in_order(window, f"{_PLACE} prefetch")
    kids = key_ids(member(document, "kids", _PLACE), f"{_PLACE} kids")
    if not kids:
        raise bad(f"{_PLACE} kids", "empty")
    return Announcement(
        idx=whole(member(document, "idx", _PLACE), f"{_PLACE} idx"),
        kids=kids,
        prefetch_open_ms=window[0],
        prefetch_close_ms=window[1],
        valid_from_ms=valid_from,
        valid_until_ms=valid_until,
    )


_PLACE: Final = "key announcement"
_WINDOW: Final = ("open", "close")


def _valid(value: object) -> tuple[int, int | None]:
    if not isinstance(value, list) or len(value) != 2:
        raise bad(f"{_PLACE} valid", "no pair")
    start, end = whole(value[0], f"{_PLACE} valid[0]"), nullable(value[1], f"{_PLACE} valid[1]", whole)
    _in_order((start,) if end is None else (start, end), f"{_PLACE} valid")
    return start, end


def _in_order(instants: Iterable[int], place: str) -> None:
    given = list(instants)
    if given != sorted(given):
        raise bad(place, "ends before it starts")
