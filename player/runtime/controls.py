"""What a user asks for, as the machine knows it: positions are not seconds but µs, rates are parts per million."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from player.clock import SECOND, us
from player.engine.window import LIVE
from player.errors import UsageError
from player.stream.state import NORMAL

Position = float | str
"""Seconds on the presentation timeline, or "live": as near to the live edge as one plays."""

SLOWEST: Final = 0.5
FASTEST: Final = 2.0
MOST_S: Final = 1e12


def position_us(position: Position) -> int:
    """Raises: UsageError."""
    if position == "live":
        return LIVE
    if isinstance(position, str | bytes) or not 0 <= position < MOST_S:  # NaN is neither
        raise UsageError(f"a position is seconds from 0 on, or 'live', not {position!r}")
    return us(position)


def rate_ppm(rate: float) -> int:
    """Raises: UsageError."""
    if not SLOWEST <= rate <= FASTEST:  # NaN is neither
        raise UsageError(f"a rate lies between {SLOWEST} and {FASTEST}, not at {rate!r}")
    return round(rate * NORMAL)


def start(where: Position | datetime | None) -> dict[str, Any]:
    """The fields of a PlayerSpec that say where to start. Raises: UsageError."""
    if where is None:
        return {}
    if not isinstance(where, datetime):
        return {"start_us": position_us(where)}
    if where.tzinfo is None:
        raise UsageError("a wall time to start at has a time zone")
    since = where - datetime(1970, 1, 1, tzinfo=UTC)
    return {"start_wall_us": (since.days * 86_400 + since.seconds) * SECOND + since.microseconds}
