from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from player.backend.license_server.log import LicenseLogEntry
from player.backend.serve import in_process, serve
from player.backend.spec import Admission, BackendSpec, ContentSpec, Fault, LicenseSpec, Rotation
from player.backend.spec_json import spec_from_json, spec_to_json
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.errors import BackendError, UsageError
from player.ids import CLEARKEY, HIERARCHY, KeyId
from player.isobmff.sample import Scheme
from player.mpd.parse import parse
from player.wire.clearkey import write_request
from player.wire.http import Request


@pytest.mark.rule("decisions:D8")
async def test_content_exists_as_soon_as_serve_does() -> None:
    async with serve() as backend, aiohttp.ClientSession() as session:
        assert backend.t0_epoch_us % (8 * SECOND) == 0
        for url in (backend.live_url, backend.vod_url):
            async with session.get(url) as answer:
                presentation = parse(await answer.read(), url)
            (protection,) = {group.protections[1].license_urls for group in presentation.periods[0].adaptation_sets}
            assert protection == (backend.license_urls[CLEARKEY],)
        segment = backend.live_url.replace("manifest.mpd", "audio/11.m4s")
        async with session.get(segment) as answer:
            assert answer.status == 200


async def test_every_license_request_is_told_with_its_attribution() -> None:
    told: list[LicenseLogEntry] = []
    async with serve(BackendSpec(seed=1), log=told.append) as backend, aiohttp.ClientSession() as session:
        async with session.get(backend.vod_url) as answer:
            (kid,) = (
                parse(await answer.read(), backend.vod_url).periods[0].adaptation_sets[0].protections[0].default_kids
            )
        headers = {"content-type": "application/json", "Keystorm-Request": "3/2/start/1"}
        async with session.post(backend.license_urls[CLEARKEY], data=write_request((kid,)), headers=headers) as answer:
            assert len(json.loads(await answer.read())["keys"]) == 1
    (entry,) = told
    assert (entry.client, entry.sequence, entry.cause, entry.attempt) == (3, 2, "start", 1)
    assert (entry.kids, entry.status) == ((kid,), 200)
    assert entry.done_us >= entry.time_us


async def test_a_burst_of_segment_requests_is_answered_whole() -> None:
    async with (
        serve(BackendSpec(seed=1)) as backend,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        base = backend.vod_url.removesuffix("manifest.mpd")

        async def get(track: str) -> tuple[int, bytes]:
            async with session.get(f"{base}{track}/3.m4s") as answer:
                return answer.status, await answer.read()

        answers = await asyncio.gather(*(get(track) for track in ("video-180p", "audio") for _ in range(300)))
    assert len(set(answers)) == 2
    assert {status for status, _ in answers} == {200}


@pytest.mark.rule("decisions:D63")
@pytest.mark.parametrize("half", [{"listen": "0.0.0.0"}, {"token": "secret"}])
async def test_beyond_loopback_needs_an_address_and_a_token(half: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        async with serve(**half):  # type: ignore[arg-type]
            pass


async def test_an_address_that_is_not_ours_is_one_clear_error() -> None:
    with pytest.raises(BackendError, match=r"cannot listen on 203\.0\.113\.1"):
        async with serve(listen="203.0.113.1", token="secret"):
            pass


def test_in_process_the_same_services_answer_by_host() -> None:
    front, backend = in_process(BackendSpec(seed=1))
    assert backend.t0_epoch_us == VIRTUAL_EPOCH_US
    assert backend.live_url == "http://origin.test/live/manifest.mpd"
    assert backend.license_urls[HIERARCHY] == "http://license.test/license/hierarchy"
    front.receive(Request(1, "GET", "origin.test", "/time", (), b""), 0)
    front.receive(Request(2, "GET", "license.test", "/license/clearkey", (), b""), 0)
    assert [(reply.id, reply.status) for reply in front.replies()] == [(1, 200), (2, 405)]


def test_without_a_seed_keys_come_from_the_operating_system() -> None:
    bodies = []
    for _ in range(2):
        front, _ = in_process()
        front.receive(Request(1, "GET", "origin.test", "/vod/manifest.mpd", (), b""), 0)
        (reply,) = front.replies()
        bodies.append(reply.body)
    assert bodies[0] != bodies[1]


def test_a_specification_survives_json() -> None:
    spec = BackendSpec(
        content=ContentSpec(rotation=Rotation.HIERARCHY, scheme=Scheme.CBCS, tracks=("audio",), close_s=1.5),
        license=LicenseSpec(
            withhold=(KeyId(bytes(range(16))),),
            admission=Admission(capacity=50.5),
            faults=(Fault(from_s=1, to_s=2, mode="error"),),
        ),
        seed=2**255 + 1,
    )
    assert spec_from_json(spec_to_json(spec)) == spec
    assert "\n" not in spec_to_json(spec)


@pytest.mark.parametrize("text", ["", "[]", '{"seed":"x"}', '{"license":{"withhold":["00"]}}', "[" * 100_000, "\ud800"])
def test_what_is_no_specification_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        spec_from_json(text)
