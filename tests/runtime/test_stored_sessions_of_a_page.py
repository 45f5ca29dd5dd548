"""load, remove, acknowledgement, loss of the CDM and the end of a page, as whoever awaits sees them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from player.chance import Draw
from player.eme.cdm import Call, Decrypt, GenerateRequest, Handled, Load, Record, SessionChange, Settles, Update, Wake
from player.eme.errors import EmeTypeError, InvalidStateError, QuotaExceededError
from player.eme.events import KeyStatusesChanged, Message
from player.eme.status import ClosedReason, KeyStatus, MessageType
from player.ids import KeyId
from player.isobmff.sample import Protection, Sample, Scheme
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from tests.runtime.own_cdm import LICENSE, SUPPORTS, XorCdm, keys_of, license_, page

T = TypeVar("T")
Main = Callable[[MediaKeys], Coroutine[Any, Any, T]]

A = KeyId(b"a")


def _uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(VirtualLoop, id="virtual"),
    pytest.param(_uvloop, id="uvloop"),
]
loops = pytest.mark.parametrize("factory", LOOPS)


def with_keys(main: Main[T], factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop, **given: Any) -> T:
    async def run() -> T:
        return await main(await keys_of(page(**given)))

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(run())


async def quiet() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def licensed(keys: MediaKeys, kind: str = LICENSE) -> MediaKeySession:
    session = keys.create_session(kind)
    await session.generate_request("webm", b"a")
    await session.update(license_({"a": 7}))
    await quiet()
    return session


async def stored(keys: MediaKeys) -> str:
    """The id of a session that is stored and closed."""
    session = await licensed(keys)
    await session.close()
    await quiet()
    return session.session_id


def follow(session: MediaKeySession, seen: list[str], name: str = "") -> None:
    """Write down what the caller of a session sees, in order."""
    session.on(Message, lambda event: seen.append(f"{name}{event.message_type} {event.message.decode()}"))
    session.on(KeyStatusesChanged, lambda _: seen.append(f"{name}statuses {' '.join(session.key_statuses.values())}"))
    session.closed.add_done_callback(lambda it: seen.append(f"{name}closed {it.result()} {session.key_statuses.size}"))


async def note(promise: asyncio.Future[Any], seen: list[str], what: str) -> None:
    value = await promise
    seen.append(what if value is None else f"{what} {value}")


def clear(keys: MediaKeys) -> bool:
    """Whether a sample under the key "a" decrypts."""
    sample = Sample(0, 4, 1, Protection(scheme=Scheme.CENC, kid=A, iv_size=8), bytes(8), ())
    result = keys.decrypt(Decrypt(0, bytearray(4), (sample,), 0))
    return result is not None and result.clear == 1


# ── load ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("GO08")
@pytest.mark.rule("F012")
@pytest.mark.rule("H006")
@loops
def test_a_loaded_session_is_whole_when_load_resolves(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        name = await stored(keys)
        session = keys.create_session(LICENSE)
        follow(session, seen)
        await note(session.load(name), seen, "loaded")
        seen.append(f"{session.session_id == name} {' '.join(session.key_statuses.values())}")
        await quiet()
        assert clear(keys)
        return seen

    assert with_keys(main, factory) == ["loaded True", "True usable", "statuses usable"]


@pytest.mark.rule("F013")
@pytest.mark.rule("K007")
@pytest.mark.rule("K010")
def test_statuses_may_be_pending_at_load_and_final_later() -> None:
    class Slow(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            result = super().handle(call, now, draw)
            if isinstance(call, Load):
                self.late = result.changes
                pending = SessionChange(slot=call.slot, statuses=((A, KeyStatus.STATUS_PENDING),))
                return Handled(changes=(pending,), wake_at=now + 1000)
            return Handled(changes=self.late) if isinstance(call, Wake) else result

    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = keys.create_session(LICENSE)
        name = await stored(keys)
        follow(session, seen)
        assert await session.load(name)
        await asyncio.sleep(1)
        return seen

    assert with_keys(main, cdm=Slow) == ["statuses status-pending", "statuses usable"]


@pytest.mark.rule("F006")
@pytest.mark.rule("F009")
def test_what_is_not_there_is_not_loaded_and_the_session_is_spent() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session(LICENSE)
        assert await session.load("7") is False
        assert session.session_id == ""
        for call in (session.load("7"), session.generate_request("webm", b"a"), session.update(b"x")):
            with pytest.raises(InvalidStateError):
                await call
        for call in (session.remove(), session.close()):
            with pytest.raises(InvalidStateError):
                await call
        insane = keys.create_session(LICENSE).load("\x07")
        assert not insane.done()
        with pytest.raises(EmeTypeError):
            await insane

    with_keys(main)


@pytest.mark.rule("F005")
@pytest.mark.rule("ER02")
def test_the_checks_of_load_and_remove_are_made_in_the_call() -> None:
    async def main(keys: MediaKeys) -> None:
        for promise, error in (
            (keys.create_session().load("7"), EmeTypeError),
            (keys.create_session(LICENSE).load(""), EmeTypeError),
            (keys.create_session(LICENSE).load(7), EmeTypeError),
            (keys.create_session().remove(), InvalidStateError),
        ):
            assert promise.done()
            assert isinstance(promise.exception(), error)

    with_keys(main)


@pytest.mark.rule("F007")
@pytest.mark.rule("F014")
def test_a_session_that_is_open_on_the_page_cannot_be_loaded_beside_itself() -> None:
    async def main(keys: MediaKeys) -> None:
        first = await licensed(keys)
        with pytest.raises(QuotaExceededError):
            await keys.create_session(LICENSE).load(first.session_id)
        await first.close()
        assert await keys.create_session(LICENSE).load(first.session_id)

    with_keys(main)


@pytest.mark.rule("F008")
@pytest.mark.rule("F011")
def test_a_session_belongs_to_one_page_of_its_origin_and_to_no_other_origin() -> None:
    async def main() -> None:
        profile = BrowsingProfile()
        one, other = await keys_of(page(profile)), await keys_of(page(profile, seed=2))
        foreign = await keys_of(page(profile, origin="https://b.example"))
        session = await licensed(one)
        with pytest.raises(QuotaExceededError):
            await other.create_session(LICENSE).load(session.session_id)
        assert await foreign.create_session(LICENSE).load(session.session_id) is False
        await session.close()
        assert await other.create_session(LICENSE).load(session.session_id)

    run_virtual(main())


@pytest.mark.rule("F010")
def test_a_load_that_the_cdm_refuses_leaves_the_stored_session_to_others() -> None:
    class Choosy(XorCdm):  # type: ignore[misc, valid-type]
        refuses = True

        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            if isinstance(call, Load) and Choosy.refuses:
                call = Load(call.slot, call.number, call.session_type, call.record.replace(b"license", b"other"))
            return super().handle(call, now, draw)

    async def main(keys: MediaKeys) -> None:
        name = await stored(keys)
        with pytest.raises(EmeTypeError, match="persistent-other"):
            await keys.create_session(LICENSE).load(name)
        Choosy.refuses = False
        assert await keys.create_session(LICENSE).load(name)

    with_keys(main, cdm=Choosy)


@pytest.mark.rule("E018")
def test_an_id_that_was_stored_is_never_drawn_again(tmp_path: Path) -> None:
    async def visit() -> str:
        here = page(BrowsingProfile(tmp_path))
        name = (await licensed(await keys_of(here))).session_id
        here.leave()
        return name

    names = [run_virtual(visit()) for _ in range(3)]  # the same seed, so the same draws
    assert len(set(names)) == 3


# ── remove ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("GO06")
@pytest.mark.rule("GO04")
@pytest.mark.rule("I003")
@pytest.mark.rule("I005")
@pytest.mark.rule("I006")
@pytest.mark.rule("I007")
@pytest.mark.rule("I009")
@pytest.mark.rule("G013")
@pytest.mark.rule("L003")
@pytest.mark.rule("K003")
@loops
def test_a_persistent_session_is_removed_told_and_acknowledged(
    factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = await licensed(keys)
        follow(session, seen)
        for _ in range(2):
            await note(session.remove(), seen, "removed")
            await quiet()
        assert not clear(keys)
        assert not session.closed.done()
        name = session.session_id
        await note(session.update(b"released"), seen, "updated")
        await quiet()
        assert session.session_id == name
        assert await keys.create_session(LICENSE).load(name) is False
        return seen

    assert with_keys(main, factory) == [
        *("removed", "statuses released", 'license-release ["a"]') * 2,
        *("closed release-acknowledged 0", "updated", "statuses "),
    ]


@pytest.mark.rule("GO07")
@pytest.mark.rule("I002")
@pytest.mark.rule("I004")
@pytest.mark.rule("I008")
@loops
def test_a_temporary_session_is_removed_without_a_message(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session, empty = await licensed(keys, "temporary"), keys.create_session()
        await empty.generate_request("webm", b"a")
        await quiet()
        follow(session, seen)
        follow(empty, seen)
        await note(session.remove(), seen, "removed")
        await quiet()
        await note(empty.remove(), seen, "removed")
        await quiet()
        return seen

    assert with_keys(main, factory) == ["removed", "statuses released", "removed", "statuses "]


@pytest.mark.rule("F016")
@pytest.mark.rule("F015")
def test_a_removed_session_loads_released_and_silent_until_it_is_acknowledged() -> None:
    async def main(keys: MediaKeys) -> list[str]:
        session = await licensed(keys)
        await session.remove()
        await session.close()
        seen: list[str] = []
        again = keys.create_session(LICENSE)
        follow(again, seen)
        await note(again.load(session.session_id), seen, "loaded")
        await quiet()
        assert len(seen) == 2
        await again.remove()
        await again.update(b"released")
        await quiet()
        assert await keys.create_session(LICENSE).load(session.session_id) is False
        return seen

    assert with_keys(main) == [
        *("loaded True", "statuses released", "statuses released", 'license-release ["a"]'),
        *("closed release-acknowledged 0", "statuses "),
    ]


@pytest.mark.rule("G014")
def test_an_acknowledgement_of_nothing_is_refused() -> None:
    async def main(keys: MediaKeys) -> None:
        temporary, whole = await licensed(keys, "temporary"), await licensed(keys)
        await temporary.remove()
        for session in (temporary, whole):
            with pytest.raises(EmeTypeError):
                await session.update(b"released")
            assert not session.closed.done()

    with_keys(main)


@pytest.mark.rule("I001")
@pytest.mark.rule("G018")
def test_a_call_that_its_session_does_not_live_to_see_never_reaches_the_cdm() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session(LICENSE)
        await session.generate_request("webm", b"a")
        update, remove, close = session.update(license_({"a": 7})), session.remove(), session.close()
        for late in (update, remove):
            with pytest.raises(InvalidStateError):
                await late
        await close
        assert await keys.create_session(LICENSE).load(session.session_id) is False

    with_keys(main)


# ── records ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("ST08")
@pytest.mark.rule("E020")
def test_a_record_is_stored_before_its_update_resolves_and_not_before_the_license() -> None:
    async def main() -> list[bool]:
        profile = BrowsingProfile()
        keys = await keys_of(page(profile))
        session = keys.create_session(LICENSE)
        await session.generate_request("webm", b"a")
        read = profile.store("https://a.example").read
        found = [read(session.session_id) is not None]
        update = session.update(license_({"a": 7}))
        update.add_done_callback(lambda _: found.append(read(session.session_id) is not None))
        await update
        await quiet()
        return found

    assert run_virtual(main()) == [False, True]


def test_a_disk_that_takes_nothing_fails_the_update_alone() -> None:
    async def main(keys: MediaKeys) -> None:
        session = keys.create_session(LICENSE)
        await session.generate_request("webm", b"a")

        def full(_records: object) -> None:
            raise QuotaExceededError("the disk is full")

        write = keys._page_sessions.write
        keys._page_sessions.write = full  # type: ignore[assignment, method-assign]
        with pytest.raises(QuotaExceededError):
            await session.update(license_({"a": 7}))
        assert session.key_statuses.size == 0
        keys._page_sessions.write = write  # type: ignore[method-assign]
        await session.update(license_({"a": 7}))

    with_keys(main)


@pytest.mark.rule("ST01")
def test_a_cdm_that_would_store_a_temporary_session_is_at_fault() -> None:
    class Greedy(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            result = super().handle(call, now, draw)
            return Handled(records=(Record(call.slot, b"x"),)) if isinstance(call, Update) else result

    async def main(keys: MediaKeys) -> list[str]:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
        session = keys.create_session()
        await session.generate_request("webm", b"a")
        with pytest.raises(InvalidStateError):
            await session.update(license_({"a": 7}))
        return told

    assert with_keys(main, cdm=Greedy) == ["the CDM raised"]


# ── loss, and the end ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("GO09")
@pytest.mark.rule("L004")
@pytest.mark.rule("L010")
@pytest.mark.rule("E016")
@loops
def test_a_reset_closes_every_session_in_a_task_of_its_own(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        sessions = [await licensed(keys), keys.create_session(), await licensed(keys, "temporary")]
        for number, session in enumerate(sessions):
            follow(session, seen, f"{number} ")
        sessions[0].closed.add_done_callback(lambda _: seen.append(f"2 has {sessions[2].key_statuses.size}"))
        keys.lose(ClosedReason.HARDWARE_CONTEXT_RESET)
        await quiet()
        assert not clear(keys)
        assert (await licensed(keys)).key_statuses.size == 1
        assert math.isnan(sessions[0].expiration)
        return seen

    reset = "closed hardware-context-reset 0"
    assert with_keys(main, factory) == [
        *(f"0 {reset}", "2 has 1", f"1 {reset}", f"2 {reset}"),
        *("0 statuses ", "1 statuses ", "2 statuses "),
    ]


@pytest.mark.rule("L001")
@pytest.mark.parametrize("later", [False, True])
def test_after_an_internal_error_nothing_works_any_more(later: bool) -> None:
    async def main(keys: MediaKeys) -> None:
        session = await licensed(keys)
        update = session.update(license_({"a": 8}))
        keys.lose()
        assert await session.closed is ClosedReason.INTERNAL_ERROR
        await update  # it was with the CDM before
        if not later:
            with pytest.raises(InvalidStateError):
                keys.create_session()
            return
        fresh = keys.create_session()
        with pytest.raises(InvalidStateError):
            await fresh.generate_request("webm", b"a")

    with_keys(main, supports=replace(SUPPORTS, create_after_loss=later))


@pytest.mark.rule("L011")
@pytest.mark.rule("L002")
def test_dispose_closes_what_is_callable_and_drops_the_rest() -> None:
    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        sessions = [await licensed(keys), keys.create_session(), keys.create_session()]
        for number, session in enumerate(sessions):
            follow(session, seen, f"{number} ")
        asked = sessions[2].generate_request("webm", b"a")
        events = sessions[0].events()
        await keys.dispose()
        assert asked.cancelled()
        assert [event.name async for event in events] == ["eme:key-statuses"]
        assert keys.is_disposed
        await keys.dispose()
        return seen

    assert with_keys(main) == ["0 closed closed-by-application 0", "0 statuses "]


@pytest.mark.rule("UR06")
def test_a_page_that_leaves_stores_and_tells_nothing() -> None:
    calls: list[str] = []

    class Spied(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            calls.append(type(call).__name__)
            return super().handle(call, now, draw)

    async def main() -> None:
        profile = BrowsingProfile()
        here = page(profile, cdm=Spied)
        seen: list[str] = []
        session = await licensed(await keys_of(here))
        follow(session, seen)
        here.leave()
        await quiet()
        assert seen == []
        assert not session.closed.done()
        assert calls[-1] == "Destroyed"
        assert await (await keys_of(page(profile))).create_session(LICENSE).load(session.session_id)

    run_virtual(main())


# ── how promises settle ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settles", [Settles.LAST, Settles.NEVER])
def test_devices_may_settle_a_promise_last_or_never(settles: Settles) -> None:
    class Odd(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            result = super().handle(call, now, draw)
            if isinstance(call, Update):
                return Handled(changes=result.changes, settles=settles)
            return result

    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = keys.create_session()
        await session.generate_request("webm", b"a")
        await quiet()
        follow(session, seen)
        update = asyncio.ensure_future(note(session.update(license_({"a": 7})), seen, "updated"))
        await quiet()
        await keys.dispose()
        assert update.cancelled() is (settles is Settles.NEVER)
        return seen[:2]

    last = ["statuses usable", "updated"]
    never = ["statuses usable", "closed closed-by-application 0"]
    assert with_keys(main, cdm=Odd) == (last if settles is Settles.LAST else never)


@pytest.mark.rule("M001")
@pytest.mark.rule("M004")
@pytest.mark.rule("M006")
@pytest.mark.rule("J003")
@pytest.mark.rule("N003")
def test_what_the_cdm_tells_by_itself_comes_in_order_and_never_after_the_end() -> None:
    class Renewing(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            if isinstance(call, Wake):
                messages = ((MessageType.LICENSE_RENEWAL, body) for body in (b"1", b"2"))
                told = tuple(SessionChange(slot=0, message=it) for it in messages)
                return Handled(changes=(SessionChange(slot=0, expiration_ms=5000), *told), wake_at=now + 1000)
            result = super().handle(call, now, draw)
            return Handled(message=result.message, wake_at=1000) if isinstance(call, GenerateRequest) else result

    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = keys.create_session()
        messages: list[Message] = []
        session.on(Message, messages.append)
        await session.generate_request("webm", b"a")
        follow(session, seen)
        await asyncio.sleep(0.0015)
        assert session.expiration == 5000.0
        assert [(it.name, it.message_type, it.message) for it in messages] == [
            ("eme:message", MessageType.LICENSE_REQUEST, b"a"),
            ("eme:message", MessageType.LICENSE_RENEWAL, b"1"),
            ("eme:message", MessageType.LICENSE_RENEWAL, b"2"),
        ]
        await session.close()
        await asyncio.sleep(0.01)
        return seen

    seen = with_keys(main, cdm=Renewing)
    assert seen[-2:] == ["closed closed-by-application 0", "statuses "]
    assert seen[:3] == ["license-request a", "license-renewal 1", "license-renewal 2"]


@pytest.mark.rule("E015")
@pytest.mark.rule("G011")
@pytest.mark.rule("M002")
def test_a_device_may_want_to_be_individualized_before_it_asks_for_a_license() -> None:
    class Fresh(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            if isinstance(call, GenerateRequest):
                self.asked = super().handle(call, now, draw)
                return Handled(message=(MessageType.INDIVIDUALIZATION_REQUEST, b"who am I"))
            if isinstance(call, Update) and call.response == b"you":
                return self.asked
            return super().handle(call, now, draw)

    async def main(keys: MediaKeys) -> list[str]:
        seen: list[str] = []
        session = keys.create_session()
        follow(session, seen)
        await session.generate_request("webm", b"a")
        await quiet()
        await note(session.update(b"you"), seen, "updated")
        assert session.key_statuses.size == 0
        await quiet()
        await note(session.update(license_({"a": 7})), seen, "updated")
        await quiet()
        return seen

    assert with_keys(main, cdm=Fresh) == [
        *("individualization-request who am I", "updated", "license-request a", "updated", "statuses usable")
    ]


@pytest.mark.rule("J010")
def test_a_device_without_key_ids_shows_one_entry() -> None:
    class Blunt(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            result = super().handle(call, now, draw)
            if isinstance(call, Update):
                one = SessionChange(slot=call.slot, statuses=((KeyId(b"\x00"), KeyStatus.USABLE),))
                return Handled(changes=(one,))
            return result

    async def main(keys: MediaKeys) -> dict[KeyId, KeyStatus]:
        return dict((await licensed(keys, "temporary")).key_statuses)

    assert with_keys(main, cdm=Blunt) == {b"\x00": KeyStatus.USABLE}


@pytest.mark.rule("EQ19")
@pytest.mark.rule("EK04")
@pytest.mark.parametrize("lost", [False, True])
def test_children_close_with_their_parent_but_for_the_loss_of_the_cdm(lost: bool) -> None:
    class Family(XorCdm):  # type: ignore[misc, valid-type]
        def handle(self, call: Call, now: int, draw: Draw) -> Any:
            result = super().handle(call, now, draw)
            if isinstance(call, GenerateRequest) and call.slot:
                return Handled(changes=(SessionChange(slot=call.slot, parent=0),))
            return result

    async def main(keys: MediaKeys) -> list[ClosedReason | None]:
        sessions = [await licensed(keys, "temporary") for _ in range(3)]
        assert [it.parent for it in sessions] == [None, sessions[0], sessions[0]]
        both: list[bool] = []
        sessions[0].closed.add_done_callback(lambda _: both.append(sessions[2].closed.done()))
        keys.lose() if lost else await sessions[0].close()
        await quiet()
        reasons = [await it.closed for it in sessions]
        assert both == [not lost], "one task for a family, one for each where the CDM is lost"
        return reasons

    below = ClosedReason.INTERNAL_ERROR if lost else ClosedReason.PARENT_CLOSED
    first = ClosedReason.INTERNAL_ERROR if lost else ClosedReason.CLOSED_BY_APPLICATION
    assert with_keys(main, cdm=Family) == [first, below, below]
