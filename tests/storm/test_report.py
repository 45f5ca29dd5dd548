"""The report needs nothing from outside, holds what it is told as text, and opens without a complaint."""

from __future__ import annotations

import copy
import json
import re
import shutil
import struct
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from player.storm import report
from player.storm.chart_parts import LOOKS
from player.storm.document import Run
from player.storm.figures import names
from tests.storm.storms import EMBEDDED, STRATEGIES, result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
COMMAND = "keystorm demo --report report.html"
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> & \"quotes\""

pytestmark = pytest.mark.rule("decisions:D67")


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    found = [copy.deepcopy(result(strategy)) for strategy in STRATEGIES]
    for run in found:
        run["title"] = HOSTILE
    return found


@pytest.fixture(scope="module")
def page(runs: list[Run]) -> str:
    return report.html(runs, command=COMMAND)


class Reader(HTMLParser):
    """What a page loads, and what it says outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data: str) -> None:
        if not self.tags or self.tags[-1] not in ("script", "style"):
            self.said.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_loads_nothing_from_outside(page: str) -> None:
    assert all(address.startswith("data:image/svg+xml;base64,") for address in read(page).loads)
    addresses = set(re.findall(r"https?://[\w.-]+(?:/[\w./-]*)?", page))
    assert addresses <= {
        # names of things, never fetched: the bundle of Vega has them
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/2000/xmlns/",
        "https://github.com/vega/vega-lite/issues/2415",
        "https://vega.github.io/editor/",
        "https://vega.github.io/schema/vega/v6.json",
    }
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert len(page.encode()) < 2_000_000


def test_a_title_from_outside_is_text(page: str) -> None:
    reader = read(page)
    assert reader.tags.count("script") == 2  # the numbers, and what draws them
    assert HOSTILE in reader.said
    assert "onerror=alert" not in re.sub(r"onerror=alert\(1\)&gt;", "", page)


def test_findings_command_and_numbers_are_on_the_page(page: str) -> None:
    said = " ".join(read(page).said)
    assert "License requests in the busiest second, once everybody plays: 60 (on-demand)" in said
    assert COMMAND in said
    assert "rotation-prefetch" in said
    assert re.search(r"(\d+) of \1 predictions by arithmetic hold", said)
    assert "on-demand is valid, jitter is valid and embedded is valid" in said
    assert 'name="viewport"' in page


def test_a_strategy_has_its_own_colour_dash_and_shape_in_every_chart() -> None:
    assert len({look[0] for look in LOOKS}) == len({look[1] for look in LOOKS}) == len(LOOKS)
    assert len({look[2] for look in LOOKS}) == len(LOOKS)


def test_a_strategy_run_twice_gets_two_names(runs: list[Run]) -> None:
    assert names([runs[0], runs[1], runs[0]]) == ["on-demand 1", "jitter", "on-demand 2"]


def test_a_run_without_boundaries_stalls_or_requests_has_a_report() -> None:
    run = copy.deepcopy(result(EMBEDDED))
    run["boundaries"], run["summary"]["boundaries"] = [], []
    run["series_1s"]["by_cause"], run["summary"]["requests_per_s"] = {}, []
    run["spec"]["backend"]["license"]["admission"]["capacity"] = None
    assert "once everybody plays: 0 (embedded)" in report.html([run])


def test_the_main_picture_comes_as_svg_and_png(runs: list[Run]) -> None:
    drawn = report.svg(runs)
    assert drawn.startswith("<svg")
    assert drawn == report.svg(runs)
    pixels = report.png(runs, scale=1)
    assert pixels.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", pixels[16:24])
    assert width > height > 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
@pytest.mark.parametrize("width", [1200, 360])
def test_the_page_draws_itself_at_any_width_without_a_complaint(
    width: int, page: str, browser: Browser, tmp_path: Path
) -> None:
    opened, told = open_page(browser, page, tmp_path, width=width)
    opened.wait_for_function("document.querySelectorAll('.chart svg').length === 6")
    assert told == [(tmp_path / "report.html").as_uri()]  # no error, and no request but the page itself
    assert opened.title() == HOSTILE
    widths = opened.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths == [width, width]  # nothing is wider than the window
    drawn = opened.evaluate("[...document.querySelectorAll('.chart svg')].map(it => it.getBoundingClientRect().width)")
    assert all(width / 2 < each <= width for each in drawn)
    opened.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
def test_the_pictures_are_there_with_scripts_off(page: str, browser: Browser, tmp_path: Path) -> None:
    opened, told = open_page(browser, page, tmp_path, width=1000, java_script_enabled=False)
    pictures = opened.locator("noscript img")
    assert pictures.count() == 6
    assert all((box := pictures.nth(i).bounding_box()) is not None and box["height"] > 50 for i in range(6))
    assert told == [(tmp_path / "report.html").as_uri()]
    opened.close()


def open_page(browser: Browser, page: str, folder: Path, *, width: int, **settings: Any) -> tuple[Page, list[str]]:
    """The report in a window; whatever it says or fetches."""
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 800}, **settings)
    told: list[str] = []
    opened.on("console", lambda message: told.append(message.text))
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda request: None if request.url.startswith("data:") else told.append(request.url))
    opened.goto(path.as_uri())
    return opened, told


def test_the_document_can_be_read_back_and_drawn_again(runs: list[Run]) -> None:
    from player.storm.result import document, to_json

    read_back = json.loads(to_json(document(runs)))["runs"]
    assert report.html(read_back, command=COMMAND) == report.html(runs, command=COMMAND)
