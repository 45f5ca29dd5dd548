"""Parsed init and media segments: immutable, shared by every client that was served the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from player.errors import MediaError
from player.ids import KeyId
from player.isobmff.events import EventMessage
from player.isobmff.sample import Protection, Scheme
from player.isobmff.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEntry:
    """One entry of `stsd`. `protection` None: its samples are clear, unless a group says otherwise.

    `scheme` None: a clear entry, whose samples no group can protect.
    """

    fourcc: str  # original format: "avc1", "mp4a", …
    protection: Protection | None
    scheme: Scheme | None = None  # from schm, also where tenc says "not protected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One `trak` with what `trex` says of its fragments."""

    id: int
    kind: str  # "video", "audio" or "other"
    timescale: int
    entries: tuple[SampleEntry, ...]
    groups: tuple[Protection | None, ...] = ()  # `seig` entries of stbl/sgpd; None: an unprotected group
    default_entry: int = 1  # sample description index, from 1
    default_duration: int = 0  # ticks
    default_size: int = 0  # bytes
    default_flags: int = 0  # of a sample


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSegment:
    """A `moov`. `init_data` holds one value per run of adjacent `pssh` boxes (EME rule P002)."""

    tracks: tuple[Track, ...]
    init_data: tuple[bytes, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)  # as in `MediaSegment`
    moov: bytes = field(default=b"", compare=False, repr=False)  # the whole box, for those who write files

    @property
    def default_kids(self) -> tuple[KeyId, ...]:
        """Distinct KIDs of all `tenc`, without the zero KID."""
        kids = [e.protection.kid for t in self.tracks for e in t.entries if e.protection is not None]
        return tuple(dict.fromkeys(kid for kid in kids if not kid.is_zero))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One `traf` with its samples. `data` is the part of the segment (start, end) that holds them."""

    track_id: int
    timescale: int
    decode_time: int  # ticks, from tfdt
    data: tuple[int, int]
    samples: Samples
    kids: tuple[KeyId, ...]  # distinct KIDs of protected samples, in order of first use
    init_data: tuple[bytes, ...] = ()  # one value per run of adjacent `pssh` boxes of the moof; on its first traf only
    traf: bytes = field(default=b"", compare=False, repr=False)  # the whole box, for those who write files

    @property
    def duration(self) -> int:
        """Ticks."""
        return sum(self.samples.durations)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSegment:
    """What a resource held. A warning is `code: box path @ offset`, perhaps with a note: read in spite of a fault."""

    fragments: tuple[Fragment, ...]
    warnings: tuple[str, ...] = ()
    events: tuple[EventMessage, ...] = ()


class BrokenSegmentError(MediaError):
    """A fault in a media segment, and what had been read before it: all or nothing a fragment, not a resource."""

    def __init__(self, fault: MediaError, delivered: MediaSegment) -> None:
        super().__init__(fault.code, fault.path, fault.offset, fault.reason, fault.source)
        self.delivered = delivered
