"""Chromium plays the clear loop through its seams: no error, no gap in the buffer, both tracks."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from player.backend.clip.load import ClipTrack, load
from player.backend.packager.segment import init_segment, media_segment

if TYPE_CHECKING:
    from playwright.sync_api import Browser

api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
CHROMIUM = shutil.which("chromium")
LOOPS = 3

pytestmark = pytest.mark.browser

PLAY = """async tracks => {
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const video = document.body.appendChild(document.createElement('video'));
  const heard = (target, event) => new Promise((done, failed) => {
    target.addEventListener(event, done, {once: true});
    target.addEventListener('error', () => failed(new Error(video.error?.message ?? 'append failed')), {once: true});
  });
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await heard(source, 'sourceopen');
  const buffers = tracks.map(track => source.addSourceBuffer(track.type));
  for (const [i, track] of tracks.entries())
    for (const segment of track.segments) {
      buffers[i].appendBuffer(bytes(segment));
      await heard(buffers[i], 'updateend');
    }
  source.endOfStream();
  const ranges = buffers.map(({buffered}) => [buffered.length, buffered.start(0), Math.round(buffered.end(0) * 1e3)]);
  video.muted = true;
  video.playbackRate = 16;
  await Promise.all([video.play(), heard(video, 'ended')]);
  const {corruptedVideoFrames} = video.getVideoPlaybackQuality();
  return {ranges, corruptedVideoFrames, width: video.videoWidth, error: video.error?.message ?? null};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.parametrize("name", ["video-180p", "video-360p", "video-720p"])
def test_three_loops_play_in_chromium_without_a_gap(name: str, browser: Browser) -> None:
    tracks = [load().tracks[it] for it in (name, "audio")]
    sources = [{"type": f'{it.kind}/mp4; codecs="{it.codecs}"', "segments": encoded(it)} for it in tracks]
    page = browser.new_page()
    seen = page.evaluate(PLAY, sources)
    page.close()
    assert seen == {
        "ranges": [[1, 0, 8000 * LOOPS]] * 2,  # one range a track, ms
        "corruptedVideoFrames": 0,
        "width": tracks[0].width,
        "error": None,
    }


def encoded(track: ClipTrack) -> list[str]:
    init = init_segment(track, protection=None)
    segments = [init, *(media_segment(track, k, key=None, in_group=False) for k in range(4 * LOOPS))]
    return [base64.b64encode(segment).decode() for segment in segments]
