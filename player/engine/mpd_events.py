"""Events beside the media: EventStreams of the MPD and `emsg` boxes of segments (ISO/IEC 23009-1, 5.10).

Each is told once, when it is first met. Those of DASH itself say that the MPD has expired: then a newer one is fetched
(5.10.4). The other schemes are the listener's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from player.clock import SECOND
from player.engine import presentation
from player.engine.events import MpdEventMet
from player.engine.manifest import VALIDITY_SCHEME
from player.engine.track import Track
from player.engine.upkeep import EventKey, upkeep
from player.isobmff.events import EventMessage
from player.mpd.model import Descriptor, Segment
from player.mpd.values import instant

if TYPE_CHECKING:
    from player.engine.machine import Machine

MAX_INBAND: Final = 256  # event boxes are repeated in segment after segment; of these the latest are known again
_VALIDITY_VALUES: Final = frozenset({"1", "2", "3"})  # expired; with a patch; with the next MPD


def in_mpd(m: Machine, now: int) -> None:
    """A version of the MPD has come into force."""
    if not (m.hears(MpdEventMet) or m.manifest.tells_validity):
        return
    found = {
        (stream.scheme, stream.value, event.id, event.start_us): event
        for period in m.manifest.presentation.periods
        for stream in period.event_streams
        for event in stream.events
    }
    if not found and m.upkeep is None:
        return
    u = upkeep(m)
    for key, event in found.items():
        if key not in u.told:
            _meet(m, key, event.duration_us, event.text.encode(), now, inband=False)
    u.told = m.pool.intern(frozenset(found))


def in_segment(m: Machine, track: Track, segment: Segment, messages: Iterable[EventMessage], now: int) -> None:
    """Event boxes of a segment; those that the MPD does not speak of are to be ignored (5.10.3.3)."""
    for message in messages:
        if message.timescale and _is_announced(track.representation.inband_events, message):
            lasts_us = None if message.duration is None else message.duration * SECOND // message.timescale
            start_us = _start_us(track, segment, message)
            key = (message.scheme_id_uri, message.value, str(message.id), start_us)
            u = upkeep(m)
            if key not in u.inband:
                u.inband = (*u.inband, key)[-MAX_INBAND:]
                _meet(m, key, lasts_us, message.message_data, now, inband=True)


def _is_announced(streams: tuple[Descriptor, ...], message: EventMessage) -> bool:
    return any(stream.scheme == message.scheme_id_uri and stream.value in ("", message.value) for stream in streams)


def _start_us(track: Track, segment: Segment, message: EventMessage) -> int:
    """Version 0 counts from the start of the segment, version 1 on the media timeline (5.10.3.3.4)."""
    ticks_us = message.time * SECOND // message.timescale
    if message.is_delta:
        return segment.start_us + ticks_us
    source = track.representation.source
    return track.period.start_us + ticks_us - source.presentation_time_offset * SECOND // source.timescale


def _meet(m: Machine, key: EventKey, lasts_us: int | None, message: bytes, now: int, *, inband: bool) -> None:
    scheme, value, number, start_us = key
    if m.hears(MpdEventMet):
        m.tell(
            MpdEventMet(
                scheme=scheme,
                value=value,
                id=number,
                start_us=start_us,
                duration_us=lasts_us,
                inband=inband,
                message_bytes=len(message),
            )
        )
    if scheme == VALIDITY_SCHEME and value in _VALIDITY_VALUES:
        presentation.expire(m, _published(message), now)


def _published(message: bytes) -> int | None:
    """@publishTime of the MPD that expires; what may follow it is a patch or the next MPD, which is fetched anyway."""
    try:
        return instant(message.partition(b"\0")[0][:64].decode("ascii", "replace"))
    except ValueError:
        return None
