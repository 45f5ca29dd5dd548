"""The embedded live origin plays in real players, in Chromium with Clear Key, while the keys change.

All players run at the same time, each with a backend of its own; the tests then look at what happened.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from player.backend.license_server.log import LicenseLogEntry
from player.backend.rotation.schedule import live_schedule
from player.backend.serve import build, serve
from player.backend.spec import BackendSpec, ContentSpec, Form, Rotation
from player.clock import SECOND
from player.ids import CLEARKEY, KeyId
from tests.browsers.page_server import TESTS, page_server

CHROMIUM: Final = shutil.which("chromium")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
SEGMENT_S: Final = 2.0
CRYPTO_PERIOD_S: Final = 8.0
FRAMES_A_SECOND: Final = 25
PATIENCE_S: Final = 45
POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A player, the package it comes in, and how the keys rotate under it."""

    player: str
    package: str
    rotation: Rotation


RUNS: Final = (
    Run(player="shaka", package="shaka-player", rotation=Rotation.IN_BAND),
    Run(player="rxplayer", package="rx-player", rotation=Rotation.IN_BAND),
    Run(player="rxplayer", package="rx-player", rotation=Rotation.NEW_PERIOD),
    Run(player="dashjs", package="dashjs", rotation=Rotation.NEW_PERIOD),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the page said `first` when its picture moved, and at the `last`: well past the boundary, or out of patience.

    `before` and `after` are the KIDs on either side of the boundary, which lies on the media timeline.
    """

    boundary_s: float
    first: Mapping[str, Any]
    last: Mapping[str, Any]
    before: frozenset[KeyId]
    after: frozenset[KeyId]
    log: tuple[LicenseLogEntry, ...]


ABSENT: Final = ", ".join(sorted({run.package for run in RUNS if not (TESTS / "node_modules" / run.package).is_dir()}))

pytestmark = [
    pytest.mark.alone,
    pytest.mark.browser,
    pytest.mark.skipif(bool(ABSENT), reason=f"no {ABSENT} in tests/node_modules (make test installs it, with npm)"),
]


@pytest.fixture(scope="module")
def outcomes() -> Mapping[Run, Outcome]:
    return asyncio.run(play_all())


async def play_all() -> Mapping[Run, Outcome]:
    from playwright.async_api import async_playwright

    async with page_server() as pages, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found = await asyncio.gather(*(play(run, browser, pages) for run in RUNS))
        await browser.close()
    return dict(zip(RUNS, found, strict=True))


async def play(run: Run, browser: Any, pages: str) -> Outcome:
    content = ContentSpec(
        tracks=("video-180p", "audio"),
        segment_s=SEGMENT_S,
        rotation=run.rotation,
        crypto_period_s=CRYPTO_PERIOD_S,
    )
    spec = BackendSpec(content=content, seed=1)
    log: list[LicenseLogEntry] = []
    async with serve(spec, log=log.append) as backend:
        page = await (await browser.new_context()).new_page()
        query = {"player": run.player, "mpd": backend.live_url, "license": backend.license_urls[CLEARKEY]}
        await page.goto(f"{pages}/pages/player.html?{urlencode(query)}")
        first = await report(page, lambda said: said["decoded_frames"] > 0)
        schedule = live_schedule(content)
        period = schedule.period(int(first["current_time_s"] // SEGMENT_S))
        boundary_s = schedule.start(period + 1) / SECOND
        last = await report(page, lambda said: said["current_time_s"] > boundary_s + 1.5 * SEGMENT_S)
        await page.close()
    keys = build(spec, origin="", license="", epoch_us=backend.t0_epoch_us).presentations[Form.LIVE]
    before, after = frozenset(keys.kids(period)), frozenset(keys.kids(period + 1))
    return Outcome(boundary_s=boundary_s, first=first, last=last, before=before, after=after, log=tuple(log))


async def report(page: Any, enough: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
    """What the page says once that is enough, or something is fatally wrong, or patience has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        said: Mapping[str, Any] = await page.evaluate("report()")
        if enough(said) or said["errors"] or time.monotonic() > deadline:
            return said
        await asyncio.sleep(POLL_S)


@pytest.fixture(params=RUNS, ids=lambda run: f"{run.player}-{run.rotation}")
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


def test_it_is_the_player_that_is_pinned(outcomes: Mapping[Run, Outcome], run: Run) -> None:
    pinned = json.loads((TESTS / "package.json").read_text(encoding="utf-8"))["dependencies"][run.package]
    assert str(outcomes[run].last["version"]).lstrip("v") == pinned


def test_no_player_meets_an_error(outcomes: Mapping[Run, Outcome], run: Run) -> None:
    assert outcomes[run].last["errors"] == []


def test_playback_goes_on_past_the_change_of_keys(outcomes: Mapping[Run, Outcome], run: Run) -> None:
    outcome = outcomes[run]
    assert outcome.first["current_time_s"] < outcome.boundary_s
    assert outcome.last["current_time_s"] > outcome.boundary_s + SEGMENT_S


def test_frames_are_decoded_on_both_sides_of_the_change(outcomes: Mapping[Run, Outcome], run: Run) -> None:
    outcome = outcomes[run]
    played_s = outcome.last["current_time_s"] - outcome.first["current_time_s"]
    assert (outcome.last["width"], outcome.last["height"]) == (320, 180)
    assert outcome.last["decoded_frames"] - outcome.first["decoded_frames"] > played_s * FRAMES_A_SECOND / 2


def test_the_license_server_was_asked_for_the_keys_before_and_after(outcomes: Mapping[Run, Outcome], run: Run) -> None:
    outcome = outcomes[run]
    given = [kid for entry in outcome.log if entry.status == 200 for kid in entry.kids]
    assert outcome.before | outcome.after <= set(given)
    assert given.index(min(outcome.before)) < given.index(min(outcome.after))
