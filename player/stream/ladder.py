"""The rungs of a ladder: their order, and wishes that name one of them, for good or from a media time on.

A wish is "auto", "highest", "lowest", an @id, or a script: `script:0=v1,12=v3` plays v1 from 0 s and v3 from 12 s of
media time. A track follows those steps of a script that name one of its own rungs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Final

from player.clock import us
from player.errors import UsageError
from player.mpd.model import Representation

AUTO: Final = "auto"
_SCRIPT: Final = "script:"

Script = tuple[tuple[int, str], ...]
"""(presentation time in µs, @id), times rising."""


def ordered(representations: Sequence[Representation]) -> tuple[Representation, ...]:
    """From the least to the best: by @qualityRanking where each has one (5.3.5.2: low is good), else by @bandwidth."""
    if all(rung.quality is not None for rung in representations):
        return tuple(sorted(representations, key=lambda rung: (-(rung.quality or 0), rung.bandwidth)))
    return tuple(sorted(representations, key=lambda rung: rung.bandwidth))


def named(rungs: Sequence[Representation], wish: str, at_us: int) -> Representation | None:
    """The rung that a wish names for the segment at this media time; None: it names none."""
    if wish == "highest":
        return rungs[-1]
    if wish == "lowest":
        return min(rungs, key=lambda rung: rung.bandwidth)
    by_id = {rung.id: rung for rung in rungs}
    steps = [by_id[name] for time_us, name in script(wish) if time_us <= at_us and name in by_id]
    return steps[-1] if steps else by_id.get(wish)


@lru_cache(maxsize=64)
def script(wish: str) -> Script:
    """The steps of a script; none where the wish is no script. Raises: UsageError."""
    if not wish.startswith(_SCRIPT):
        return ()
    steps = tuple(_step(part) for part in wish.removeprefix(_SCRIPT).split(","))
    times = [time_us for time_us, _ in steps]
    if times != sorted(set(times)):
        raise UsageError("the times of a script of representations rise from step to step")
    return steps


def _step(text: str) -> tuple[int, str]:
    time, _, name = (part.strip() for part in text.partition("="))
    try:
        time_s = float(time)
    except ValueError:
        time_s = -1.0
    if not name or not isfinite(time_s) or time_s < 0:
        raise UsageError(f"a step of a script is SECONDS=ID, not {text.strip()!r}")
    return us(time_s), name
