"""`Player` and its drive: the real machine against the embedded backend, in virtual time unless it says otherwise."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

import player
from player.backend.in_process import InProcess
from player.backend.serve import Backend, build, in_process
from player.backend.spec import BackendSpec, ContentSpec, Form, LicenseSpec, Rotation
from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import VIRTUAL_EPOCH_US
from player.drm.events import KeyStatusChanged, LicenseRequested
from player.eme.cdm import Call, Cdm, CdmResult, Decrypt
from player.eme.events import KeyStatusesChanged, Settled
from player.engine.actions import Deliver
from player.engine.machine import Machine
from player.engine.spec import VIRTUAL_CDM, PlayerSpec
from player.errors import KeystormError, UsageError
from player.ids import ContentKey, KeyId, Pool
from player.isobmff.sample import Sample
from player.runtime.cache import ParseCache
from player.runtime.drive import Drive
from player.runtime.file_sink import sink_named
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.profiles import load_profile, profile_names
from player.runtime.result import PlayResult
from player.runtime.sinks import HashSink, Sink
from player.runtime.virtual_loop import VirtualLoop, run_virtual
from player.stream.events import Ended, Started
from player.trace.reader import read_trace
from player.wire.http import Reply, Request, Service

T = TypeVar("T")

VOD = BackendSpec(seed=1)
LIVE = BackendSpec(seed=1, content=ContentSpec(rotation=Rotation.IN_BAND))


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def _network(service: Service) -> MemoryNetwork:
    return MemoryNetwork(service, _loop())


def _virtual(spec: BackendSpec, main: Callable[[MemoryNetwork, Backend], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        front, backend = in_process(spec)
        return await main(_network(front), backend)

    return run_virtual(run())


def _player(network: MemoryNetwork, url: str, **options: Any) -> Player:
    return Player(url, seed=1, fetcher=network.fetcher(0, Draw(1, 0)), **options)


def _play_vod(
    spec: BackendSpec = VOD, *, duration_s: float | None = None, fast: bool = True, **options: Any
) -> PlayResult:
    async def main(network: MemoryNetwork, backend: Backend) -> PlayResult:
        async with _player(network, backend.vod_url, **options) as p:
            return await p.play(duration_s=duration_s, as_fast_as_possible=fast)

    return _virtual(spec, main)


def _play_live(duration_s: float = 30, **options: Any) -> PlayResult:
    async def main(network: MemoryNetwork, backend: Backend) -> PlayResult:
        async with _player(network, backend.live_url, **options) as p:
            return await p.play(duration_s=duration_s)

    return _virtual(LIVE, main)


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_vod_is_played_to_its_end() -> None:
    result = _play_vod()
    assert (result.ended, result.played_s, result.error) == (True, 16.0, None)
    assert (result.sessions, result.license_requests, result.licenses, result.retries) == (1, 1, 1, 0)
    assert list(result.keys.values()) == ["usable"]
    assert [track.kind for track in result.tracks] == ["video", "audio"]
    assert all(track.samples and track.bytes and track.sha256 for track in result.tracks)
    assert (result.periods, result.crypto_periods, result.stalls, result.blocked) == (1, 1, (), ())


def test_pace_changes_nothing_of_what_is_played() -> None:
    fast, paced = _play_vod(representation="lowest"), _play_vod(representation="lowest", fast=False)
    assert [track.sha256 for track in fast.tracks] == [track.sha256 for track in paced.tracks]
    assert paced.startup_s is not None
    assert 0 < paced.startup_s < 1


def test_a_key_of_the_command_line_is_no_license_request() -> None:
    kid, key = _vod_key()
    result = _play_vod(keys={kid: key})
    assert (result.ended, result.license_requests, result.local_licenses, result.licenses) == (True, 0, 1, 0)


def _vod_key() -> tuple[KeyId, ContentKey]:
    services = build(VOD, origin="origin.test", license="license.test", epoch_us=VIRTUAL_EPOCH_US)
    (held,) = services.presentations[Form.VOD].ring.period(0)
    return held.kid, held.key


def test_a_live_presentation_is_played_across_boundaries() -> None:
    result = _play_live(30)
    assert (result.ended, result.played_s, result.error) == (False, 30.0, None)
    assert result.crypto_periods >= 4
    assert result.license_requests == len(result.keys) == result.crypto_periods
    assert set(result.keys.values()) == {"usable"}


FIELDS = """
mpd ended played_s startup_s stalls blocked encrypted_events init_data_distinct sessions license_requests local_licenses
licenses license_failures retries keys tracks periods crypto_periods error quirks
"""


def test_the_json_has_every_field_of_play() -> None:
    assert list(_play_vod().as_json()) == FIELDS.split()


# ── determinism ──────────────────────────────────────────────────────────────────────────────────────────────────────

PROGRAM = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_player import _play_live
result = _play_live(40, trace=Path(sys.argv[1]))
import json
print(json.dumps(result.as_json()))
"""


@pytest.mark.rule("storm:L4")
def test_one_seed_gives_the_same_trace_and_result_in_fresh_processes_with_any_hash_seed(tmp_path: Path) -> None:
    here = Path(__file__)
    traces, results = [], []
    for hash_seed in ("1", "2"):
        trace = tmp_path / f"{hash_seed}.trace.jsonl"
        arguments = [sys.executable, "-c", PROGRAM, str(trace), str(here.parent), str(here.parents[2])]
        run = subprocess.run(arguments, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        traces.append(trace.read_bytes())
        results.append(run.stdout)
    assert traces[0] == traces[1]
    assert results[0] == results[1]
    assert traces[0].count(b"\n") > 100


def test_a_trace_says_where_it_comes_from_and_names_the_client(tmp_path: Path) -> None:
    path = tmp_path / "vod.trace.jsonl"
    _play_vod(trace=path)
    header, lines = read_trace(path)
    assert (header.seed, header.clock, header.scenario) == (1, "virtual", None)
    assert {line.who for line in lines} == {"c0000"}
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert lines[-1].name == "stream:ended"
    assert {"eme:message", "eme:key-statuses", "drm:license-requested", "stream:started"} <= {
        line.name for line in lines
    }


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_can_be_listened_to_while_it_plays() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> tuple[list[str], list[str], float, bool]:
        async with _player(network, backend.live_url) as p:
            assert p.position_s == 0.0
            assert p.media_keys is None
            stream = p.events(KeyStatusChanged)
            playing = asyncio.create_task(p.play(duration_s=20))
            await p.until(Started)
            at = p.position_s
            await p.until(lambda event: isinstance(event, LicenseRequested), timeout_s=20)
            await asyncio.sleep(2)
            moved = p.position_s - at > 1
            assert set(p.key_statuses.values()) == {"usable"}
            await playing
            return [event.new async for event in stream], [event.name async for event in p.events()], at, moved

    changes, after, at, moved = _virtual(LIVE, main)
    assert changes[:2] == ["requested", "usable"]
    assert after == []
    assert at >= 0
    assert moved


def test_waiting_for_an_event_ends_with_the_playback_or_in_time() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> None:
        async with _player(network, backend.vod_url) as p:
            with pytest.raises(TimeoutError):
                await p.until(Ended, timeout_s=0.1)
            playing = asyncio.create_task(p.play(as_fast_as_possible=True))
            with pytest.raises(EOFError):
                await p.until(lambda _event: False)
            await playing

    _virtual(VOD, main)


@pytest.mark.rule("decisions:D76")
def test_the_sessions_of_a_player_can_be_looked_at_and_not_touched() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> None:
        async with _player(network, backend.vod_url) as p:
            playing = asyncio.create_task(p.play())
            await p.until(KeyStatusesChanged)
            await asyncio.sleep(0.001)
            assert p.media_keys is not None
            (session,) = p.media_keys.sessions
            assert session.session_id.isdecimal()
            assert session.key_statuses.size == 1
            with pytest.raises(KeystormError, match="keeps this session to itself"):
                await session.close()
            p.stop()
            result = await playing
            assert not result.ended

    _virtual(VOD, main)


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_leaving_stops_the_playback() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> PlayResult:
        async with _player(network, backend.live_url) as p:
            playing = asyncio.create_task(p.play())
            await p.until(Started)
        return await playing

    result = _virtual(LIVE, main)
    assert (result.ended, result.error) == (False, None)


def test_a_player_plays_once() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> None:
        async with _player(network, backend.vod_url) as p:
            await p.play(as_fast_as_possible=True)
            with pytest.raises(UsageError, match="plays once"):
                await p.play()

    _virtual(VOD, main)


def test_a_player_that_was_left_does_not_start_any_more() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> None:
        async with _player(network, backend.vod_url) as p:
            playing = asyncio.create_task(p.play())
        with pytest.raises(UsageError, match="after it was left"):
            await playing

    _virtual(VOD, main)


@pytest.mark.rule("decisions:D78")
@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.02, 0.05, 0.08, 0.11, 0.2, 1.0, 9.0, 17.0])
def test_a_client_cancelled_in_any_state_leaves_nothing_behind(after_s: float) -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> list[str]:
        async with _player(network, backend.live_url) as p:
            playing = asyncio.create_task(p.play())
            await asyncio.sleep(after_s)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            await asyncio.sleep(0)
            return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert _virtual(LIVE, main) == []
    gc.collect()
    assert [type(it).__name__ for it in gc.get_objects() if isinstance(it, (Machine, Drive, Player))] == []


# ── what raises ends one client ──────────────────────────────────────────────────────────────────────────────────────


class _Faulty:
    """Wraps a CDM or stands for a sink, and raises at the second use of its own."""

    def __init__(self, cdm: Cdm | None = None) -> None:
        self.cdm = cdm
        self.inner = HashSink()

    def handle(self, call: Call, now: int, draw: Draw) -> CdmResult:
        if isinstance(call, Decrypt):
            raise LookupError("a fault of the CDM")
        assert self.cdm is not None
        return self.cdm.handle(call, now, draw)

    def write(
        self,
        period: int,
        track: int,
        buffer: bytearray,
        samples: Sequence[Sample],
        deliver: Deliver | None = None,
    ) -> None:
        raise LookupError("a fault of the sink")


def _drive(network: MemoryNetwork, url: str, client: int, cache: ParseCache, *, fault: str = "") -> Drive:
    draw, pool, loop = Draw(1, client), Pool(), _loop()
    spec = PlayerSpec(mpd_url=url, profile=load_profile("ideal"), as_fast_as_possible=True, cdm_latency=VIRTUAL_CDM)

    def make_cdm(key_system: str) -> Cdm:
        cdm = make(key_system, CdmSpec(), pool, loop.epoch_us)
        return _Faulty(cdm) if fault == "cdm" else cdm

    sink: Sink = _Faulty() if fault == "sink" else HashSink()  # type: ignore[assignment]
    return Drive(
        Machine(spec, pool, draw, epoch_us=loop.epoch_us, client=client),
        clock=loop,
        fetcher=network.fetcher(client, draw),
        cache=cache,
        make_cdm=make_cdm,
        draw=draw,
        sink=sink,
    )


@pytest.mark.rule("decisions:D51")
@pytest.mark.parametrize("fault", ["cdm", "sink"])
def test_what_raises_ends_its_own_client_only(fault: str) -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> list[Any]:
        cache = ParseCache()
        drives = [_drive(network, backend.vod_url, n, cache, fault=fault if n == 1 else "") for n in range(3)]
        return await asyncio.gather(*(drive.run() for drive in drives), return_exceptions=True)

    good, bad, good_too = _virtual(VOD, main)
    assert (good, good_too) == (None, None)
    assert isinstance(bad, LookupError)
    assert str(bad) == f"a fault of the {'CDM' if fault == 'cdm' else 'sink'}"


@pytest.mark.rule("decisions:D16")
def test_clients_share_what_is_parsed() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> tuple[int, int]:
        cache = ParseCache()
        await asyncio.gather(*(_drive(network, backend.vod_url, n, cache).run() for n in range(8)))
        return cache.misses, cache.hits

    misses, hits = _virtual(VOD, main)
    assert misses <= 2 * (1 + 2 + 16)  # MPD, init and media segments; throughput may choose two representations
    assert hits > 6 * (1 + 2 + 16)


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Tampered:
    """The embedded services, with one answer changed."""

    def __init__(self, front: InProcess, part: str, change: Callable[[Reply], Reply]) -> None:
        self.front = front
        self.part = part
        self.change = change
        self.touched: set[int] = set()

    def receive(self, request: Request, now: int) -> None:
        if self.part in request.host + request.target:
            self.touched.add(request.id)
        self.front.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        self.front.gone(request_id, now)

    def replies(self) -> list[Reply]:
        return [self.change(reply) if reply.id in self.touched else reply for reply in self.front.replies()]

    def deadline(self) -> int | None:
        return self.front.deadline()

    def handle_deadline(self, now: int) -> None:
        self.front.handle_deadline(now)


def _play_tampered(part: str, change: Callable[[Reply], Reply]) -> tuple[PlayResult, float]:
    async def run() -> tuple[PlayResult, float]:
        front, backend = in_process(VOD)
        network = _network(_Tampered(front, part, change))
        async with _player(network, backend.vod_url) as p:
            result = await p.play(as_fast_as_possible=True)
        return result, _loop().time()

    return run_virtual(run())


@pytest.mark.parametrize(
    ("part", "change"),
    [
        pytest.param(".mpd", lambda reply: reply._replace(status=404), id="mpd-404"),
        pytest.param(".mpd", lambda reply: reply._replace(body=b"<!doctype html><html>"), id="mpd-is-html"),
        pytest.param(".mpd", lambda reply: reply._replace(status=0), id="mpd-cut"),
        pytest.param(".mpd", lambda reply: reply._replace(body=reply.body[:500]), id="mpd-truncated"),
        pytest.param("init", lambda reply: reply._replace(body=reply.body[:100]), id="init-truncated"),
        pytest.param("license.test", lambda reply: reply._replace(status=500), id="license-500"),
        pytest.param("license.test", lambda reply: reply._replace(body=b"rubbish"), id="license-rubbish"),
    ],
)
def test_bad_input_ends_with_one_line_and_a_code(part: str, change: Callable[[Reply], Reply]) -> None:
    result, _ = _play_tampered(part, change)
    assert not result.ended
    assert result.error is not None
    assert result.error.code
    assert result.error.message
    assert "\n" not in result.error.message


def test_one_truncated_segment_does_not_end_the_playback() -> None:
    result, _ = _play_tampered("/2.m4s", lambda reply: reply._replace(body=reply.body[: len(reply.body) // 2]))
    whole = _play_vod()
    assert result.error is None or result.error.code
    assert sum(track.samples for track in result.tracks) <= sum(track.samples for track in whole.tracks)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"profile": "nobody"}, "no profile 'nobody'; there are: "),
        ({"profile": "gone.toml"}, "gone.toml: No such file"),
        ({"license_scope": "galaxy"}, "no license scope 'galaxy'"),
        ({"sink": "mp4"}, "no sink 'mp4'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_fetched(options: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        Player("http://origin.test/x.mpd", **options)


def test_a_trace_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        _play_vod(trace=tmp_path / "none" / "x.jsonl")


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_of_the_package_can_be_read(name: str) -> None:
    assert load_profile(name).name == name


# ── real sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_five_lines_of_the_readme_hold_on_real_sockets(tmp_path: Path) -> None:
    async def main() -> PlayResult:
        raw = sink_named("raw", tmp_path)
        async with player.serve(VOD) as backend, player.Player(backend.vod_url, seed=1, sink=raw) as p:
            return await p.play(as_fast_as_possible=True)

    began = time.monotonic()
    result = asyncio.run(main())
    assert (result.ended, result.license_requests, set(result.keys.values())) == (True, 1, {"usable"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-0.raw", "0-1.raw"]
    assert time.monotonic() - began < 10


def test_several_players_share_a_loop_on_real_sockets() -> None:
    async def main() -> list[PlayResult]:
        spec = BackendSpec(seed=1, license=LicenseSpec(grant="all"))
        async with player.serve(spec) as backend:

            async def one(seed: int) -> PlayResult:
                async with player.Player(backend.vod_url, seed=seed, representation="lowest") as p:
                    return await p.play(as_fast_as_possible=True)

            return await asyncio.gather(*(one(seed) for seed in range(5)))

    results = asyncio.run(main())
    assert all(result.ended for result in results)
    assert len({track.sha256 for result in results for track in result.tracks}) == 2


def test_uvloop_plays_too() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")

    async def main() -> PlayResult:
        async with player.serve(VOD) as backend, player.Player(backend.vod_url, seed=1) as p:
            return await p.play(duration_s=1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(main())
    assert (result.error, result.played_s) == (None, 1.0)


def test_an_event_names_what_settled() -> None:
    async def main(network: MemoryNetwork, backend: Backend) -> list[str]:
        async with _player(network, backend.vod_url) as p:
            stream = p.events(Settled)
            await p.play(as_fast_as_possible=True)
            return [type(event.call).__name__ async for event in stream]

    assert _virtual(VOD, main)[:2] == ["GenerateRequest", "Update"]
