"""Crypto periods as a function of the media timeline.

Segments are numbered from 0 at the start of the media timeline; a crypto period is a run of segments under the same
keys. A boundary is two instants: on the media timeline its first segment starts, on the run clock that segment becomes
available, one segment duration later. Wall clocks decide nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from player.backend.spec import ContentSpec, Form, Rotation
from player.clock import us
from player.errors import BackendError

LEAD_S: Final = 24.0
"""The live media timeline starts this long before the run: three loops of the clip's 8 s, so that T0 finds content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All times in µs. `first_start` None: one crypto period for ever. `lead` is 0 for content on demand."""

    segment: int
    crypto_period: int
    first_start: int | None  # of crypto period 1, on the media timeline; period 0 is what lies before
    lead: int  # run-clock 0 is this far into the media timeline

    def start(self, period: int) -> int:
        """Media time at which a crypto period starts."""
        if period == 0 or self.first_start is None:
            return 0
        return self.first_start + (period - 1) * self.crypto_period

    def end(self, period: int) -> int | None:
        """Media time at which a crypto period ends; None: never."""
        return None if self.first_start is None else self.start(period + 1)

    def period(self, segment: int) -> int:
        """The crypto period of a segment."""
        since = segment * self.segment - self.first_start if self.first_start is not None else -1
        return since // self.crypto_period + 1 if since >= 0 else 0

    def first_segment(self, period: int) -> int:
        return self.start(period) // self.segment

    def available(self, segment: int) -> int:
        """Run-clock instant at which a live segment can first be fetched: when all of it has been encoded."""
        return (segment + 1) * self.segment - self.lead

    def newest_segment(self, now: int) -> int:
        """The last live segment available at `now`; -1 where there is none yet."""
        return max(-1, (now + self.lead) // self.segment - 1)

    def boundary(self, period: int) -> int:
        """Run-clock instant of a boundary: when the first segment of the period becomes available."""
        return self.available(self.first_segment(period))

    def over(self, period: int) -> int | None:
        """Run-clock instant of the boundary that ends a crypto period; None: never."""
        return None if self.first_start is None else self.boundary(period + 1)

    def newest_period(self, now: int) -> int:
        """The crypto period of the last live segment available at `now`."""
        return self.period(max(0, self.newest_segment(now)))


def live_schedule(content: ContentSpec) -> Schedule:
    """Boundaries on the run clock at `first_boundary_s` (or the first crypto period) and every crypto period after it.

    Raises: BackendError (`bad-rotation`) where a boundary would not fall on the start of a segment.
    """
    segment, lead = us(content.segment_s), us(LEAD_S)
    return _schedule(content, lead, None if content.rotation is Rotation.NONE else _first(content) + lead - segment)


def vod_schedule(content: ContentSpec) -> Schedule:
    """Boundaries on the media timeline; content whose form is live keeps one key in its form on demand.

    Raises: BackendError (`bad-rotation`) as `live_schedule`.
    """
    fixed = content.form is not Form.VOD or content.rotation is Rotation.NONE
    return _schedule(content, 0, None if fixed else _first(content))


def _first(content: ContentSpec) -> int:
    return us(content.crypto_period_s if content.first_boundary_s is None else content.first_boundary_s)


def _schedule(content: ContentSpec, lead: int, first_start: int | None) -> Schedule:
    segment, crypto_period = us(content.segment_s), us(content.crypto_period_s)
    if segment <= 0:
        raise BackendError("bad-segment", f"a segment of {content.segment_s:g} s: expected a positive duration")
    if first_start is not None:
        _check(content, segment, crypto_period, first_start)
    return Schedule(segment=segment, crypto_period=crypto_period, first_start=first_start, lead=lead)


def _check(content: ContentSpec, segment: int, crypto_period: int, first_start: int) -> None:
    if crypto_period <= 0 or crypto_period % segment:
        reason = f"{content.crypto_period_s:g} s is no multiple of the segment's {content.segment_s:g} s"
        raise BackendError("bad-rotation", f"crypto period: {reason}")
    if first_start <= 0 or first_start % segment:
        at = "the first crypto period" if content.first_boundary_s is None else f"{content.first_boundary_s:g} s"
        raise BackendError("bad-rotation", f"a first boundary at {at} falls on the start of no segment")
