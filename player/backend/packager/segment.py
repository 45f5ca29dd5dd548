"""Init and media segments of the endless loop: pure functions of track, segment number, key and `pssh` boxes.

Segments are numbered from 0; number k covers groups k·n … k·n + n − 1 of the loop, n groups of 2 s each, so nothing is
kept between two calls. What rotates when, and which `pssh` goes where, is the origin's to know.
Sources: ISO/IEC 14496-12, 23001-7; rotation as Shaka Packager writes it.
"""

from __future__ import annotations

from itertools import chain

from player.backend.clip.load import ClipTrack, Group
from player.backend.packager.protect import SegmentKey, protect, protection_of
from player.isobmff import writer
from player.isobmff.sample import Protection
from player.isobmff.writer import FragmentHeader, TrackHeader

CLEAR_LEAD_ENTRY = 2  # the clear sample entry behind the protected one


def init_segment(
    track: ClipTrack, *, protection: Protection | None, pssh: tuple[bytes, ...] = (), clear_lead: bool = False
) -> bytes:
    """`ftyp` and `moov`. With `clear_lead` a clear sample entry follows the protected one, for clear segments."""
    clear = track.sample_entry
    entries = (clear,) if protection is None else (writer.protected_entry(clear, protection),)
    header = TrackHeader(
        kind=track.kind,
        timescale=track.timescale,
        entries=(*entries, clear) if clear_lead and protection is not None else entries,
        width=track.width,
        height=track.height,
    )
    return writer.init_segment(header, pssh)


def media_segment(
    track: ClipTrack,
    index: int,
    *,
    groups: int = 1,
    key: SegmentKey | None,
    in_group: bool,
    pssh: tuple[bytes, ...] = (),
    clear_lead: bool = False,
) -> bytes:
    """Segment `index` (from 0) of `groups` groups, under one key; `key` None: clear.

    `in_group`: key id and IV stand in a `seig` sample group, since those of the init segment are not the segment's own.
    `clear_lead`: the init segment has a second, clear entry, which a clear segment names.
    """
    first = index * groups
    parts = tuple(track.group(number) for number in range(first, first + groups))
    protected = None if key is None else protect(track, parts, key)
    header = FragmentHeader(
        sequence=(index + 1) % 2**32,
        decode_time=track.start(first),
        sizes=tuple(len(sample) for part in parts for sample in part.samples),
        durations=tuple(chain.from_iterable(part.durations for part in parts)),
        sync=_sync(parts) if track.kind == "video" else None,
        entry=CLEAR_LEAD_ENTRY if clear_lead and key is None else 1,
        auxiliary=None if protected is None else protected.auxiliary,
        group=protection_of(track.kind, key) if in_group and key is not None else None,
    )
    data = protected.data if protected else b"".join(chain.from_iterable(part.samples for part in parts))
    return writer.media_segment(header, data, pssh)


def _sync(parts: tuple[Group, ...]) -> tuple[int, ...]:
    """Each group starts with an IDR picture and has no other."""
    starts = [0]
    for part in parts[:-1]:
        starts.append(starts[-1] + len(part.samples))
    return tuple(starts)
