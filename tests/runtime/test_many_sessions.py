"""Any order of calls on many sessions of two pages, with the real CDMs: what a page sees never breaks the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from player.cdm.spec import CdmSpec
from player.eme.cdm import Decrypt
from player.eme.errors import EmeTypeError, InvalidStateError, QuotaExceededError
from player.eme.events import KeyStatusesChanged, Message
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.errors import EmeError
from player.ids import CLEARKEY, HIERARCHY, KeyId
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.page import Page
from player.runtime.virtual_loop import VirtualLoop
from player.wire import clearkey, keyids, release
from player.wire.hierarchy import Policy
from player.wire.strict import b64url_encode
from tests.cdm.client import EPOCH_MS, ROOT, key, kid, leaf_box, license_, root_box, sample

ORIGIN: Final = "https://a.example"
SPEC = CdmSpec(features=("embedded_keys", "persistent_usage_record"))
CONFIGURATION = {
    "session_types": [str(kind) for kind in SessionType],
    "persistent_state": "required",
    "video_capabilities": [{"content_type": 'video/mp4; codecs="avc1.42C00C"'}],
}
SECRETS = [
    form for number in (1, 2, 3, ROOT) for form in (key(number).reveal(), b64url_encode(key(number).reveal()).encode())
]

TURNS: Final = 200  # of the loop, enough for all that a rule has begun

S = KeyStatus
MAY_BECOME: Final[dict[KeyStatus, set[KeyStatus]]] = {
    S.STATUS_PENDING: set(KeyStatus),
    S.USABLE: {S.EXPIRED, S.RELEASED, S.OUTPUT_RESTRICTED, S.OUTPUT_DOWNSCALED, S.INTERNAL_ERROR},
    S.EXPIRED: {S.USABLE, S.RELEASED, S.INTERNAL_ERROR},
    S.USABLE_IN_FUTURE: {S.USABLE, S.EXPIRED, S.RELEASED, S.INTERNAL_ERROR},
    S.RELEASED: {S.USABLE, S.EXPIRED, S.INTERNAL_ERROR},  # by another license, for a session that is not stored
    S.OUTPUT_RESTRICTED: {S.USABLE, S.EXPIRED, S.RELEASED, S.OUTPUT_DOWNSCALED, S.INTERNAL_ERROR},
    S.OUTPUT_DOWNSCALED: {S.USABLE, S.EXPIRED, S.RELEASED, S.OUTPUT_RESTRICTED, S.INTERNAL_ERROR},
    S.INTERNAL_ERROR: set(),
}


@dataclass(eq=False)
class Watched:
    """A session, and what its page was told of it."""

    session: MediaKeySession
    system: str
    kind: SessionType
    page: int
    after_closed: list[KeyStatusesChanged | Message] = field(default_factory=list)
    shown: dict[KeyId, KeyStatus] = field(default_factory=dict)
    removed: bool = False

    @property
    def is_open(self) -> bool:
        return not self.session.closed.done()

    def hear(self, event: KeyStatusesChanged | Message) -> None:
        if not self.is_open:
            self.after_closed.append(event)
        parent = self.session.parent
        assert parent is None or not parent.closed.done() or not self.is_open, "a child outlives its parent"
        if isinstance(event, KeyStatusesChanged):
            now = dict(self.session.key_statuses)
            for it, status in now.items():
                before = self.shown.get(it, status)
                assert status is before or status in MAY_BECOME[before], f"{before} became {status}"
                assert status is S.RELEASED or before is not S.RELEASED or self.kind is SessionType.TEMPORARY
            self.shown = now
        else:
            assert not any(secret in event.message for secret in SECRETS), "a key left the CDM"
        assert not any(secret in repr(event).encode() for secret in SECRETS), "a key left the CDM"


class ManySessions(RuleBasedStateMachine):
    """Two pages of one origin and profile; a page that leaves is followed by another."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.faults: list[object] = []
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(context.get("exception", context)))
        self.profile = BrowsingProfile(wall_ms=lambda: EPOCH_MS)
        self.watched: list[Watched] = []
        self.saved: dict[str, tuple[str, SessionType]] = {}  # ids that must load
        self.removed: set[str] = set()
        self.gone: set[str] = set()  # ids that were acknowledged
        self.pages: list[tuple[Page, dict[str, MediaKeys]]] = []
        self.visits = 0
        for place in range(2):
            self.pages.append(self.run(self.open_page()))
            assert len(self.pages) == place + 1

    def run(self, main: Awaitable[Any]) -> Any:
        async def whole() -> Any:
            result = await main
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return result

        result = self.loop.run_until_complete(whole())
        assert self.faults == []
        return result

    def teardown(self) -> None:
        try:
            for page, _ in self.pages:
                self.run(self.leave(page))
        finally:
            self.loop.close()

    async def leave(self, page: Page) -> None:
        page.leave()

    async def open_page(self) -> tuple[Page, dict[str, MediaKeys]]:
        self.visits += 1
        page = Page(origin=ORIGIN, profile=self.profile, seed=self.visits, cdm=SPEC)
        keys = {}
        for name in (CLEARKEY, HIERARCHY):
            access = await page.request_media_key_system_access(name, [CONFIGURATION])
            keys[name] = await access.create_media_keys()
        return page, keys

    # ── what a page does ─────────────────────────────────────────────────────────────────────────────────────────────

    @rule(place=st.integers(0, 1), kind=st.sampled_from(SessionType), number=st.integers(1, 3))
    def ask(self, place: int, kind: SessionType, number: int) -> None:
        """A Clear Key session that asks for one key."""
        self.begin(place, CLEARKEY, kind, "keyids", keyids.write([kid(number)]))

    @rule(place=st.integers(0, 1), kind=st.sampled_from(SessionType), number=st.integers(1, 3))
    def get_a_key(self, place: int, kind: SessionType, number: int) -> None:
        it = self.begin(place, CLEARKEY, kind, "keyids", keyids.write([kid(number)]))
        self.update(it, clearkey.write_license([(kid(number), key(number))], kind))
        assert it.shown == {kid(number): KeyStatus.USABLE}

    @rule(
        place=st.integers(0, 1),
        persist=st.booleans(),
        life_ms=st.none() | st.integers(1, 50),
        leaves=st.integers(0, 2),
    )
    def get_a_root(self, place: int, persist: bool, life_ms: int | None, leaves: int) -> None:
        """And embedded keys that hang on it."""
        kind = SessionType.PERSISTENT_LICENSE if persist else SessionType.TEMPORARY
        it = self.begin(place, HIERARCHY, kind, "cenc", root_box())
        self.update(it, license_(root=ROOT, policy=self.policy(life_ms, persist=persist)))
        assert KeyStatus.USABLE in it.shown.values()
        for number in range(leaves):
            self.meet_embedded_keys(place, number + 1)

    @rule(place=st.integers(0, 1), number=st.integers(1, 3))
    def meet_embedded_keys(self, place: int, number: int) -> None:
        self.begin(place, HIERARCHY, SessionType.TEMPORARY, "cenc", leaf_box(number))

    def begin(self, place: int, name: str, kind: SessionType, init_data_type: str, init_data: bytes) -> Watched:
        async def main() -> Watched:
            it = self.watch(place, name, kind)
            await it.session.generate_request(init_data_type, init_data)
            return it

        begun: Watched = self.run(main())
        return begun

    def policy(self, life_ms: int | None, *, persist: bool = False) -> Policy:
        now_ms = EPOCH_MS + self.loop.now() // 1000
        return Policy(exp_ms=None if life_ms is None else now_ms + life_ms, persist=persist)

    def watch(self, place: int, name: str, kind: SessionType) -> Watched:
        """A new session. Of those that have closed the last three are kept, to hear whether they speak."""
        closed = [it for it in self.watched if not it.is_open]
        self.watched = [it for it in self.watched if it not in closed[:-3]]
        it = Watched(self.pages[place][1][name].create_session(kind), name, kind, place)
        it.session.on(KeyStatusesChanged, it.hear)
        it.session.on(Message, it.hear)
        self.watched.append(it)
        return it

    def pick(self, index: int) -> Watched:
        return self.watched[index % len(self.watched)]

    @precondition(lambda self: self.watched)
    @rule(index=st.integers(0, 20), number=st.integers(1, 3))
    def license(self, index: int, number: int) -> None:
        it = self.pick(index)
        response = clearkey.write_license([(kid(number), key(number))], it.kind)
        self.update(it, response)

    @precondition(lambda self: self.watched)
    @rule(
        index=st.integers(0, 20), number=st.integers(1, 3), life_ms=st.none() | st.integers(1, 50), root=st.booleans()
    )
    def license_of_the_hierarchy(self, index: int, number: int, life_ms: int | None, root: bool) -> None:
        numbers = [] if root else [number]
        response = license_(*numbers, root=ROOT if root else None, policy=self.policy(life_ms))
        self.update(self.pick(index), response)

    def update(self, it: Watched, response: bytes) -> None:
        async def main() -> None:
            before = tuple(it.session.key_statuses)
            try:
                await it.session.update(response)
            except EmeTypeError:
                assert tuple(it.session.key_statuses) == before, "a refused license changed something"
            except InvalidStateError:
                assert not it.is_open or not it.session.session_id
            else:
                assert it.is_open
                if it.kind is not SessionType.TEMPORARY:
                    self.saved[it.session.session_id] = it.system, it.kind

        self.run(main())

    @precondition(lambda self: self.watched)
    @rule(index=st.integers(0, 20))
    def remove(self, index: int) -> None:
        it = self.pick(index)

        async def main() -> None:
            try:
                await it.session.remove()
            except InvalidStateError:
                assert not it.is_open or not it.session.session_id
            else:
                it.removed = True
                self.removed.add(it.session.session_id)
                assert {status for _, status in it.session.key_statuses} <= {KeyStatus.RELEASED}

        self.run(main())

    @precondition(lambda self: self.watched)
    @rule(index=st.integers(0, 20))
    def acknowledge(self, index: int) -> None:
        it = self.pick(index)
        named = tuple(it.session.key_statuses.keys())

        async def main() -> None:
            try:
                await it.session.update(release.write_acknowledgement(named))
            except EmeError:
                return
            assert it.removed
            assert it.kind is not SessionType.TEMPORARY
            assert await it.session.closed is ClosedReason.RELEASE_ACKNOWLEDGED
            self.saved.pop(it.session.session_id, None)
            self.gone.add(it.session.session_id)

        self.run(main())

    @precondition(lambda self: self.watched)
    @rule(index=st.integers(0, 20))
    def close(self, index: int) -> None:
        it = self.pick(index)

        async def main() -> None:
            try:
                await it.session.close()
            except InvalidStateError:
                assert not it.session.session_id
            else:
                await it.session.closed

        self.run(main())

    @precondition(lambda self: any(it.is_open for it in self.watched))
    @rule(place=st.integers(0, 1), index=st.integers(0, 20))
    def close_and_load(self, place: int, index: int) -> None:
        found = [place for place, it in enumerate(self.watched) if it.is_open]
        self.close(found[index % len(found)])
        if self.saved:
            self.load(place, 0)

    @precondition(lambda self: self.saved or self.gone)
    @rule(place=st.integers(0, 1), index=st.integers(0, 20))
    def load(self, place: int, index: int) -> None:
        open_now = [it.session.session_id for it in self.watched if it.is_open]
        names = sorted([*self.saved, *self.gone], key=lambda it: (it in open_now, it in self.gone))
        name = names[index % len(names)]
        is_open = name in open_now

        async def main() -> None:
            it = self.watch(place, *self.saved.get(name, (CLEARKEY, SessionType.PERSISTENT_LICENSE)))
            try:
                found = await it.session.load(name)
            except QuotaExceededError:
                assert is_open, "nobody has it open"
            else:
                assert found is (name in self.saved), "a record was lost, or came back"
                assert not (found and is_open)
                it.removed = name in self.removed or it.kind is SessionType.PERSISTENT_USAGE_RECORD

        self.run(main())

    # ── what happens to it ───────────────────────────────────────────────────────────────────────────────────────────

    @rule(place=st.integers(0, 1), name=st.sampled_from([CLEARKEY, HIERARCHY]), luck=st.integers(0, 3))
    def reset(self, place: int, name: str, luck: int) -> None:
        async def main() -> None:
            if not luck:
                self.pages[place][1][name].lose(ClosedReason.HARDWARE_CONTEXT_RESET)

        self.run(main())

    @rule(place=st.integers(0, 1), luck=st.integers(0, 3))
    def visit_anew(self, place: int, luck: int) -> None:
        if luck:
            return

        async def main() -> tuple[Page, dict[str, MediaKeys]]:
            self.pages[place][0].leave()
            return await self.open_page()

        self.watched = [it for it in self.watched if it.page != place]
        self.pages[place] = self.run(main())

    @rule(place=st.integers(0, 1), name=st.sampled_from([CLEARKEY, HIERARCHY]), number=st.integers(1, 3))
    def decrypt(self, place: int, name: str, number: int) -> None:
        keys = self.pages[place][1][name]

        async def main() -> None:
            result = keys.decrypt(Decrypt(0, bytearray(16), (sample(0, number),), 0))
            own = [it for it in self.watched if it.page == place and it.session in keys._sessions.values()]
            shown = [dict(it.session.key_statuses).get(kid(number)) for it in own]
            assert (result is not None and result.clear == 1) is (KeyStatus.USABLE in shown)

        self.run(main())

    @rule(ms=st.integers(1, 60))
    def let_time_pass(self, ms: int) -> None:
        self.run(asyncio.sleep(ms / 1000))

    # ── what always holds ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def a_closed_session_says_one_word_more(self) -> None:
        for it in self.watched:
            words = [event for event in it.after_closed if isinstance(event, Message)]
            assert words == []
            assert len(it.after_closed) == (0 if it.is_open else 1)
            assert it.is_open or (it.session.key_statuses.size, it.session.expiration != it.session.expiration) == (
                0,
                True,
            )

    @invariant()
    def no_child_outlives_its_parent(self) -> None:
        for it in self.watched:
            assert it.session.parent is None or not it.session.parent.closed.done() or not it.is_open

    @invariant()
    def what_was_saved_is_stored_and_what_was_acknowledged_is_not(self) -> None:
        store = self.profile.store(ORIGIN)
        assert all(store.read(name) is not None for name in self.saved)
        assert all(store.read(name) is None for name in self.gone)

    @invariant()
    def open_sessions_have_ids_of_their_own(self) -> None:
        names = [it.session.session_id for it in self.watched if it.session.session_id and it.is_open]
        assert len(set(names)) == len(names)


@pytest.mark.rule("E018")
@pytest.mark.rule("K010")
@pytest.mark.rule("L009")
@pytest.mark.rule("EK05")
class TestManySessions(ManySessions.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
