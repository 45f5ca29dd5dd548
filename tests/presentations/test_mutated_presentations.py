"""Mutants of what the tools and our own origin make, played whole: an end, at most one clear error, in bounded work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, ContentSpec, Rotation
from player.runtime.result import PlayResult
from player.wire.http import Reply, Request, Service
from tests.presentations import mutants
from tests.presentations.conftest import Made
from tests.presentations.encoders import LENGTH_S
from tests.presentations.memory_origin import HOST, MemoryOrigin, play
from tests.presentations.mutants import Step
from tests.presentations.recipes import MUXED, PACKAGED, Keys

pytestmark = pytest.mark.rule("dash:O4")

STOP_AT_S = 60.0
MOST_REQUESTS = 3_000
SAMPLES = [
    ("packager", "number, cenc"),
    ("packager", "three Periods"),
    ("packager", "one file, cbcs"),
    ("ffmpeg", "timeline by time"),
    ("ffmpeg", "one file"),
    ("ffmpeg", "duration by number"),
]
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONG = settings(QUICK, max_examples=2_000)

steps = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 1 << 16), st.integers(0, 1 << 16)), min_size=1, max_size=4
)

Files = Mapping[str, bytes]


@cache
def read(mpd: Path) -> Files:
    folder = mpd.parent
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def keys_of(tool: str, name: str) -> Keys:
    return {"packager": PACKAGED, "ffmpeg": MUXED}[tool][name].keys or {}


def assert_came_to_an_end(result: PlayResult, requests: int) -> None:
    assert requests <= MOST_REQUESTS
    if result.error is None:
        return
    assert result.error.code
    assert result.error.message
    assert "\n" not in result.error.message
    assert len(result.error.message) <= 600


@pytest.mark.oracle
@pytest.mark.parametrize(("tool", "name"), SAMPLES)
def test_the_samples_play_in_memory(tool: str, name: str, made: Made) -> None:
    for fast in (True, False):
        origin = MemoryOrigin(read(made(tool, name)))
        result = play(origin, f"http://{HOST}/x.mpd", keys_of(tool, name), fast=fast, stop_at_s=STOP_AT_S)
        assert (result.error, result.ended) == (None, True)
        assert result.played_s == pytest.approx(LENGTH_S, abs=0.05)
        assert_came_to_an_end(result, len(origin.asked))


def play_mutated_mpd(files: Files, keys: Keys, mutation: list[Step], fast: bool) -> None:
    mutated = mutants.mpd(files["x.mpd"].decode(), mutation).encode()
    origin = MemoryOrigin({**files, "x.mpd": mutated})
    result = play(origin, f"http://{HOST}/x.mpd", keys, fast=fast, stop_at_s=STOP_AT_S)
    assert_came_to_an_end(result, len(origin.asked))


def play_mutated_files(files: Files, keys: Keys, mutation: list[Step], which: int, fast: bool) -> None:
    names = [name for name in files if name != "x.mpd"]
    name = names[which % len(names)]
    origin = MemoryOrigin({**files, name: mutants.segment(files[name], mutation)})
    result = play(origin, f"http://{HOST}/x.mpd", keys, fast=fast, stop_at_s=STOP_AT_S)
    assert_came_to_an_end(result, len(origin.asked))


def fuzz_mpds(made: Made, tool: str, name: str, rules: settings) -> None:
    files, keys = read(made(tool, name)), keys_of(tool, name)

    @rules
    @given(mutation=steps, fast=st.booleans())
    def run(mutation: list[Step], fast: bool) -> None:
        play_mutated_mpd(files, keys, mutation, fast)

    run()


def fuzz_files(made: Made, tool: str, name: str, rules: settings) -> None:
    files, keys = read(made(tool, name)), keys_of(tool, name)

    @rules
    @given(mutation=steps, which=st.integers(0, 1 << 10), fast=st.booleans())
    def run(mutation: list[Step], which: int, fast: bool) -> None:
        play_mutated_files(files, keys, mutation, which, fast)

    run()


@pytest.mark.oracle
@pytest.mark.parametrize(("tool", "name"), SAMPLES)
@pytest.mark.parametrize("fuzz", [fuzz_mpds, fuzz_files], ids=["MPD", "media"])
def test_a_mutant_ends_with_at_most_one_clear_error(
    fuzz: Callable[[Made, str, str, settings], None], tool: str, name: str, made: Made
) -> None:
    fuzz(made, tool, name, QUICK)


@pytest.mark.oracle
@pytest.mark.long(5)
@pytest.mark.parametrize(("tool", "name"), SAMPLES)
@pytest.mark.parametrize("fuzz", [fuzz_mpds, fuzz_files], ids=["MPD", "media"])
def test_so_do_thousands_of_mutants(
    fuzz: Callable[[Made, str, str, settings], None], tool: str, name: str, made: Made
) -> None:
    fuzz(made, tool, name, LONG)


# ── a live stream whose MPDs, or whose segments, are mutated from some answer on ─────────────────────────────────────


@dataclass(slots=True)
class Mutating:
    """Another service, whose MPDs or segments are mutated once `since` of them were given as they are."""

    service: Service
    ending: str
    mutate: Callable[[bytes], bytes]
    since: int
    asked: int = 0
    given: int = 0
    _ids: set[int] = field(default_factory=set)

    def receive(self, request: Request, now: int) -> None:
        self.asked += 1
        if request.target.endswith(self.ending):
            self._ids.add(request.id)
        self.service.receive(request, now)

    def gone(self, request_id: int, now: int) -> None:
        self.service.gone(request_id, now)

    def replies(self) -> Iterable[Reply]:
        return [self._mutated(reply) for reply in self.service.replies()]

    def _mutated(self, reply: Reply) -> Reply:
        if reply.id not in self._ids or reply.status != 200:
            return reply
        self.given += 1
        return reply if self.given <= self.since else reply._replace(body=self.mutate(reply.body))

    def deadline(self) -> int | None:
        return self.service.deadline()

    def handle_deadline(self, now: int) -> None:
        self.service.handle_deadline(now)


MUTATE: Mapping[str, Callable[[bytes, list[Step]], bytes]] = {
    ".mpd": lambda body, mutation: mutants.mpd(body.decode(), mutation).encode(),
    ".m4s": mutants.segment,
    ".mp4": mutants.segment,
}


def play_mutated_live(rotation: Rotation, ending: str, mutation: list[Step], since: int) -> None:
    content = ContentSpec(tracks=("video-180p", "audio"), rotation=rotation, crypto_period_s=8)
    front, urls = in_process(BackendSpec(content=content, seed=1))
    origin = Mutating(front, ending, lambda body: MUTATE[ending](body, mutation), since)
    result = play(origin, urls.live_url, fast=False, stop_at_s=20.0)
    assert_came_to_an_end(result, origin.asked)


any_live = given(
    rotation=st.sampled_from(list(Rotation)),
    ending=st.sampled_from(list(MUTATE)),
    mutation=steps,
    since=st.integers(0, 3),
)


@settings(QUICK, max_examples=60)
@any_live
def test_a_mutated_live_stream_ends_too(rotation: Rotation, ending: str, mutation: list[Step], since: int) -> None:
    play_mutated_live(rotation, ending, mutation, since)


@pytest.mark.long(8)
@settings(QUICK, max_examples=3_000)
@any_live
def test_so_do_thousands_of_live_streams(rotation: Rotation, ending: str, mutation: list[Step], since: int) -> None:
    play_mutated_live(rotation, ending, mutation, since)
