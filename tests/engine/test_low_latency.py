"""Segments that are played while they are made: in virtual time and over real sockets."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest

from player.backend.clip.load import load
from player.backend.front import Front, listening
from player.backend.serve import authority, bound, build
from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.clock import SECOND
from player.drm.events import LicenseAnswered
from player.runtime.clock import SystemClock
from player.runtime.links import Link, LinkChange
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.stream.events import Ended, Resumed, SegmentFailed, Stalled, Started
from player.wire.http import Service
from tests.engine.conftest import Watch, Watched
from tests.engine.low_latency import CHUNK_US, CHUNKS, LEAD_US, SEGMENT_US, LowLatency

LIVE = BackendSpec(seed=1)
ROTATING = BackendSpec(seed=1, content=ContentSpec(rotation=Rotation.IN_BAND))


def _play(watch: Watch, backend: BackendSpec = LIVE, **options: object) -> tuple[Watched, LowLatency]:
    origins: list[LowLatency] = []

    def wrap(service: Service) -> Service:
        origins.append(LowLatency(service))
        return origins[0]

    given: dict[str, object] = {"live_delay_us": None, "duration_us": 24 * SECOND}
    return watch(backend, wrap=wrap, **(given | options)), origins[0]


def _clip(track: str, first: int, count: int) -> str:
    held = load().tracks[track]
    return sha256(b"".join(sample for n in range(first, first + count) for sample in held.group(n).samples)).hexdigest()


@pytest.mark.rule("dash:N8")
def test_media_is_played_nearer_to_the_live_edge_than_a_segment_is_long(watch: Watch) -> None:
    watched, origin = _play(watch)
    assert not watched.of(Stalled)
    [started] = watched.at(Started)
    position_us = watched.of(Started)[0].position_us
    latency_us = started * SECOND + LEAD_US - position_us
    assert 4 * SECOND <= latency_us < 5 * SECOND < SEGMENT_US
    waits = [wait for _, target, wait in origin.asked if "video" in target]
    assert sum(wait > 3 * CHUNK_US - SECOND for wait in waits) >= 2  # asked for just after their first chunk was made


def test_each_segment_is_asked_for_once_and_its_samples_are_played_once(watch: Watch) -> None:
    watched, origin = _play(watch)
    targets = [target for _, target, _ in origin.asked]
    assert len(targets) == len(set(targets))
    assert not watched.of(SegmentFailed)
    video = watched.sink.tracks()[0]
    first = int(targets[0].rpartition("/")[2].removesuffix(".m4s")) * CHUNKS
    groups = video.samples // len(load().tracks["video-180p"].group(0).samples)
    assert groups >= 10  # whole chunks from the start of a segment on, the last of them from one that is not complete
    assert video.sha256 == _clip("video-180p", first, groups)


def test_the_same_seed_plays_the_same_at_low_latency(watch: Watch) -> None:
    assert _play(watch)[0].events == _play(watch)[0].events


def test_keys_that_change_inside_a_segment_are_asked_for_as_its_chunks_come(watch: Watch) -> None:
    watched, _ = _play(watch, ROTATING)
    assert len(watched.of(LicenseAnswered)) >= 3
    assert [event.ended for event in watched.of(Ended)] == [False]


def test_a_transfer_that_dies_in_the_middle_is_taken_up_without_playing_anything_twice(watch: Watch) -> None:
    dead = Link(
        changes=(
            LinkChange(at_us=9 * SECOND, bits_per_second=0),
            LinkChange(at_us=20 * SECOND, bits_per_second=20_000_000),
        )
    )
    watched, origin = _play(watch, link=dead)
    targets = [target for _, target, _ in origin.asked]
    assert len(targets) > len(set(targets))
    assert watched.of(Stalled)
    assert watched.of(Resumed)


def test_low_latency_over_real_sockets() -> None:
    async def main() -> tuple[PlayResult, LowLatency, float]:
        clock = SystemClock()
        with bound("127.0.0.1") as origin_socket, bound("127.0.0.1") as license_socket:
            services = build(
                LIVE, origin=authority(origin_socket), license=authority(license_socket), epoch_us=clock.epoch_us
            )
            origin = LowLatency(services.origin)
            async with (
                listening(Front(origin, clock.now), origin_socket),
                listening(Front(services.license_server, clock.now), license_socket),
                Player(services.backend.live_url, seed=1, representation="lowest") as p,
            ):
                started = asyncio.create_task(p.until(Started))
                playing = asyncio.create_task(p.play(duration_s=5))
                event = await started
                assert isinstance(event, Started)
                latency_s = (clock.now() + LEAD_US - event.position_us) / SECOND
                return await playing, origin, latency_s

    result, origin, latency_s = asyncio.run(main())
    assert result.error is None
    assert 5 <= result.played_s < 5.1
    assert result.stalls == ()
    assert 4 <= latency_s < 6
    assert any(wait > CHUNK_US for _, _, wait in origin.asked)
