"""What a caller sees of embedded keys, line by line: golden traces on the awaitable surface."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from player.cdm.spec import CdmSpec
from player.eme.access import Configuration
from player.eme.capabilities import Capability
from player.eme.errors import EmeTypeError
from player.eme.events import KeyStatusesChanged, Message
from player.ids import HIERARCHY
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.page import Page
from player.runtime.virtual_loop import VirtualLoop
from tests.cdm.client import EMBEDDED, ROOT, key, kid, leaf_box, license_, root_box

CONFIGURATION = Configuration(video_capabilities=(Capability(content_type='video/mp4; codecs="avc1.42C00C"'),))
LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(VirtualLoop, id="virtual")]
loops = pytest.mark.parametrize("factory", LOOPS)


class Caller:
    """A page with a pen: each line is what it sees, in the order in which it sees it."""

    def __init__(self, keys: MediaKeys) -> None:
        self.keys = keys
        self.seen: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def session(self, name: str) -> MediaKeySession:
        session = self.keys.create_session()
        session.on(Message, lambda event: self.seen.append(f"{name} message {event.message_type}"))
        session.on(KeyStatusesChanged, lambda _: self.seen.append(f"{name} statuses {session.key_statuses.size}"))
        self._tasks.append(asyncio.ensure_future(self._closed(session, name)))
        return session

    async def _closed(self, session: MediaKeySession, name: str) -> None:
        reason = await asyncio.shield(session.closed)
        self.seen.append(f"{name} closed {reason} size {session.key_statuses.size}")

    async def meets(self, name: str, init_data: bytes) -> MediaKeySession:
        session = self.session(name)
        await session.generate_request("cenc", init_data)
        parent = "" if session.parent is None else " with a parent"
        self.seen.append(f"{name} requested size {session.key_statuses.size}{parent}")
        await self.quiet()
        return session

    async def licensed(self, session: MediaKeySession, name: str, response: bytes) -> None:
        await session.update(response)
        self.seen.append(f"{name} updated size {session.key_statuses.size}")
        await self.quiet()

    async def root(self) -> MediaKeySession:
        root = await self.meets("root", root_box())
        await self.licensed(root, "root", license_(root=ROOT))
        self.seen.clear()
        return root

    async def quiet(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    async def end(self) -> list[str]:
        await self.quiet()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self.seen


Script = Callable[[Caller], Coroutine[Any, Any, None]]


def seen(
    script: Script, factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop, spec: CdmSpec = EMBEDDED
) -> list[str]:
    async def run() -> list[str]:
        access = await Page(seed=1, cdm=spec).request_media_key_system_access(HIERARCHY, [CONFIGURATION])
        caller = Caller(await access.create_media_keys())
        await script(caller)
        return await caller.end()

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(run())


@loops
@pytest.mark.rule("GO12")
@pytest.mark.rule("EK01")
@pytest.mark.rule("EQ02")
def test_embedded_keys_under_a_known_root(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def script(caller: Caller) -> None:
        root = await caller.root()
        child = await caller.meets("child", leaf_box(1, 2))
        assert child.parent is root
        assert root.parent is None

    assert seen(script, factory) == ["child requested size 2 with a parent", "child statuses 2"]


@loops
@pytest.mark.rule("GO13")
@pytest.mark.rule("EQ13")
@pytest.mark.rule("EK07")
def test_embedded_keys_that_are_merged_into_the_root(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    ids = []

    async def script(caller: Caller) -> None:
        await caller.root()
        ids.append((await caller.meets("child", leaf_box(1))).session_id)

    spec = CdmSpec(features=("embedded_keys",), single_session=True)
    assert seen(script, factory, spec) == [
        "child requested size 0",
        "child closed parent-merged size 0",
        "child statuses 0",
        "root statuses 2",
    ]
    assert ids[0]


@loops
@pytest.mark.rule("GO14")
@pytest.mark.rule("EK04")
@pytest.mark.rule("EQ03")
def test_a_parent_that_closes(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def script(caller: Caller) -> None:
        root = await caller.root()
        children = [await caller.meets(f"child {number}", leaf_box(number)) for number in (1, 2)]
        caller.seen.clear()
        await root.close()
        caller.seen.append("close resolved")
        await caller.quiet()
        assert [child.parent for child in children] == [root, root]
        assert all(math.isnan(child.expiration) for child in children)

    assert seen(script, factory) == [
        "close resolved",
        "root closed closed-by-application size 0",
        "child 1 closed parent-closed size 0",
        "child 2 closed parent-closed size 0",
        "root statuses 0",
        "child 1 statuses 0",
        "child 2 statuses 0",
    ]


@loops
@pytest.mark.rule("GO15")
@pytest.mark.rule("EQ01")
def test_embedded_keys_before_their_root(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def script(caller: Caller) -> None:
        session = await caller.meets("session", leaf_box(1))
        await caller.licensed(session, "session", license_(root=ROOT))
        assert session.parent is None

    assert seen(script, factory) == [
        "session requested size 0",
        "session message license-request",
        "session updated size 2",
        "session statuses 2",
    ]


@pytest.mark.rule("EQ12")
@pytest.mark.rule("EQ06")
def test_a_damaged_blob_spends_its_session_and_a_child_takes_no_license() -> None:
    async def script(caller: Caller) -> None:
        await caller.root()
        broken = caller.session("broken")
        with pytest.raises(EmeTypeError):
            await broken.generate_request("cenc", leaf_box(1)[:-1] + b"\0")
        child = await caller.meets("child", leaf_box(1))
        with pytest.raises(EmeTypeError):
            await child.update(license_(1))
        await child.remove()
        caller.seen.append(f"child removed {[str(status) for _, status in child.key_statuses]}")

    assert seen(script) == [
        "child requested size 1 with a parent",
        "child statuses 1",
        "child removed ['released']",
        "child statuses 1",
    ]


@pytest.mark.rule("EK08")
@pytest.mark.rule("EQ01")
def test_a_root_by_a_side_channel_ends_the_wait_of_embedded_keys() -> None:
    async def script(caller: Caller) -> None:
        waiting = await caller.meets("waiting", leaf_box(1))
        caller.seen += [str(status) for _, status in waiting.key_statuses]
        caller.keys.provision(kid(ROOT), key(ROOT))
        await caller.quiet()
        caller.seen += [str(status) for _, status in waiting.key_statuses]
        assert waiting.parent is None

    spec = CdmSpec(features=("embedded_keys",), on_missing_root="pending")
    assert seen(script, spec=spec) == [
        "waiting requested size 1",
        "waiting statuses 1",
        "status-pending",
        "waiting statuses 1",
        "usable",
    ]


@pytest.mark.rule("EK05")
@pytest.mark.rule("EQ21")
def test_a_child_keeps_a_root_alive_that_nobody_else_holds() -> None:
    async def script(caller: Caller) -> None:
        root = weakref.ref(await caller.root())
        child = await caller.meets("child", leaf_box(1))
        gc.collect()
        assert child.parent is root() is not None
        await caller.meets("next", leaf_box(2))

    assert seen(script)[-1] == "next statuses 1"
