"""EME by hand: a page without a player, with a Clear Key license of our own making."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from player.cdm.spec import CdmSpec
from player.eme.access import Configuration
from player.eme.capabilities import Capability
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError
from player.eme.events import KeyStatusesChanged, Message
from player.eme.status import ClosedReason, KeyStatus
from player.ids import CLEARKEY, HIERARCHY, ContentKey, KeyId
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.page import MediaKeySystemAccess, Page
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from player.trace.event import Event
from player.wire import keyids
from player.wire.clearkey import read_request, write_license

T = TypeVar("T")

KID = KeyId.parse("00112233445566778899aabbccddeeff")
OTHER = KeyId.parse("ffeeddccbbaa99887766554433221100")
KEY = ContentKey(bytes(range(16)))
INIT_DATA = keyids.write([KID])
LICENSE = write_license([(KID, KEY)])
CONFIGURATION = Configuration(video_capabilities=(Capability(content_type='video/mp4; codecs="avc1.42C00C"'),))


def _uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(VirtualLoop, id="virtual"),
    pytest.param(_uvloop, id="uvloop"),
]

Main = Callable[[MediaKeys], Coroutine[Any, Any, T]]


async def _media_keys(page: Page) -> MediaKeys:
    access = await page.request_media_key_system_access(CLEARKEY, [CONFIGURATION])
    return await access.create_media_keys()


def _with_keys(main: Main[T], factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop) -> T:
    async def run() -> T:
        return await main(await _media_keys(Page(seed=1)))

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(run())


async def _quiet() -> None:
    """Let everything run that is under way."""
    for _ in range(200):
        await asyncio.sleep(0)


async def _licensed(keys: MediaKeys) -> MediaKeySession:
    session = keys.create_session()
    await session.generate_request("keyids", INIT_DATA)
    await session.update(LICENSE)
    await _quiet()
    return session


def _followed(session: MediaKeySession, seen: list[str]) -> None:
    """Write down what the caller of a session sees, in order."""
    session.on(Message, lambda event: seen.append(f"message {event.message_type}"))
    session.on(KeyStatusesChanged, lambda _event: seen.append(f"statuses {session.key_statuses.size}"))

    async def closed() -> None:
        seen.append(
            f"closed {await session.closed} size {session.key_statuses.size} nan {math.isnan(session.expiration)}"
        )

    seen_closed = asyncio.ensure_future(closed())
    session.on(KeyStatusesChanged, lambda _event, _kept=seen_closed: None)  # type: ignore[misc]


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("AO09")
@pytest.mark.rule("GO01")
@pytest.mark.rule("GO02")
@pytest.mark.rule("GO05")
@pytest.mark.parametrize("hops", range(4))
@pytest.mark.parametrize("factory", LOOPS)
def test_the_caller_sees_the_order_of_the_contract(factory: Callable[[], asyncio.AbstractEventLoop], hops: int) -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = keys.create_session()
        _followed(session, seen)
        await _far(session.generate_request("keyids", INIT_DATA), hops)
        seen.append(f"requested id {bool(session.session_id)} size {session.key_statuses.size}")
        await _quiet()
        await _far(session.update(LICENSE), hops)
        seen.append(f"updated size {session.key_statuses.size}")
        await _quiet()
        await _far(session.close(), hops)
        seen.append("close resolved")
        await _quiet()
        return seen

    seen = _with_keys(main, factory)
    assert seen[:4] == ["requested id True size 0", "message license-request", "updated size 1", "statuses 1"]
    assert sorted(seen[4:6]) == ["close resolved", "closed closed-by-application size 0 nan True"]
    assert seen[6:] == ["statuses 0"]
    if hops == 0:  # `closed` is awaited directly
        assert seen[4] == "close resolved"


async def _far(promise: asyncio.Future[None], hops: int) -> None:
    """Await through so many tasks."""
    if hops == 0:
        await promise
    else:
        await asyncio.create_task(_far(promise, hops - 1))


def test_the_message_is_a_license_request_for_the_init_data() -> None:
    async def main(keys: MediaKeys) -> bytes:
        session = keys.create_session()
        messages = session.events(Message)
        await session.generate_request("keyids", INIT_DATA)
        return (await anext(messages)).message

    assert read_request(_with_keys(main)).kids == (KID,)


def test_a_stream_of_events_ends_when_its_session_has_closed() -> None:
    async def main(keys: MediaKeys) -> list[str]:
        session = keys.create_session()
        events = session.events()
        await session.generate_request("keyids", INIT_DATA)
        await session.update(LICENSE)
        await session.close()
        return [event.name async for event in events]

    assert _with_keys(main) == ["eme:message", "eme:key-statuses", "eme:key-statuses"]


@pytest.mark.rule("M008")
def test_a_handler_that_raises_stops_nobody_and_is_told() -> None:
    async def main(keys: MediaKeys) -> tuple[list[str], list[str]]:
        told: list[str] = []
        seen: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
        session = keys.create_session()

        def faulty(_event: Event) -> None:
            raise LookupError

        session.on(Message, faulty)
        session.on(Message, lambda event: seen.append(event.name))
        await session.generate_request("keyids", INIT_DATA)
        await _quiet()
        await session.update(LICENSE)
        return told, seen

    assert _with_keys(main) == (["a listener to eme:message raised"], ["eme:message"])


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _failure(promise: asyncio.Future[Any]) -> BaseException | None:
    assert promise.done(), "decided in the call"
    return promise.exception()


@pytest.mark.rule("ER02")
@pytest.mark.parametrize("wrong", [None, 1, "text", [1], object()])
def test_a_method_that_gives_a_promise_never_raises(wrong: object) -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        assert isinstance(_failure(session.generate_request("keyids", wrong)), EmeTypeError)
        assert isinstance(_failure(session.update(wrong)), EmeTypeError)
        if not isinstance(wrong, str):
            assert isinstance(_failure(session.generate_request(wrong, INIT_DATA)), EmeTypeError)
        page = Page(seed=1)
        answer = page.request_media_key_system_access(wrong, [CONFIGURATION]) if not isinstance(wrong, str) else None  # type: ignore[arg-type]
        assert answer is None or isinstance(_failure(answer), EmeTypeError)
        assert isinstance(_failure(page.request_media_key_system_access(CLEARKEY, wrong)), EmeTypeError)  # type: ignore[arg-type]

    _with_keys(main)


@pytest.mark.rule("ER02")
def test_what_the_checks_of_a_call_find_has_failed_on_return() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        assert isinstance(_failure(session.update(LICENSE)), InvalidStateError)
        assert isinstance(_failure(session.close()), InvalidStateError)
        assert isinstance(_failure(session.generate_request("", INIT_DATA)), EmeTypeError)
        assert isinstance(_failure(session.generate_request("keyids", INIT_DATA)), InvalidStateError)
        assert isinstance(_failure(keys.create_session().generate_request("webm2", b"x")), NotSupportedError)

    _with_keys(main)


@pytest.mark.rule("ER03")
def test_create_session_and_the_status_map_raise_directly() -> None:
    async def main(keys: MediaKeys) -> None:
        with pytest.raises(EmeTypeError):
            keys.create_session("eternal")
        with pytest.raises(EmeTypeError):
            keys.create_session(7)  # type: ignore[arg-type]
        with pytest.raises(NotSupportedError):
            keys.create_session("persistent-license")
        session = keys.create_session()
        for wrong in ("text", None, 1):
            with pytest.raises(EmeTypeError):
                session.key_statuses.has(wrong)
            with pytest.raises(EmeTypeError):
                session.key_statuses.get(wrong)

    _with_keys(main)


@pytest.mark.rule("E008")
@pytest.mark.rule("ER04")
@pytest.mark.parametrize(
    "source", [bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data)).toreadonly()]
)
def test_bytes_are_copied_in_the_call(source: Callable[[bytes], Any]) -> None:
    async def main(keys: MediaKeys) -> int:
        session = keys.create_session()
        init_data, license_ = source(INIT_DATA), source(LICENSE)
        requested = session.generate_request("keyids", init_data)
        _overwrite(init_data)
        await requested
        updated = session.update(license_)
        _overwrite(license_)
        await updated
        return session.key_statuses.size

    assert _with_keys(main) == 1


def _overwrite(data: object) -> None:
    if isinstance(data, bytearray):
        data[:] = bytes(len(data))


@pytest.mark.rule("G017")
def test_two_updates_of_one_session_are_handled_in_the_order_of_the_calls() -> None:
    async def main(keys: MediaKeys) -> list[str]:
        session = keys.create_session()
        await session.generate_request("keyids", keyids.write([KID, OTHER]))
        seen: list[str] = []
        first = session.update(LICENSE)
        second = session.update(write_license([(OTHER, KEY)]))
        first.add_done_callback(lambda _: seen.append(f"first {session.key_statuses.size}"))
        second.add_done_callback(lambda _: seen.append(f"second {session.key_statuses.size}"))
        await asyncio.gather(first, second)
        return seen

    assert _with_keys(main) == ["first 1", "second 2"]


@pytest.mark.rule("G018")
def test_an_update_under_way_when_the_session_is_closed_fails() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        await session.generate_request("keyids", INIT_DATA)
        update, close = session.update(LICENSE), session.close()
        with pytest.raises(InvalidStateError):
            await update
        await close
        assert await session.closed is ClosedReason.CLOSED_BY_APPLICATION

    _with_keys(main)


@pytest.mark.rule("H003")
def test_a_session_is_closing_as_soon_as_close_returns() -> None:
    async def main(keys: MediaKeys) -> None:
        session = await _licensed(keys)
        first = session.close()
        assert isinstance(_failure(session.update(LICENSE)), InvalidStateError)
        assert isinstance(_failure(session.generate_request("keyids", INIT_DATA)), InvalidStateError)
        assert session.close().done()
        await first
        assert session.close().done()

    _with_keys(main)


def test_a_refused_license_changes_nothing_and_names_the_error() -> None:
    async def main(keys: MediaKeys) -> int:
        session = keys.create_session()
        await session.generate_request("keyids", INIT_DATA)
        with pytest.raises(EmeTypeError) as caught:
            await session.update(b"rubbish")
        assert caught.value.name == "TypeError"
        assert session.key_statuses.size == 0
        await session.update(LICENSE)
        return session.key_statuses.size

    assert _with_keys(main) == 1


def test_a_promise_that_its_caller_has_cancelled_disturbs_nothing() -> None:
    async def main(keys: MediaKeys) -> str:
        session = keys.create_session()
        session.generate_request("keyids", INIT_DATA).cancel()
        await _quiet()
        return session.session_id

    assert _with_keys(main)


def test_a_cdm_that_raises_fails_its_call_and_nothing_else() -> None:
    async def main(keys: MediaKeys) -> list[str]:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
        cdm, good = keys._cdm._cdm, keys.create_session()
        keys._cdm._cdm = None  # type: ignore[assignment]
        bad = keys.create_session()
        with pytest.raises(InvalidStateError, match="the CDM failed"):
            await bad.generate_request("keyids", INIT_DATA)
        keys._cdm._cdm = cdm
        await good.generate_request("keyids", INIT_DATA)
        return told

    assert _with_keys(main) == ["the CDM raised"]


# ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("C003")
def test_a_new_session_shows_nothing_yet() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        assert session.session_id == ""
        assert math.isnan(session.expiration)
        assert session.key_statuses.size == 0
        assert session.parent is None
        assert not session.closed.done()

    _with_keys(main)


@pytest.mark.rule("J001")
def test_the_session_id_changes_once_and_stays() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        promise = session.generate_request("keyids", INIT_DATA)
        await asyncio.sleep(0)
        assert session.session_id == ""
        await promise
        name = session.session_id
        assert name.isdecimal()
        await session.update(LICENSE)
        await session.close()
        await _quiet()
        assert session.session_id == name

    _with_keys(main)


def test_ids_of_one_page_differ_also_between_two_media_keys() -> None:
    async def main() -> set[str]:
        page = Page(seed=1)
        names = set()
        for _ in range(3):
            keys = await _media_keys(page)
            for _ in range(3):
                session = keys.create_session()
                await session.generate_request("keyids", INIT_DATA)
                names.add(session.session_id)
        return names

    assert len(run_virtual(main())) == 9


@pytest.mark.rule("C004")
@pytest.mark.rule("J006")
@pytest.mark.rule("J007")
@pytest.mark.rule("J008")
def test_the_status_map_is_one_object_with_the_map_of_the_day() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        statuses = session.key_statuses
        before = iter(statuses)
        kids = [KeyId(b"\x02"), KeyId(b"\x01\xff"), KeyId(b"\x01")]
        await session.generate_request("keyids", keyids.write(kids))
        await session.update(write_license([(kid, KEY) for kid in kids]))
        assert session.key_statuses is statuses
        assert list(before) == []
        ordered = [b"\x01", b"\x01\xff", b"\x02"]
        assert list(statuses) == [(kid, KeyStatus.USABLE) for kid in ordered]
        assert list(statuses.items()) == list(statuses.entries()) == list(statuses)
        assert list(statuses.keys()) == ordered
        assert dict(statuses) == dict(statuses.items())
        with pytest.raises(KeyError):
            statuses[b"\x03"]
        assert list(statuses.values()) == [KeyStatus.USABLE] * 3
        seen: list[tuple[KeyStatus, KeyId]] = []
        statuses.for_each(lambda status, kid: seen.append((status, kid)))
        assert [kid for _, kid in seen] == ordered
        assert statuses.get(bytearray(b"\x01\xff")) is KeyStatus.USABLE
        assert statuses.has(memoryview(b"\x02"))
        for wrong in (b"", b"\x01\xfe", b"\x01\xff\x00", b"\x03"):
            assert not statuses.has(wrong)
            assert statuses.get(wrong) is None
        kept = iter(statuses)
        await session.close()
        await _quiet()
        assert len(list(kept)) == 3
        assert statuses.size == len(statuses) == 0

    _with_keys(main)


@pytest.mark.rule("decisions:D76")
def test_a_view_shows_what_its_last_task_showed_even_when_the_table_is_ahead() -> None:
    async def main(keys: MediaKeys) -> list[int]:
        session = keys.create_session()
        await session.generate_request("keyids", INIT_DATA)
        promise = session.update(LICENSE)
        sizes = []
        while not promise.done():
            sizes.append(session.key_statuses.size)
            await asyncio.sleep(0)
        sizes.append(session.key_statuses.size)
        return sizes

    sizes = _with_keys(main)
    assert set(sizes[:-1]) == {0}
    assert sizes[-1] == 1


def test_a_slot_that_is_used_again_never_answers_for_the_session_before() -> None:
    async def main(keys: MediaKeys) -> None:
        first = await _licensed(keys)
        await first.close()
        second = await _licensed(keys)
        assert first.session_id != second.session_id
        assert isinstance(_failure(first.update(LICENSE)), InvalidStateError)
        assert first.key_statuses.size == 0
        assert second.key_statuses.size == 1

    _with_keys(main)


@pytest.mark.rule("L006")
def test_closed_can_be_awaited_at_any_time_and_again() -> None:
    async def main(keys: MediaKeys) -> list[ClosedReason | None]:
        session = await _licensed(keys)
        await session.close()
        return [await session.closed, await session.closed]

    assert _with_keys(main) == [ClosedReason.CLOSED_BY_APPLICATION] * 2


@pytest.mark.rule("L011")
def test_media_keys_live_until_they_are_disposed_of() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session()
        promise = session.generate_request("keyids", INIT_DATA)
        keys.dispose()
        await _quiet()
        assert promise.cancelled()
        with pytest.raises(InvalidStateError):
            keys.create_session()

    _with_keys(main)


# ── access ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_access_says_what_was_granted_as_a_new_object_each_time() -> None:
    async def main() -> MediaKeySystemAccess:
        page = Page(seed=1)
        asked: dict[str, Any] = {
            "label": "one",
            "init_data_types": ["unknown", "keyids"],
            "video_capabilities": [{"content_type": 'video/mp4; codecs="avc1.42C00C"', "robustness": "", "later": 1}],
            "invented": True,
        }
        return await page.request_media_key_system_access(CLEARKEY, [asked])

    access = run_virtual(main())
    assert access.key_system == CLEARKEY
    granted = access.get_configuration()
    assert granted == access.get_configuration()
    assert granted is not access.get_configuration()
    assert (granted.label, granted.init_data_types) == ("one", ("keyids",))


@pytest.mark.parametrize(
    ("key_system", "configurations", "error"),
    [
        ("", [CONFIGURATION], EmeTypeError),
        (CLEARKEY, [], EmeTypeError),
        (CLEARKEY, [7], EmeTypeError),
        (CLEARKEY, [{"init_data_types": "cenc"}], EmeTypeError),
        (CLEARKEY, [{"video_capabilities": [7]}], EmeTypeError),
        ("org.example", [CONFIGURATION], NotSupportedError),
        (CLEARKEY, [{}], NotSupportedError),
    ],
)
def test_access_that_cannot_be_had_fails_by_name(key_system: str, configurations: Any, error: type[Exception]) -> None:
    async def main() -> None:
        await Page(seed=1).request_media_key_system_access(key_system, configurations)

    with pytest.raises(error):
        run_virtual(main())


@pytest.mark.rule("L001")
@pytest.mark.parametrize("later", [False, True])
def test_a_device_says_where_its_loss_is_noticed(later: bool) -> None:
    async def main() -> None:
        keys = await _media_keys(Page(seed=1, cdm=CdmSpec(create_after_loss=later)))
        session = await _licensed(keys)
        keys.lose()
        assert await session.closed is ClosedReason.INTERNAL_ERROR
        await _quiet()
        if later:
            assert isinstance(_failure(keys.create_session().generate_request("keyids", INIT_DATA)), InvalidStateError)
        else:
            with pytest.raises(InvalidStateError):
                keys.create_session()

    run_virtual(main())


@pytest.mark.rule("M005")
def test_messages_of_two_devices_are_the_same_bytes() -> None:
    async def main(key_system: str, seed: int) -> bytes:
        page = Page(seed=seed)
        access = await page.request_media_key_system_access(key_system, [CONFIGURATION])
        session = (await access.create_media_keys()).create_session()
        messages = session.events(Message)
        await session.generate_request("keyids", INIT_DATA)
        return (await anext(messages)).message

    for name in (CLEARKEY, HIERARCHY):
        assert len({run_virtual(main(name, seed)) for seed in range(3)}) == 1


def test_every_key_system_of_the_lab_gives_media_keys() -> None:
    async def main(key_system: str) -> str:
        page = Page(seed=1, cdm=CdmSpec(features=("embedded_keys",)))
        access = await page.request_media_key_system_access(key_system, [CONFIGURATION])
        keys = await access.create_media_keys()
        session = keys.create_session()
        await session.generate_request("keyids", INIT_DATA)
        return session.session_id

    assert [bool(run_virtual(main(name))) for name in (CLEARKEY, HIERARCHY)] == [True, True]
