"""A media element without pictures: content is appended and time is moved by hand, keys decide how far it plays.

For those who try EME logic step by step: encrypted, generateRequest, update, and it plays. What it decodes goes to a
sink as clear samples. The rules are `eme.element`, `eme.blocks` and `eme.attach`; the CDM is that of its MediaKeys.
It knows no network, no manifest, and fetches nothing by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar, overload

from player.clock import SECOND, us
from player.eme.attach import DEFAULT_RULES, Attachment, AttachRules, begin, finish
from player.eme.buffer_source import copied
from player.eme.element_quirks import NO_QUIRKS, ElementQuirks
from player.eme.errors import EmeTypeError, InvalidStateError
from player.eme.events import Encrypted, MediaFailed
from player.errors import EmeError
from player.isobmff.init import parse_init
from player.isobmff.model import InitSegment
from player.isobmff.segment import parse_media
from player.runtime.decoding import Decoding
from player.runtime.listeners import EventStream, Listeners
from player.runtime.media_key_session import failed
from player.runtime.media_keys import MediaKeys
from player.runtime.sinks import Delivered, HashSink, Sink
from player.runtime.task_queue import TaskQueue
from player.trace.event import Event

E = TypeVar("E", bound=Event)


class MediaElement:
    """Made by `Page.media_element`. Media time is in seconds; sources number what comes from separate files.

    It starts at the earliest media that it is given, and plays over gaps. After a seek the page appends again.
    """

    def __init__(
        self,
        queue: TaskQueue,
        *,
        rules: AttachRules = DEFAULT_RULES,
        quirks: ElementQuirks = NO_QUIRKS,
        sink: Sink | None = None,
    ) -> None:
        self._queue = queue
        self._rules = rules
        self._quirks = quirks
        self._sink = HashSink() if sink is None else sink
        self._listeners = Listeners()
        self._attachment: Attachment[MediaKeys] = Attachment()
        self._spent: MediaKeys | None = None  # keys that served an earlier content, where they serve one only
        self._told_encrypted = False
        self._content = 0  # counts the loads
        self._sources: dict[int, _Source] = {}
        self._decoding = self._empty()
        self.paused = True

    # ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def media_keys(self) -> MediaKeys | None:
        return self._attachment.keys

    @property
    def ready_state(self) -> int:
        """HTML's: 0 nothing, 1 metadata, 2 current data, 3 future data."""
        return self._decoding.element.ready_state

    @property
    def current_time(self) -> float:
        """Seconds of media time; it stands while a key is waited for."""
        return self._decoding.position_us / SECOND

    @property
    def ended(self) -> bool:
        return self._decoding.ended

    @property
    def error(self) -> MediaFailed | None:
        """MEDIA_ERR_DECODE with its reason; nothing is decoded after it."""
        return self._decoding.error

    @property
    def decoded(self) -> Mapping[int, Delivered]:
        """The clear samples of this content by track, numbered as they came: how many, and their digest."""
        parts = self._sink.parts()
        return {track: delivered for (content, track), delivered in parts.items() if content == self._content}

    # ── setMediaKeys ─────────────────────────────────────────────────────────────────────────────────────────────────

    def set_media_keys(self, keys: object) -> asyncio.Future[None]:
        """EME 7.2. Fails with EmeTypeError, InvalidStateError, QuotaExceededError or NotSupportedError."""
        if keys is not None and not isinstance(keys, MediaKeys):
            return failed(EmeTypeError("MediaKeys or None"))
        begun = begin(self._attachment, keys)
        if isinstance(begun, EmeError):
            return failed(begun)
        promise: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not begun:
            promise.set_result(None)
        elif not self._quirks.set_media_keys_hangs:
            self._queue.put(lambda: self._attach(keys, promise))
        return promise

    def _attach(self, keys: MediaKeys | None, promise: asyncio.Future[None]) -> None:
        """The task: association, attribute, promise, and what was blocked is tried again."""
        before = self._attachment.keys
        error = finish(
            self._attachment,
            keys,
            self._rules,
            in_use=keys is not None and any(element is not self for element in keys.elements),
            has_source=bool(self._sources),
            failure=InvalidStateError("disposed of") if keys is not None and keys.is_disposed else None,
            shareable=keys is None or keys.is_shareable,
        )
        self._associate(before, self._attachment.keys)
        if not promise.done():
            promise.set_result(None) if error is None else promise.set_exception(error)
        if error is None and keys is not None:
            self._queue.put(self.attempt_to_resume)

    def _associate(self, before: MediaKeys | None, after: MediaKeys | None) -> None:
        if before is not None and before is not after:
            before.elements = tuple(element for element in before.elements if element is not self)
        if after is not None and after is not before:
            after.elements = (*after.elements, self)

    @property
    def told_encrypted(self) -> bool:
        """Whether this content has told of init data."""
        return self._told_encrypted

    def attempt_to_resume(self) -> None:
        """A task of the page, after a change of key statuses or of the keys themselves."""
        self._decoding.attempt_to_resume()

    # ── content ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def append_init(self, data: object, *, source: int = 0, cors_same_origin: bool = True) -> None:
        """An init segment: it tells its init data, and explains the media of this source that follows.

        Raises: MediaError, InvalidStateError after an error of the element, EmeTypeError for what is no bytes.
        """
        self._check()
        init = parse_init(copied(data))
        number = self._sources[source].number if source in self._sources else len(self._sources)
        self._sources[source] = _Source(number, init, cors_same_origin)
        self._decoding.describe(source, init)
        for boxes in init.init_data:
            self._encrypted(source, "cenc", boxes)

    def append_media(self, data: object, *, source: int = 0) -> None:
        """Media segments, whole moofs each. Raises as `append_init`; of what cannot be read nothing is taken."""
        self._check()
        body, init = copied(data), self._source(source).init
        fragments = [fragment for fragment in parse_media(body, init).fragments if fragment.samples]
        for fragment in fragments:
            for boxes in fragment.init_data:
                self._encrypted(source, "cenc", boxes)
        for fragment in fragments:
            self._decoding.push(source, fragment, bytearray(body[slice(*fragment.data)]), init)
        self._decoding.arrived()

    def append_webm_key_id(self, key_id: object, *, source: int = 0) -> None:
        """Tell a ContentEncKeyID as a webm parser would that meets it in a track; there is no such parser here."""
        self._encrypted(source, "webm", copied(key_id))

    def end_of_stream(self) -> None:
        """No more media comes: what is decoded is the end."""
        self._decoding.end_of_stream()

    def remove_undecoded(self) -> None:
        """Take out what is not decoded yet, to append something else in its place: a fall back to another key."""
        if not self._quirks.buffered_data_sticks:
            self._decoding.drop()

    def load(self) -> None:
        """Another content, or the same again: nothing is left but the MediaKeys."""
        if self._quirks.media_keys_single_use:
            self._spent = self._attachment.keys
        self._content += 1
        self._told_encrypted = False
        self._sources.clear()
        self._decoding = self._empty()
        self.paused = True

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def advance(self, to_s: float) -> float:
        """Let time pass until the position is `to_s`, or stands for want of a key or of data. Gives the position."""
        if not self.paused and self.error is None:
            self._decoding.advance(us(to_s))
        return self.current_time

    def seek(self, to_s: float) -> None:
        """The position moves and the queues are emptied: append what lies there."""
        self._decoding.seek(us(to_s))

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @overload
    def events(self) -> EventStream[Event]: ...

    @overload
    def events(self, *kinds: type[E]) -> EventStream[E]: ...

    def events(self, *kinds: type[Event]) -> EventStream[Any]:
        """Encrypted, WaitingForKey and MediaFailed, in the page's order; all, if no kind is given."""
        return self._listeners.events(*kinds)

    def on(self, kind: type[E], callback: Callable[[E], object]) -> None:
        self._listeners.on(kind, callback)

    def _tell(self, event: Event) -> None:
        self._queue.put(partial(self._listeners.tell, event))

    def _encrypted(self, source: int, init_data_type: str, init_data: bytes) -> None:
        """Initialization Data Encountered (EME 7.4): each time, and without content where the page may not look in."""
        it = self._source(source)
        self._told_encrypted = True
        init_data += init_data if self._quirks.duplicated_pssh else b""
        kind, data = (init_data_type, init_data) if it.cors_same_origin else ("", None)
        self._tell(Encrypted(track=it.number, init_data_type=kind, init_data=data))

    # ── what it is made of ───────────────────────────────────────────────────────────────────────────────────────────

    def _empty(self) -> Decoding:
        return Decoding(
            quirks=self._quirks,
            keys=lambda: None if self._attachment.keys is self._spent else self._attachment.keys,
            deliver=partial(self._sink.write, self._content),
            tell=self._tell,
        )

    def _source(self, source: int) -> _Source:
        if source not in self._sources:
            raise InvalidStateError(f"source {source} has no init segment")
        return self._sources[source]

    def _check(self) -> None:
        if self.error is not None:
            raise InvalidStateError("the element has failed: load again")


class _Source(NamedTuple):
    """Where media comes from. `number`: of its events."""

    number: int
    init: InitSegment
    cors_same_origin: bool
