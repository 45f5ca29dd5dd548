"""Deviations of devices that only a page can see, and a player that lives with each of them and with several."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.cdm.quirks.table import QUIRKS
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import VIRTUAL_EPOCH_US
from player.drm.events import LicenseRequested
from player.eme.errors import InvalidStateError, NotSupportedError
from player.eme.events import Encrypted, KeyStatusesChanged, Message
from player.eme.status import KeyStatus
from player.ids import CLEARKEY, HIERARCHY
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.clock import running_clock
from player.runtime.media_key_session import MediaKeySession
from player.runtime.memory import MemoryNetwork
from player.runtime.page import Page
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.runtime.virtual_loop import run_virtual
from player.wire import clearkey, keyids
from tests.runtime.playing import CONFIGURATION, Playing, box, init, key, kid, media, media_keys, play, quiet


def on_page(main: Any, *quirks: str) -> Any:
    async def run() -> Any:
        return await main(Page(seed=1, cdm=CdmSpec(quirks=quirks)))

    return run_virtual(run())


async def licensed(page: Page) -> MediaKeySession:
    session = (await media_keys(page)).create_session()
    await session.generate_request("keyids", keyids.write([kid(1)]))
    await session.update(clearkey.write_license([(kid(1), key(1))]))
    await quiet()
    return session


@pytest.mark.rule("Q07")
@pytest.mark.parametrize("quirks", [(), ("swapped_for_each",)])
def test_for_each_and_entries_may_give_key_id_and_status_the_other_way_round(quirks: tuple[str, ...]) -> None:
    async def main(page: Page) -> None:
        statuses = (await licensed(page)).key_statuses
        given: list[tuple[object, object]] = []
        statuses.for_each(lambda first, second: given.append((first, second)))
        right = (KeyStatus.USABLE, kid(1))
        assert given == ([right[::-1]] if quirks else [right])
        assert list(statuses.entries()) == ([right] if quirks else [right[::-1]])
        assert statuses.get(kid(1)) is KeyStatus.USABLE

    on_page(main, *quirks)


@pytest.mark.rule("Q11")
@pytest.mark.rule("Q12")
@pytest.mark.rule("Q40")
def test_what_a_page_awaits_may_never_come_or_come_without_a_reason() -> None:
    async def main(page: Page) -> None:
        session = await licensed(page)
        for call in (session.remove, session.close):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3600):
                    await call()
        assert session.closed.done()
        assert session.closed.result() is None

    on_page(main, "remove_hangs", "close_hangs:closed_resolves", "closed_without_reason")


@pytest.mark.rule("Q13")
def test_a_page_hears_of_a_session_that_it_has_forgotten() -> None:
    async def main(page: Page) -> None:
        session = await licensed(page)
        sizes: list[int] = []
        session.on(KeyStatusesChanged, lambda _event: sizes.append(session.key_statuses.size))
        await session.close()
        await quiet()
        assert session.closed.done()
        assert sizes == [0, 0]

    on_page(main, "status_event_after_close")


@pytest.mark.rule("Q14")
def test_a_loaded_session_may_have_its_statuses_later() -> None:
    async def main() -> None:
        profile = BrowsingProfile()
        asked = {**CONFIGURATION, "session_types": ["persistent-license"], "persistent_state": "required"}
        stored = ""
        for quirks in ((), ("late_statuses_after_load:100",)):
            page = Page(seed=1, profile=profile, cdm=CdmSpec(quirks=quirks))
            access = await page.request_media_key_system_access(CLEARKEY, [asked])
            keys = await access.create_media_keys()
            session = keys.create_session("persistent-license")
            if not quirks:
                await session.generate_request("keyids", keyids.write([kid(1)]))
                await session.update(clearkey.write_license([(kid(1), key(1))], "persistent-license"))
                stored = session.session_id
            else:
                assert await session.load(stored) is True
                assert session.key_statuses.size == 0
                await asyncio.sleep(0.11)
                assert session.key_statuses.size == 1
            page.leave()

    run_virtual(main())


@pytest.mark.rule("Q24")
def test_a_key_system_may_be_found_in_any_case() -> None:
    async def main(page: Page) -> None:
        session = (await media_keys(page, "ORG.w3.ClearKey")).create_session()
        await session.generate_request("KEYIDS", keyids.write([kid(1)]))

    on_page(main, "lax_matching")
    with pytest.raises(NotSupportedError):
        on_page(main)


@pytest.mark.rule("Q25")
def test_an_element_may_tell_of_every_box_twice() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(1, boxes=(box(1),)))
        await quiet()
        assert [event.init_data for event in p.of(Encrypted)] == [box(1) * 2]

    play(main, quirks=("fragile_pssh:duplicated",))


@pytest.mark.rule("Q32")
def test_a_device_may_want_init_data_to_be_met_before_a_session() -> None:
    async def main(p: Playing) -> None:
        with pytest.raises(InvalidStateError):
            p.keys.create_session()
        p.element.append_init(init(1, boxes=(box(1),)))
        p.keys.create_session()

    play(main, quirks=("attach_first:needs_encrypted_event",))


@pytest.mark.rule("Q32")
@pytest.mark.parametrize("quirks", [(), ("attach_first:needs_encryption_info",)])
def test_a_device_may_want_every_init_segment_to_tell_of_protection(quirks: tuple[str, ...]) -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(1))
        p.element.append_media(media(0))
        assert p.element.advance(2) == 2
        p.element.append_init(init(0))
        p.element.append_media(media(1, 0))
        assert p.element.advance(4) == (2 if quirks else 4)
        assert (p.element.error is not None) is bool(quirks)

    play(main, quirks=quirks)


@pytest.mark.rule("Q39")
def test_a_certificate_may_not_be_supported_or_be_rejected() -> None:
    async def main(page: Page) -> bool:
        keys = await media_keys(page, HIERARCHY)
        return await keys.set_server_certificate(b"certificate")

    assert on_page(main, "no_server_certificate") is False
    with pytest.raises(NotSupportedError):
        on_page(main, "no_server_certificate:rejects")


@pytest.mark.rule("Q42")
@pytest.mark.parametrize("quirks", [(), ("message_before_session_id",)])
def test_the_first_message_may_come_before_the_session_has_its_id(quirks: tuple[str, ...]) -> None:
    async def main(page: Page) -> None:
        session = (await media_keys(page)).create_session()
        ids: list[str] = []
        session.on(Message, lambda _event: ids.append(session.session_id))
        await session.generate_request("keyids", keyids.write([kid(1)]))
        await quiet()
        assert ids == ["" if quirks else session.session_id]
        assert session.session_id

    on_page(main, *quirks)


@pytest.mark.rule("Q43")
def test_an_empty_policy_may_be_judged() -> None:
    async def main(page: Page) -> KeyStatus:
        return await (await media_keys(page, HIERARCHY)).get_status_for_policy()

    assert on_page(main, "empty_input_accepted") is KeyStatus.USABLE


# ── a player ─────────────────────────────────────────────────────────────────────────────────────────────────────────

FATAL = {
    "no_key_statuses": "no-playable",
    "late_or_merged_statuses": "no-playable",
    "late_or_merged_statuses:merged": "no-playable",
    "internal_error_keys": "no-playable",
    "internal_error_keys:all": "no-playable",
    "late_capability_failure": "request-generate",
    "provisioning_first": "license-load",
    "provisioning_first:certificate": "license-load",
}
"""Deviations that a player cannot play with: statuses that are not there once the license is (it waits for none), one
representation whose key is bad, no other key system, nobody who provisions."""

ALL = [*QUIRKS, *(f"{name}:{form}" for name, quirk in QUIRKS.items() for form in quirk.forms), "context_reset:5"]


def played(*quirks: str, rotation: Rotation = Rotation.IN_BAND) -> tuple[PlayResult, list[LicenseRequested]]:
    """Twenty seconds of live media with two boundaries; what hangs is stopped after two minutes."""
    content = ContentSpec(tracks=("video-180p",), rotation=rotation, first_boundary_s=10.0)
    cdm = CdmSpec(features=("embedded_keys",), quirks=quirks)

    async def main() -> tuple[PlayResult, list[LicenseRequested]]:
        front, urls = in_process(BackendSpec(content=content, seed=1), VIRTUAL_EPOCH_US)
        fetcher = MemoryNetwork(front, running_clock()).fetcher(0, Draw(1, 0))
        async with Player(urls.live_url, seed=1, fetcher=fetcher, cdm=cdm) as player:
            asked = player.events(LicenseRequested)
            asyncio.get_running_loop().call_later(120, player.stop)
            result = await player.play(duration_s=20)
        return result, [event async for event in asked]

    return run_virtual(main())


@pytest.mark.parametrize("rotation", [Rotation.IN_BAND, Rotation.HIERARCHY])
@pytest.mark.parametrize("quirk", ALL)
def test_a_player_lives_with_every_deviation(quirk: str, rotation: Rotation) -> None:
    result, _ = played(quirk, rotation=rotation)
    assert result.as_json()["quirks"] == [quirk]
    if quirk in FATAL and result.error is not None:
        assert result.error.code == FATAL[quirk]
    elif quirk == "no_key_statuses":
        assert result.played_s == 0  # with embedded keys nobody says that they are there, nor that they are not
    else:
        assert (result.error, result.played_s) == (None, 20.0)
        assert result.license_requests <= 8


@given(st.lists(st.sampled_from([it for it in ALL if it not in FATAL]), max_size=6, unique=True))
@settings(max_examples=40, deadline=None)
def test_a_player_lives_with_several_deviations_at_once(quirks: list[str]) -> None:
    result, _ = played(*quirks)
    assert result.error is None
    assert result.license_requests <= 12


@pytest.mark.rule("Q08")
def test_the_zero_key_id_is_never_asked_for() -> None:
    _, asked = played("zero_default_kid")
    assert asked
    assert not any(it.is_zero for request in asked for it in request.kids)


@pytest.mark.rule("Q36")
def test_a_reset_makes_a_player_ask_once_for_what_it_needs() -> None:
    plain, _ = played()
    reset, _ = played("context_reset:5")
    assert reset.license_requests <= plain.license_requests + 2
