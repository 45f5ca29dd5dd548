"""Whatever a page does with a media element: samples in order, one event a stall, nothing played without its key."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.eme.element import HAVE_FUTURE_DATA
from player.eme.element_quirks import ELEMENT_QUIRKS
from player.eme.events import WaitingForKey
from player.errors import EmeError
from player.runtime.media_key_session import MediaKeySession
from tests.runtime.playing import SEGMENT_S, VIDEO, Playing, init, media, play, quiet

ALL = (1, 2, 3)
SAMPLES = len(VIDEO.group(0).samples)  # every group has as many
STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 3)),  # a segment under this key; 0: a clear one
    st.tuples(st.just("license"), st.sampled_from(ALL)),
    st.tuples(st.just("close"), st.sampled_from(ALL)),
    st.tuples(st.just("advance"), st.integers(1, 5)),
    st.tuples(st.just("seek"), st.just(0)),
)


class Watched:
    """An element beside what it must have done."""

    def __init__(self, p: Playing) -> None:
        self.p = p
        self.sessions: dict[int, list[MediaKeySession]] = {number: [] for number in ALL}
        self.appended = 0
        self.queued: list[tuple[int, int]] = []  # (segment, key) that have not come out, since the last seek
        self.out: list[int] = []
        self.told = 0
        self.waiting = False

    async def step(self, what: str, number: int) -> None:
        before = self.p.element.current_time
        match what:
            case "append":
                self._append(number)
            case "license":
                self.sessions[number].append(await self.p.session(number))
            case "close":
                for session in self.sessions[number]:
                    await session.close()
                self.sessions[number].clear()
            case "advance":
                self.p.element.advance(before + number)
            case _:
                self.p.element.seek(self.appended * SEGMENT_S)
                self.queued.clear()
                self.waiting = False
        await quiet()
        self._check_samples()
        self._check_events(what)

    def _append(self, number: int) -> None:
        self.p.element.append_media(media(self.appended, number, in_group=number > 1, clear_lead=True))
        self.queued.append((self.appended, number))
        self.appended += 1

    def _check_samples(self) -> None:
        decoded = self.p.element.decoded
        count = decoded[0].samples // SAMPLES if decoded else 0
        while len(self.out) < count:
            self.out.append(self.queued.pop(0)[0])
        clear = b"".join(sample for index in self.out for sample in VIDEO.group(index).samples)
        assert not decoded or decoded[0].sha256 == sha256(clear).hexdigest()

    def _check_events(self, what: str) -> None:
        fresh, self.told = len(self.p.of(WaitingForKey)) - self.told, len(self.p.of(WaitingForKey))
        if fresh:
            assert (fresh, what, self.waiting) == (1, "advance", False)
            assert not self.sessions[self.queued[0][1]]
        self.waiting = (self.waiting or bool(fresh)) and self.p.element.ready_state < HAVE_FUTURE_DATA


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=25))
@pytest.mark.rule("R004")
@pytest.mark.rule("R009")
@pytest.mark.rule("O010")
def test_samples_come_in_order_and_each_stall_is_told_once(steps: list[tuple[str, int]]) -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(1, clear_lead=True))
        watched = Watched(p)
        for what, number in steps:
            await watched.step(what, number)
        for number in ALL:
            await watched.step("license", number)
        await watched.step("advance", 99)
        assert watched.queued == []  # with every key, everything plays
        assert p.element.current_time == watched.appended * SEGMENT_S

    play(main)


WAYS = st.lists(st.sampled_from(sorted(ELEMENT_QUIRKS - {"set_media_keys_hangs"})), max_size=3, unique=True)
ACTS = st.one_of(
    st.tuples(st.sampled_from(["video", "audio"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["license", "close"]), st.sampled_from(ALL)),
    st.tuples(st.just("advance"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["seek", "remove", "load", "keys", "end"]), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(WAYS, st.lists(ACTS, max_size=25))
@pytest.mark.rule("O011")
def test_no_device_breaks_or_turns_time_back_whatever_is_done_with_its_element(
    quirks: list[str], acts: list[tuple[str, int]]
) -> None:
    async def main(p: Playing) -> None:
        broken: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: broken.append(context))
        sessions: dict[int, list[MediaKeySession]] = {number: [] for number in ALL}
        for what, number in [("load", 0), *acts]:
            before = p.element.current_time
            with suppress(EmeError):  # after an error of the element nothing can be appended
                await _act(p, sessions, what, number)
            await quiet()
            assert what in ("load", "video", "audio", "seek", "advance") or p.element.current_time == before
            assert p.element.current_time >= before or what == "load"
            assert p.element.error is None or "error_instead_of_waitingforkey" in quirks
        assert broken == []

    play(main, quirks=tuple(quirks))


async def _act(p: Playing, sessions: dict[int, list[MediaKeySession]], what: str, number: int) -> None:
    element = p.element
    match what:
        case "video" | "audio":
            index = len(p.events) + round(element.current_time)
            audio = what == "audio"
            segment = media(index, number, audio=audio, in_group=number > 1, clear_lead=True)
            element.append_media(segment, source=int(audio))
        case "license":
            sessions[number].append(await p.session(number))
        case "close":
            for session in sessions[number]:
                await session.close()
            sessions[number].clear()
        case "advance":
            element.advance(element.current_time + number)
        case "seek":
            element.seek(element.current_time + 3)
        case "remove":
            element.remove_undecoded()
        case "keys":
            await element.set_media_keys(None if element.media_keys else p.keys)
        case "end":
            element.end_of_stream()
        case _:
            element.load()
            element.append_init(init(1, clear_lead=True))
            element.append_init(init(1, audio=True, clear_lead=True), source=1)
            element.play()
