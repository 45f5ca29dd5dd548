"""One version of the MPD as the machine uses it: the presentation, and what many clients would otherwise compute again.

Shared by every client that was served the same bytes; what is computed is a function of the presentation alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from player.clock import SECOND
from player.drm.scope import Layout, Listed
from player.errors import LicenseError
from player.ids import CLEARKEY, CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM, HIERARCHY, HIERARCHY_SYSTEM, KeyId, SystemId
from player.isobmff import sidx
from player.mpd.document import Node
from player.mpd.index_reads import IndexRead
from player.mpd.model import ContentProtection, Period, Presentation, Representation
from player.mpd.parse import present
from player.mpd.timeline import SegmentIndex, segment_index
from player.mpd.xlink import resolved
from player.wire import announce

_DESCRIPTORS: Final[dict[str, tuple[SystemId, ...]]] = {
    # the ContentProtection descriptors that speak to a key system
    CLEARKEY: (CLEARKEY_DASH_SYSTEM, COMMON_SYSTEM),
    HIERARCHY: (HIERARCHY_SYSTEM,),
}

VALIDITY_SCHEME: Final = "urn:mpeg:dash:event:2012"
"""Events of DASH itself: this MPD has expired (ISO/IEC 23009-1, 5.10.4)."""

MAX_CAPTURED_US: Final = 60 * SECOND  # a choice: a reference that says more is none

MAX_RESOLVED: Final = 8  # answers to the same links may differ from client to client

_GENERIC: Final = "urn:mpeg:dash:mp4protection:2011"


class Manifest:
    """`layout` lists every default_KID; `announcements` are coming crypto periods, each with its start (µs)."""

    def __init__(self, presentation: Presentation, document: Node | None = None) -> None:
        self.presentation = presentation
        self.document = document if presentation.patches or presentation.remote else None  # what may still be changed
        self._resolved: dict[tuple[tuple[str, bytes | None], ...], Manifest] = {}
        self._indices: dict[tuple[int, sidx.SegmentIndex | None], SegmentIndex] = {}  # by identity: ids may come twice

    def period(self, period_id: str) -> Period | None:
        return next((period for period in self.presentation.periods if period.id == period_id), None)

    def resolved(self, contents: tuple[tuple[str, bytes | None], ...]) -> Manifest:
        """With these remote elements in their place: by URL, None for what could not be had. Raises: ManifestError."""
        if self.document is None:
            return self
        if contents not in self._resolved:
            if len(self._resolved) >= MAX_RESOLVED:
                self._resolved.clear()
            document = resolved(self.document, dict(contents))
            self._resolved[contents] = Manifest(present(document), document)
        return self._resolved[contents]

    @cached_property
    def tells_validity(self) -> bool:
        """Do events say when this MPD has expired?"""
        periods = self.presentation.periods
        streams = [stream.scheme for period in periods for stream in period.event_streams]
        streams += [
            stream.scheme
            for period in periods
            for group in period.adaptation_sets
            for representation in group.representations
            for stream in representation.inband_events
        ]
        return VALIDITY_SCHEME in streams

    @cached_property
    def captured_us(self) -> int:
        """How much later than its place on the timeline media is captured (5.12); 0: nothing said."""
        presentation = self.presentation
        for period in reversed(presentation.periods):
            for representation in (one for group in period.adaptation_sets for one in group.representations):
                for reference in representation.reference_times:
                    source = representation.source
                    ticks = reference.media_time - source.presentation_time_offset
                    placed_us = period.start_us + ticks * SECOND // source.timescale
                    later_us = reference.wall_us - presentation.availability_start_wall_us - placed_us
                    return later_us if abs(later_us) <= MAX_CAPTURED_US else 0
        return 0

    def index(self, period: Period, representation: Representation, fetched: sidx.SegmentIndex | None) -> SegmentIndex:
        """The segments of a Representation; `fetched` is what was read of its `sidx` where it needs one."""
        key = (id(representation), fetched)
        found = self._indices.get(key)
        if found is None:
            read = (
                None if fetched is None else IndexRead(fetched.timescale, fetched.segments, fetched.start, fetched.end)
            )
            found = segment_index(self.presentation, period, representation, read)
            if read is None or found.index is None:  # one of which more is to be read is asked for once a client
                self._indices[key] = found
        return found

    @cached_property
    def layout(self) -> Layout:
        return tuple(
            Listed(period.id, group.id, representation.id, kid)
            for period in self.presentation.periods
            for group in period.adaptation_sets
            for representation in group.representations
            for protection in (*group.protections, *representation.protections)
            for kid in protection.default_kids
            if not kid.is_zero
        )

    @cached_property
    def kids(self) -> frozenset[KeyId]:
        """Every key id that the manifest lists."""
        return frozenset(row.kid for row in self.layout)

    @cached_property
    def protections(self) -> tuple[ContentProtection, ...]:
        """All descriptors of the presentation, in document order, each once."""
        found = [
            protection
            for period in self.presentation.periods
            for group in period.adaptation_sets
            for level in (group.protections, *(r.protections for r in group.representations))
            for protection in level
        ]
        ahead = [protection for one in self.presentation.initialization_sets for protection in one.protections]
        return tuple(dict.fromkeys((*found, *ahead)))

    def license_urls(self, key_system: str) -> tuple[str, ...]:
        """Equal alternatives: of the key system's own descriptors, else of the generic one."""
        own = [p for scheme in _schemes(key_system) for p in self.protections if p.scheme == scheme]
        generic = [p for p in self.protections if p.scheme == _GENERIC]
        return next((p.license_urls for p in (*own, *generic) if p.license_urls), ())

    def names(self, key_system: str) -> bool:
        """Does a descriptor speak to this key system?"""
        return any(p.scheme in _schemes(key_system) for p in self.protections)

    @cached_property
    def announcements(self) -> tuple[tuple[int, announce.Announcement], ...]:
        """Coming crypto periods that EventStreams announce; unreadable ones are left out."""
        found = []
        for period in self.presentation.periods:
            for stream in period.event_streams:
                if stream.scheme == announce.SCHEME:
                    found += [(event.start_us, read) for event in stream.events if (read := _read(event.text))]
        return tuple(found)


def _schemes(key_system: str) -> tuple[str, ...]:
    return tuple(f"urn:uuid:{system}" for system in _DESCRIPTORS[key_system])


NONE_YET: Final = Manifest(Presentation(url="", dynamic=False, periods=()))
"""What a client has before its first MPD has come."""


def _read(text: str) -> announce.Announcement | None:
    try:
        return announce.read(text)
    except LicenseError:
        return None
