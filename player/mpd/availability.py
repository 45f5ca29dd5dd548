"""When a segment can be fetched, and when the MPD wants to be fetched again (ISO/IEC 23009-1, 5.3.9.5.3 and 5.4).

Wall times are µs since 1970; nobody here reads a clock.
"""

from __future__ import annotations

from typing import Final

from player.clock import SECOND
from player.mpd.model import Presentation, Segment

DEFAULT_UPDATE_US: Final = 3 * SECOND  # @minimumUpdatePeriod 0 leaves it to the client; Shaka Player takes 3 s
LEAST_UPDATE_US: Final = SECOND // 10  # a hostile MPD must not make its client a flood


def available_at(presentation: Presentation, segment: Segment) -> int:
    """The wall time from which the segment can be asked for; in a static presentation it always can: 0.

    That is when it is complete, earlier by its offset, but never before anything of the presentation is there.
    """
    if not presentation.dynamic:
        return 0
    start_us = presentation.availability_start_wall_us
    if segment.availability_time_offset_us is None:
        return start_us
    return start_us + max(segment.end_us - segment.availability_time_offset_us, 0)


def leaves_at(presentation: Presentation, segment: Segment) -> int | None:
    """The wall time at which the segment leaves: the time-shift window and its own duration after it was complete.

    None: never. After `@availabilityEndTime` nothing is there (5.3.1.2).
    """
    if not presentation.dynamic:
        return None
    if presentation.time_shift_us is None:
        return presentation.availability_end_wall_us
    lasts_us = segment.end_us - segment.start_us
    leaves_us = presentation.availability_start_wall_us + segment.end_us + lasts_us + presentation.time_shift_us
    end_us = presentation.availability_end_wall_us
    return leaves_us if end_us is None else min(leaves_us, end_us)


def refresh_due(presentation: Presentation) -> int | None:
    """µs from one fetch of the MPD to the next; None: this MPD is the last."""
    if not presentation.dynamic or presentation.minimum_update_us is None:
        return None
    if presentation.minimum_update_us == 0:
        return DEFAULT_UPDATE_US
    return max(presentation.minimum_update_us, LEAST_UPDATE_US)
