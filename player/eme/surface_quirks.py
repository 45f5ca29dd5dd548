"""How devices deviate in what a page sees of its sessions, as flags: by the names that switch deviations on.

Only what no answer of a CDM can express. Who reads a flag says what it does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceQuirks:
    """All off: a page sees what EME says. Each flag has the name of its deviation."""

    swapped_for_each: bool = False  # for_each and entries give key id and status in the other order
    closed_without_reason: bool = False  # `closed` resolves with None
    message_before_session_id: bool = False  # the first events of a session come while its id is ""
    lax_matching: bool = False  # key systems are found in any letter case


AS_WRITTEN: Final = SurfaceQuirks()


def surface_quirks(names: Collection[str]) -> SurfaceQuirks:
    """The flags of these names; the names of other parts of a device are passed over."""
    flags = {name: True for name in SurfaceQuirks.__slots__ if name in names}
    return SurfaceQuirks(**flags) if flags else AS_WRITTEN
