"""A usage record from the first request to its end: pages with a profile on disk, a license server on real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest

from player.backend.serve import Backend, serve
from player.backend.spec import BackendSpec
from player.cdm.spec import CdmSpec
from player.eme.errors import QuotaExceededError
from player.eme.events import Encrypted, KeyStatusesChanged, Message
from player.eme.status import ClosedReason, KeyStatus, MessageType
from player.ids import CLEARKEY, HIERARCHY, ContentKey, KeyId
from player.runtime.browsing_profile import BrowsingProfile
from player.runtime.media_element import MediaElement
from player.runtime.media_key_session import MediaKeySession
from player.runtime.media_keys import MediaKeys
from player.runtime.page import Page
from player.wire import keyids
from player.wire.clearkey import write_license

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORD: Final = "persistent-usage-record"
CONFIGURATION: Final = {
    "audio_capabilities": [{"content_type": 'audio/mp4; codecs="mp4a.40.2"'}],
    "session_types": [RECORD],
}
ACCURACY_S: Final = 0.05
ACCURACY_MS: Final = round(ACCURACY_S * 1000)
SPEC: Final = CdmSpec(features=("persistent_usage_record",), accuracy_s=ACCURACY_S)


class Visit:
    """One page; `told`: what its caller sees, in order."""

    def __init__(self, backend: Backend, http: aiohttp.ClientSession, keys: MediaKeys, page: Page, system: str) -> None:
        self.keys = keys
        self.page = page
        self.told: list[str] = []
        self._backend = backend
        self._http = http
        self._license_url = backend.license_urls[system]

    def session(self) -> MediaKeySession:
        session = self.keys.create_session(RECORD)
        session.on(KeyStatusesChanged, lambda _: self.told.append(f"statuses {self._statuses(session)}"))
        session.closed.add_done_callback(lambda closed: self.told.append(f"closed {closed.result()}"))
        return session

    async def answered(self, session: MediaKeySession, message: Message) -> bytes:
        """Every message goes to the one URL; the answer goes into update."""
        self.told.append(message.message_type)
        async with self._http.post(self._license_url, data=message.message) as response:
            assert response.status == 200
            await session.update(await response.read())
        self.told.append("updated")
        return message.message

    async def play(self) -> MediaKeySession:
        """Encrypted media, its license, and two seconds of it."""
        element, session = self.page.media_element(), self.session()
        await element.set_media_keys(self.keys)
        encrypted = element.events(Encrypted)
        element.append_init(await self._fetched("audio/init.mp4"))
        event = await anext(encrypted)
        self.told.append("encrypted")
        messages = session.events(Message)
        await session.generate_request(event.init_data_type, event.init_data)
        self.told.append("requested")
        await self.answered(session, await anext(messages))
        element.append_media(await self._fetched("audio/0.m4s"))
        assert _advanced(element) > 1
        self.told.append("playing")
        return session

    async def remove(self, session: MediaKeySession) -> dict[str, object]:
        """remove, and the release as the server reads it; it is acknowledged."""
        messages = session.events(Message)
        await session.remove()
        self.told.append("removed")
        sent: dict[str, object] = json.loads(await self.answered(session, await anext(messages)))
        await session.closed
        return sent

    async def open_records(self) -> int:
        async with self._http.get(
            self._backend.license_urls[CLEARKEY].replace("/license/clearkey", "/metrics")
        ) as told:
            count: int = (await told.json())["open_records"]
            return count

    async def _fetched(self, name: str) -> bytes:
        async with self._http.get(self._backend.vod_url.replace("manifest.mpd", name)) as response:
            assert response.status == 200
            return await response.read()

    @staticmethod
    def _statuses(session: MediaKeySession) -> str:
        return ",".join(session.key_statuses.values())


def _advanced(element: MediaElement) -> float:
    element.play()
    return element.advance(1.5)


@asynccontextmanager
async def visit(backend: Backend, folder: Path, system: str) -> AsyncIterator[Visit]:
    page = Page(profile=BrowsingProfile(folder), cdm=SPEC)
    access = await page.request_media_key_system_access(system, [CONFIGURATION])
    async with aiohttp.ClientSession() as http:
        yield Visit(backend, http, await access.create_media_keys(), page, system)
    page.leave()


systems = pytest.mark.parametrize("system", [CLEARKEY, HIERARCHY])


@systems
@pytest.mark.rule("UR14")
@pytest.mark.rule("M003")
@pytest.mark.rule("GO04")
@pytest.mark.rule("GO06")
async def test_a_full_run_from_encrypted_to_the_acknowledged_release(tmp_path: Path, system: str) -> None:
    async with serve(BackendSpec(seed=1)) as backend, visit(backend, tmp_path, system) as it:
        session = await it.play()
        assert await it.open_records() == 1
        await it.remove(session)
        assert await it.open_records() == 0
    assert it.told == [
        "encrypted",
        "requested",
        MessageType.LICENSE_REQUEST,
        "updated",
        f"statuses {KeyStatus.USABLE}",
        "playing",
        "removed",
        f"statuses {KeyStatus.RELEASED}",
        MessageType.LICENSE_RELEASE,
        f"closed {ClosedReason.RELEASE_ACKNOWLEDGED}",
        "updated",
        "statuses ",
    ]


@systems
@pytest.mark.rule("UR13")
@pytest.mark.rule("UR11")
@pytest.mark.rule("CK10")
@pytest.mark.parametrize("end", ["close", "leave"])
async def test_a_new_page_retrieves_the_record_of_the_last_one(tmp_path: Path, system: str, end: str) -> None:
    async with serve(BackendSpec(seed=1)) as backend:
        began_ms = time.time() * 1000
        async with visit(backend, tmp_path, system) as first:
            session = await first.play()
            session_id = session.session_id
            if end == "close":
                await session.close()
        async with visit(backend, tmp_path, system) as second:
            session = second.session()
            assert await session.load(session_id) is True
            assert set(session.key_statuses.values()) == {KeyStatus.RELEASED}
            sent = await second.remove(session)
            ended_ms = time.time() * 1000
            assert await second.session().load(session_id) is False
    first_ms, latest_ms = sent["firstTime"], sent["latestTime"]
    assert isinstance(first_ms, int)
    assert isinstance(latest_ms, int)
    assert began_ms - ACCURACY_MS <= first_ms <= latest_ms <= ended_ms + ACCURACY_MS
    assert sent["kids"]


@pytest.mark.rule("UP01")
@pytest.mark.rule("ST07")
async def test_no_other_origin_and_no_other_profile_finds_the_record(tmp_path: Path) -> None:
    async with serve(BackendSpec(seed=1)) as backend:
        async with visit(backend, tmp_path / "1", CLEARKEY) as first:
            session_id = (await first.play()).session_id
        others = [
            Page(profile=BrowsingProfile(tmp_path / "1"), origin="https://other.example", cdm=SPEC),
            Page(profile=BrowsingProfile(tmp_path / "2"), cdm=SPEC),
            Page(cdm=SPEC),
        ]
        for page in others:
            access = await page.request_media_key_system_access(CLEARKEY, [CONFIGURATION])
            assert await (await access.create_media_keys()).create_session(RECORD).load(session_id) is False
        BrowsingProfile(tmp_path / "1").clear("https://player.example")
        async with visit(backend, tmp_path / "1", CLEARKEY) as second:
            assert await second.session().load(session_id) is False


@pytest.mark.rule("UP01")
async def test_a_private_page_writes_no_record_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with serve(BackendSpec(seed=1)) as backend, aiohttp.ClientSession() as http:
        page = Page(cdm=SPEC)
        access = await page.request_media_key_system_access(CLEARKEY, [CONFIGURATION])
        it = Visit(backend, http, await access.create_media_keys(), page, CLEARKEY)
        await it.remove(await it.play())
        page.leave()
    assert not any(tmp_path.rglob("*"))  # noqa: ASYNC240 - nothing else runs here


async def test_on_a_disk_that_takes_nothing_the_update_fails_and_nothing_hangs(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("a file where the folder should be")
    page = Page(profile=BrowsingProfile(tmp_path / "profile"), cdm=SPEC)
    access = await page.request_media_key_system_access(CLEARKEY, [CONFIGURATION])
    session = (await access.create_media_keys()).create_session(RECORD)
    kid = KeyId(bytes(16))
    async with asyncio.timeout(5):
        await session.generate_request("keyids", keyids.write([kid]))
        with pytest.raises(QuotaExceededError):
            await session.update(write_license([(kid, ContentKey(bytes(16)))], RECORD))
    page.leave()


@pytest.mark.rule("CK11")
async def test_clear_key_takes_no_certificate_and_finds_every_policy_met() -> None:
    page = Page(cdm=SPEC)
    access = await page.request_media_key_system_access(CLEARKEY, [CONFIGURATION])
    keys = await access.create_media_keys()
    assert await keys.set_server_certificate(b"") is False
    assert await keys.get_status_for_policy(min_hdcp_version="2.3") is KeyStatus.USABLE
