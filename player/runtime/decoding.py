"""What a media element holds of one content: tracks, position, and the samples that its keys make clear.

Time is moved by hand. Whether playback waits for a key is `eme.element`'s; who holds the keys, the element's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from player.eme import element as flags
from player.eme.blocks import attempt
from player.eme.cdm import Decrypt, Decrypted
from player.eme.element import HAVE_NOTHING, Element
from player.eme.element_quirks import EARLY_US, ElementQuirks, WaitingForKeyEvent
from player.eme.events import MediaFailed, WaitingForKey
from player.ids import KeyId
from player.isobmff.model import Fragment, InitSegment
from player.isobmff.sample import Sample
from player.stream import buffer
from player.stream.buffer import Pending, TrackBuffer
from player.trace.event import Event

Tracks = tuple[TrackBuffer[None], ...]
Deliver = Callable[[int, bytearray, Sequence[Sample]], None]


class Keys(Protocol):
    """MediaKeys, as far as decoding needs them."""

    def decrypt(self, call: Decrypt) -> Decrypted | None: ...


class Decoding:
    """One content of one element. `deliver` takes the clear samples of a track, `tell` an event."""

    __slots__ = (
        "_begin_us",
        "_deliver",
        "_keys",
        "_kids",
        "_quirks",
        "_stale",
        "_tell",
        "_tracks",
        "element",
        "error",
        "position_us",
    )

    def __init__(
        self,
        *,
        quirks: ElementQuirks,
        keys: Callable[[], Keys | None],
        deliver: Deliver,
        tell: Callable[[Event], None],
    ) -> None:
        self._quirks = quirks
        self._keys = keys
        self._deliver = deliver
        self._tell = tell
        self._tracks: dict[tuple[int, int], TrackBuffer[None]] = {}  # by source and track id
        self._kids: tuple[KeyId, ...] | None = None  # default key ids of the init segments; None: there was none
        self._begin_us: int | None = None  # where decoding began: the first media, or the last seek
        self._stale: WaitingForKey | None = None  # an event that comes too late
        self.element = Element(ready_state=HAVE_NOTHING)
        self.error: MediaFailed | None = None
        self.position_us = 0

    # ── what comes in ────────────────────────────────────────────────────────────────────────────────────────────────

    def describe(self, source: int, init: InitSegment) -> None:
        """An init segment: from now on there is metadata, and playback goes no further than its tracks do."""
        self._kids = (*(self._kids or ()), *init.default_kids)
        for track in init.tracks:
            if track.kind != "other":
                self._track(source, track.id)
        self._show()

    def push(self, source: int, fragment: Fragment, data: bytearray, init: InitSegment) -> None:
        """To the end of the track's queue (EME 7.5.3). The first media of all is where the element starts."""
        start_us = fragment.decode_time * 1_000_000 // fragment.timescale
        end_us = start_us + fragment.duration * 1_000_000 // fragment.timescale
        track = self._track(source, fragment.track_id)
        if self._begin_us is None:
            self._move(start_us)
        track.ended = False
        track.push(Pending(fragment, data, start_us, 0, init), end_us)

    def arrived(self) -> None:
        """Blocks have come: they are tried at once, unless decryption is blocked; what is clear needs no key."""
        self._attempt(ask=flags.may_decrypt(self.element))
        self._show()

    def end_of_stream(self) -> None:
        for track in self._tracks.values():
            track.ended = True
        self._show()

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ended(self) -> bool:
        tracks = self._all()
        return bool(tracks) and all(track.finished for track in tracks) and self.position_us >= buffer.end(tracks)

    def advance(self, to_us: int) -> None:
        while self.position_us < to_us and self.error is None:
            edge = self._edge()
            if edge > self.position_us:
                self._look_ahead(edge, to_us)
                self.position_us = min(edge, to_us)
            elif self.ended or not self._pass_edge():
                break
        self._show()

    def seek(self, to_us: int) -> None:
        """Any change of position but normal playback empties the queues and clears both flags (EME 7)."""
        self._move(to_us)
        self.drop()
        flags.moved(self.element)
        self._stale = None
        self._show()

    def drop(self) -> None:
        """Empty the queues."""
        for track in self._tracks.values():
            track.drop_unready()

    def _move(self, to_us: int) -> None:
        self.position_us = self._begin_us = to_us
        for track in self._tracks.values():
            track.ready_us = to_us

    def attempt_to_resume(self) -> None:
        """EME 7.5.6: only where playback waits for a key."""
        if flags.is_waiting(self.element) and self.error is None:
            self._attempt(ask=True)
            self._resume_if_possible()

    def _pass_edge(self) -> bool:
        """Playback has reached the head of a queue: tried once more, and if nothing comes of it, it stands."""
        flags.tries_again(self.element)
        self._attempt(ask=True)
        if self._resume_if_possible():
            return True
        if self.error is None and self._is_blocked():
            self._wait()
        return False

    def _resume_if_possible(self) -> bool:
        if self.error is not None or self._edge() <= self.position_us:
            return False
        if flags.is_waiting(self.element):
            flags.resumes(self.element)
            if self._stale is not None:
                self._tell(self._stale)
                self._stale = None
        self._show()
        return True

    def _look_ahead(self, edge: int, to_us: int) -> None:
        """Some decoders tell of a missing key while there is a lead."""
        if self._quirks.waiting_for_key is not WaitingForKeyEvent.EARLY or to_us < edge - EARLY_US:
            return
        flags.tries_again(self.element)
        self._attempt(ask=True)
        if self._is_blocked() and self._edge() == edge:
            self._wait()

    # ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _attempt(self, *, ask: bool) -> None:
        """Attempt to Decrypt, track by track. Not `ask`: only what is not protected."""
        keys = self._keys()
        if self.error is not None or self._needs_keys_first(keys):
            return
        for track in self._all():
            if self._lacks_encryption_info(track, keys):
                self._fail(track.number, "its init segment tells of no protection")
                return
            decrypt = None if keys is None or not ask else keys.decrypt
            stop = attempt(track.number, partial(_queue, track), decrypt, partial(self._release, track))
            if stop is not None and stop.error:
                self._fail(track.number, stop.error)
                return
            if stop is not None:
                flags.stops(self.element)

    def _needs_keys_first(self, keys: Keys | None) -> bool:
        """EME 7.5.1 lets a player want MediaKeys before it decodes anything of protected content."""
        if not self._quirks.needs_keys_before_clear or keys is not None or not self._is_protected():
            return False
        flags.stops(self.element)
        return True

    def _lacks_encryption_info(self, track: TrackBuffer[None], keys: Keys | None) -> bool:
        """Some decoders that have keys fail on media whose init segment tells of no protection."""
        if not self._quirks.needs_encryption_info or keys is None or not track.pending:
            return False
        init = track.pending[0].init
        return init is not None and not any(entry.protection for it in init.tracks for entry in it.entries)

    def _is_protected(self) -> bool:
        return bool(self._kids) or any(p.fragment.kids for track in self._all() for p in track.pending)

    def _release(self, track: TrackBuffer[None], count: int) -> None:
        head = track.pending[0]
        self._deliver(track.number, head.buffer, head.fragment.samples[head.start : head.start + count])
        track.clear(count)

    def _is_blocked(self) -> bool:
        """It is a key that is missing, not data."""
        heads = [track for track in self._standing() if track.pending]
        return bool(heads) and not flags.may_decrypt(self.element)

    def _standing(self) -> list[TrackBuffer[None]]:
        """The tracks that hold playback back: those that end first."""
        edge = self._edge()
        return [track for track in self._all() if not track.finished and track.ready_us <= edge]

    def _wait(self) -> None:
        """Wait for Key, and the ways of devices to tell of it."""
        track = next(track for track in self._standing() if track.pending)
        kid = track.pending[0].kid() or next(iter(track.pending[0].fragment.kids or self._kids or ()), None)
        if self._quirks.error_instead_of_waiting:
            self._fail(track.number, f"key {kid} is missing")
            return
        waiting = flags.waits(self.element, kid, current_frame=self._has_current_frame())
        if waiting is not None and self._quirks.waiting_for_key is WaitingForKeyEvent.STALE:
            self._stale = waiting
        elif waiting is not None and self._quirks.waiting_for_key is not WaitingForKeyEvent.MISSING:
            self._tell(waiting)

    def _fail(self, track: int, reason: str) -> None:
        self.error = MediaFailed(track=track, reason=reason)
        self._tell(self.error)

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        ahead = self._edge() > self.position_us
        flags.shows(
            self.element,
            metadata=self._kids is not None,
            ahead=ahead,
            current_frame=ahead or self._has_current_frame(),
        )

    def _has_current_frame(self) -> bool:
        return self._begin_us is not None and self._edge() > self._begin_us

    def _edge(self) -> int:
        tracks = self._all()
        return buffer.edge(tracks) if tracks else self.position_us

    def _track(self, source: int, track_id: int) -> TrackBuffer[None]:
        place = (source, track_id)
        if place not in self._tracks:
            self._tracks[place] = TrackBuffer(len(self._tracks), self.position_us)
        return self._tracks[place]

    def _all(self) -> Tracks:
        return tuple(self._tracks.values())


def _queue(track: TrackBuffer[None]) -> Sequence[Pending]:
    return track.pending
