"""A page with one media element and Clear Key, fed with the embedded clip: what the tests of the element share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import pytest

from player.backend.clip.load import load
from player.backend.packager import pssh
from player.backend.packager.protect import SegmentKey, protection_of, rotating_protection, segment_iv
from player.backend.packager.segment import init_segment, media_segment
from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.eme.attach import DEFAULT_RULES, AttachRules
from player.eme.cdm import Call, Cdm, CdmResult, Decrypt, Decrypted
from player.eme.events import Encrypted, KeyStatusesChanged, MediaFailed, WaitingForKey
from player.ids import CLEARKEY, ContentKey, KeyId
from player.isobmff.sample import Scheme
from player.runtime import page as page_module
from player.runtime.media_element import MediaElement
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.page import Page
from player.runtime.virtual_loop import run_virtual
from player.trace.event import Event
from player.wire import keyids
from player.wire.clearkey import write_license

T = TypeVar("T")

SEGMENT_S = 2
VIDEO, AUDIO = load().tracks["video-180p"], load().tracks["audio"]
CONFIGURATION = {"video_capabilities": [{"content_type": 'video/mp4; codecs="avc1.42C00C"'}]}


def kid(number: int) -> KeyId:
    return KeyId.cenc(bytes([number]) * 16)


def key(number: int, shift: int = 0) -> ContentKey:
    return ContentKey(bytes([100 + number + shift]) * 16)


def segment_key(number: int, *, scheme: Scheme = Scheme.CENC, index: int = 0, audio: bool = False) -> SegmentKey:
    return SegmentKey(scheme=scheme, kid=kid(number), key=key(number), iv=segment_iv(scheme, int(audio), index))


def box(*numbers: int) -> bytes:
    return pssh.common([kid(number) for number in numbers])


@cache
def init(
    number: int | None = 1,
    *,
    boxes: tuple[bytes, ...] = (),
    scheme: Scheme = Scheme.CENC,
    audio: bool = False,
    clear_lead: bool = False,
) -> bytes:
    """`number` None: the key ids stand in sample groups; 0: clear."""
    track = AUDIO if audio else VIDEO
    named = rotating_protection(track.kind, scheme)
    if number:
        named = protection_of(track.kind, segment_key(number, scheme=scheme, audio=audio))
    return init_segment(track, protection=None if number == 0 else named, pssh=boxes, clear_lead=clear_lead)


@cache
def media(
    index: int,
    number: int | None = 1,
    *,
    boxes: tuple[bytes, ...] = (),
    scheme: Scheme = Scheme.CENC,
    audio: bool = False,
    in_group: bool = False,
    clear_lead: bool = False,
) -> bytes:
    """Segment `index` of 2 s under a key; `number` 0: clear."""
    return media_segment(
        AUDIO if audio else VIDEO,
        index,
        key=segment_key(number, scheme=scheme, index=index, audio=audio) if number else None,
        in_group=in_group,
        pssh=boxes,
        clear_lead=clear_lead,
    )


def clip(*indexes: int, audio: bool = False) -> str:
    """SHA-256 over the clear samples of these segments."""
    track = AUDIO if audio else VIDEO
    return sha256(b"".join(sample for index in indexes for sample in track.group(index).samples)).hexdigest()


Change = Callable[[Decrypt, Decrypted], Decrypted]


@dataclass
class Layer:
    """Around every CDM of a page: it counts decryptions and may answer them otherwise."""

    change: Change = lambda _call, done: done
    asked: list[Decrypt] = field(default_factory=list)

    def around(self, inner: Cdm) -> Cdm:
        return _Layered(self, inner)


class _Layered:
    def __init__(self, layer: Layer, inner: Cdm) -> None:
        self._layer = layer
        self._inner = inner

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        done = self._inner.handle(call, now, draw)
        if not isinstance(call, Decrypt) or not isinstance(done, Decrypted):
            return done
        self._layer.asked.append(call)
        return self._layer.change(call, done)


@dataclass
class Playing:
    """A page, its keys and its element; `seen` is what a listener is told, in order."""

    page: Page
    keys: MediaKeys
    element: MediaElement
    cdm: Layer
    seen: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def follow(self, element: MediaElement) -> None:
        for kind in (Encrypted, WaitingForKey, MediaFailed):
            element.on(kind, self._note)

    def _note(self, event: Event) -> None:
        self.seen.append(event.name.removeprefix("eme:"))
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    async def session(self, *numbers: int, shift: int = 0) -> MediaKeySession:
        """A session that was asked for the first of these keys and holds them all."""
        session = self.keys.create_session()
        session.on(KeyStatusesChanged, lambda _event: self.seen.append("key-statuses"))
        await session.generate_request("keyids", keyids.write([kid(numbers[0])]))
        await self.update(session, *numbers, shift=shift)
        return session

    async def update(self, session: MediaKeySession, *numbers: int, shift: int = 0) -> None:
        await session.update(write_license([(kid(number), key(number, shift)) for number in numbers]))
        await quiet()

    async def more_keys(self) -> MediaKeys:
        return await media_keys(self.page)


async def quiet() -> None:
    """Let everything run that is under way."""
    for _ in range(60):
        await asyncio.sleep(0)


async def media_keys(page: Page, key_system: str = CLEARKEY) -> MediaKeys:
    access = await page.request_media_key_system_access(key_system, [CONFIGURATION])
    return await access.create_media_keys()


Main = Callable[[Playing], Coroutine[Any, Any, T]]


def play(
    main: Main[T],
    *,
    quirks: tuple[str, ...] = (),
    attached: bool = True,
    rules: AttachRules = DEFAULT_RULES,
    key_system: str = CLEARKEY,
) -> T:
    """Run `main` on a page whose element plays, with MediaKeys that are attached to it."""

    layer = Layer()

    async def run() -> T:
        page = Page(seed=1, cdm=CdmSpec(quirks=quirks))
        playing = Playing(page, await media_keys(page, key_system), page.media_element(rules=rules), layer)
        playing.follow(playing.element)
        if attached:
            await playing.element.set_media_keys(playing.keys)
        playing.element.play()
        return await main(playing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "make", lambda *spec: layer.around(make(*spec)))
        return run_virtual(run())
