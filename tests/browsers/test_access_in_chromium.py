"""requestMediaKeySystemAccess for Clear Key: what a page of ours grants, against what Chromium grants."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import Any, Final

import pytest

from player.eme.access import Configuration
from player.errors import EmeError
from player.ids import CLEARKEY
from player.runtime.page import Page
from player.runtime.virtual_loop import run_virtual
from tests.browsers.page_server import page_server

pytestmark = pytest.mark.alone

CHROMIUM: Final = shutil.which("chromium")
AVC: Final = "avc1.42E01E"
GOOD: Final = f'video/mp4; codecs="{AVC}"'

VIDEO: Final = (
    GOOD, f'Video/MP4; CODECS="{AVC}"', f" video/mp4;codecs={AVC} ", f"video/mp4 ; codecs={AVC}",
    f'video/mp4; codecs=" {AVC} "', f'video/mp4; codecs=",{AVC}"', f'video/mp4; codecs="{AVC},"',
    'video/mp4; codecs="AVC1.42E01E"', "video/mp4; codecs=avc1.42e01e", "video/mp4", "video/webm",
    'video/mp4; codecs=""', 'video/mp4; foo="bar"', f'{GOOD}; foo="bar"', "video/mp4;", f"video/mp4; codecs={AVC};",
    f"video/mp4; codecs={AVC}; codecs={AVC}", "video/mp4; codecs=avc1", "video/mp4; codecs=mp4a.40.2",
    f'video/mp4; codecs="{AVC},mp4a.40.2"', "video/mp4; codecs=vp09.00.10.08", "video/mp4; codecs=av01.0.04M.08",
    "video/webm; codecs=vp8", "video/webm; codecs=vp9", "video/webm; codecs=vp09.00.10.08", f"video/webm; codecs={AVC}",
    f"audio/mp4; codecs={AVC}", "fake", "video/fake; codecs=x", f"video/mp4; codecs='{AVC}'",
    f'video/mp4; codecs="{AVC}',
)  # fmt: skip
AUDIO: Final = (
    "audio/mp4; codecs=mp4a.40.2", "audio/mp4; codecs=mp4a.40.5", "audio/mp4; codecs=flac", "audio/mp4; codecs=fLaC",
    "audio/mp4; codecs=opus", "audio/mp4; codecs=vorbis", "audio/mp4", "audio/webm; codecs=opus",
    "audio/webm; codecs=vorbis", "audio/webm; codecs=mp4a.40.2", "video/webm; codecs=vp9",
)  # fmt: skip
SCHEMES: Final = (None, "", "cenc", "cbcs", "cbcs-1-9", "cens", "CENC")
REQUIREMENTS: Final = ("required", "optional", "not-allowed", "maybe")


def _video(content_type: str = GOOD, **members: Any) -> dict[str, Any]:
    return {"videoCapabilities": [{"contentType": content_type, **members}]}


ALIKE: Final[tuple[list[dict[str, Any]], ...]] = (
    *([_video(it)] for it in VIDEO),
    *([{"audioCapabilities": [{"contentType": it}]}] for it in AUDIO),
    *([_video(encryptionScheme=it)] for it in SCHEMES),
    *([_video(robustness=it)] for it in ("", "1")),
    *([_video() | {"distinctiveIdentifier": it}] for it in REQUIREMENTS),
    *([_video() | {"persistentState": it}] for it in REQUIREMENTS),
    [_video() | {"persistentState": "not-allowed", "sessionTypes": ["persistent-license"]}],
    [_video() | {"sessionTypes": []}],
    [_video() | {"sessionTypes": ["temporary", "eternal"]}],
    [_video() | {"initDataTypes": ["fake", "cenc", "keyids"]}],
    [_video() | {"initDataTypes": ["CENC", ""]}],
    [_video() | {"audioCapabilities": [{"contentType": "audio/fake"}]}],
    [_video() | {"label": " one ", "later": 1}],
    [{"videoCapabilities": [{"contentType": GOOD}, {"contentType": ""}]}],
    [{"videoCapabilities": [{"contentType": "video/fake"}, {"contentType": GOOD}]}],
    [{}],
    [{}, _video()],
    [],
)
UNLIKE: Final[tuple[tuple[str, list[dict[str, Any]]], ...]] = (
    ("it allows blanks around =, which RFC 9110 does not", [_video(f"video/mp4; codecs = {AVC}")]),
    ("it takes WebM in any scheme; WebM has counter mode alone",
     [_video("video/webm; codecs=vp9", encryptionScheme="cbcs")]),
    ("its Clear Key stores nothing", [_video() | {"sessionTypes": ["persistent-license"]}]),
    ("it fails the list for an entry without a slash; EME passes such an entry over",
     [{"videoCapabilities": [{"contentType": "junk"}, {"contentType": GOOD}]}]),
)  # fmt: skip

ASK: Final = """
async cases => {
  const found = []
  for (const configurations of cases) {
    const asked = navigator.requestMediaKeySystemAccess("org.w3.clearkey", configurations)
    found.push(await asked.then(access => access.getConfiguration(), error => error.name))
  }
  return found
}
"""


async def in_chromium(cases: list[list[dict[str, Any]]]) -> list[Any]:
    from playwright.async_api import async_playwright

    async with page_server() as pages, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=("--no-sandbox", "--disable-gpu"))
        page = await browser.new_page()
        await page.goto(f"{pages}/pages/script.js")
        found: list[Any] = await page.evaluate(ASK, cases)
        await browser.close()
    return found


async def on_our_page(cases: list[list[dict[str, Any]]]) -> list[Any]:
    page = Page(seed=1)
    found: list[Any] = []
    for configurations in cases:
        try:
            access = await page.request_media_key_system_access(CLEARKEY, _snake_cased(configurations))
        except EmeError as error:
            found.append(error.name)
        else:
            found.append(_as_in_javascript(access.get_configuration()))
    return found


def _snake_cased(given: Any) -> Any:
    if isinstance(given, dict):
        return {re.sub("[A-Z]", lambda it: "_" + it[0].lower(), name): _snake_cased(it) for name, it in given.items()}
    return [_snake_cased(it) for it in given] if isinstance(given, list) else given


def _as_in_javascript(it: Configuration) -> dict[str, Any]:
    video, audio = (
        [
            {"contentType": one.content_type, "encryptionScheme": one.encryption_scheme, "robustness": one.robustness}
            for one in capabilities
        ]
        for capabilities in (it.video_capabilities, it.audio_capabilities)
    )
    return {
        "label": it.label,
        "initDataTypes": list(it.init_data_types),
        "videoCapabilities": video,
        "audioCapabilities": audio,
        "distinctiveIdentifier": str(it.distinctive_identifier),
        "persistentState": str(it.persistent_state),
        "sessionTypes": list(it.session_types or ()),
    }


@pytest.mark.browser
@pytest.mark.rule("A033")
def test_a_page_grants_for_clear_key_what_chromium_grants_but_for_the_differences_named() -> None:
    cases = [*ALIKE, *(case for _, case in UNLIKE)]
    theirs, ours = asyncio.run(in_chromium(cases)), run_virtual(on_our_page(cases))
    different = [case for case, one, other in zip(cases, theirs, ours, strict=True) if one != other]
    assert different == [case for _, case in UNLIKE]
