"""Whatever a page does with a media element: samples in order, one event a stall, nothing played without its key."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.eme.element import HAVE_FUTURE_DATA
from player.eme.events import WaitingForKey
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
