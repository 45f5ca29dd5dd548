"""Each kind of mistake in a scenario file gives one line that names the place and says what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from player.errors import ScenarioError, UsageError
from player.scenario.limits import LIMITS, NOT_BUILT
from player.scenario.load import MAX_BYTES, library, load, parse
from player.scenario.schema import Scenario
from player.scenario.specs import to_storm

DEMO = (library() / "demo.toml").read_text(encoding="utf-8")
HEAD = '[scenario]\nformat = 1\ntitle = "t"\n'

NOT_BUILT_YET = "is not built yet; there"


def refused(text: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "x.toml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("x.toml ")
    return caught.value


@pytest.mark.rule("decisions:D84")
@pytest.mark.parametrize(
    ("instead_of", "stands", "path", "words"),
    [
        # keys and tables
        ("segment_s = 2", "segmnt_s = 2", "$.content.segmnt_s", "did you mean 'segment_s'?"),
        ("[network]", "[netwrok]", "$.netwrok", "did you mean 'network'?"),
        ("announce_s = 8", "announced = true", "$.content.announced", "unknown key"),
        ("quirks = []", "roots = {}", "$.cdm.roots", "unknown key"),
        ("quirks = []", '"a\\nb" = 1', '$.cdm."a\\nb"', "unknown key"),
        ("title = ", "source2 = ", "$.scenario.source2", "unknown key"),
        ('name = "embedded"', "margin_s = 1", "$.storm.strategies[2].name", "missing"),
        ("[storm]", "[storm.x]\n[storm]", "$.storm.x", "unknown key"),
        # types
        ("count = 300", "count = 300.5", "$.clients.count", "expected a whole number, not 300.5"),
        ("count = 300", "count = true", "$.clients.count", "expected a whole number, not true"),
        ("count = 300", "count = 2026-01-01", "$.clients.count", 'not "2026-01-01"'),
        ("segment_s = 2", 'segment_s = "2"', "$.content.segment_s", "expected a number"),
        ("segment_s = 2", "segment_s = nan", "$.content.segment_s", "expected a finite number"),
        ("end_s = 35", "end_s = inf", "$.storm.end_s", "expected a finite number"),
        ("withhold = []", "withhold = {}", "$.backend.license.withhold", "expected a list, not a table"),
        ("withhold = []", 'withhold = ["00"]', "$.backend.license.withhold[0]", "32 hex digits"),
        ("withhold = []", "withhold = [17]", "$.backend.license.withhold[0]", "expected a text"),
        ('"audio"]', "3]", "$.content.tracks[1]", "expected a text, not 3"),
        ('scheme = "cenc"', "scheme = 1", "$.content.scheme", "expected a text"),
        # names
        ('scheme = "cenc"', 'scheme = "zenc"', "$.content.scheme", "did you mean 'cenc'?"),
        ('scheme = "cenc"', 'scheme = "cens"', "$.content.scheme", "expected cenc or cbcs"),
        ('clip = "loop"', 'clip = "movie"', "$.content.clip", "no embedded clip is called 'movie'"),
        ('"audio"]', '"adio"]', "$.content.tracks", "expected some of video-180p"),
        ('"audio"]', '"video-180p"]', "$.content.tracks", "expected some of"),
        ('grant = "requested"', 'grant = "next:0"', "$.backend.license.grant", "next:K"),
        ('discipline = "fifo"', 'discipline = "random"', "$.backend.license.admission.discipline", "fifo, lifo"),
        ('profile = "ideal"', 'profile = "idael"', "$.player.profile", "did you mean 'ideal'?"),
        ('profile = "ideal"', 'license_scope = "world"', "$.player.license_scope", "init-data"),
        ('"embedded_keys"]', '"embeded_keys"]', "$.cdm.features[0]", "did you mean 'embedded_keys'?"),
        ("quirks = []", 'quirks = ["slow"]', "$.cdm.quirks[0]", "status_pending_first"),
        ("quirks = []", 'on_missing_root = "cry"', "$.cdm.on_missing_root", "pending"),
        ("quirks = []", 'hdcp = "9"', "$.cdm.hdcp", "2.3"),
        ("quirks = []", 'output_restricted = "hide"', "$.cdm.output_restricted", "block"),
        ("quirks = []", "max_sessions = 0", "$.cdm.max_sessions", "1 to 10,000"),
        ('driver = "play"', 'driver = "lean"', "$.storm.driver", NOT_BUILT_YET),
        ('driver = "play"', 'driver = "fly"', "$.storm.driver", "no 'fly'; there is: play"),
        ('media = "full"', 'media = "none"', "$.storm.media", NOT_BUILT_YET),
        ('name = "embedded"', 'name = "hybrid"', "$.storm.strategies[2].name", NOT_BUILT_YET),
        ('name = "embedded"', 'name = "embeded"', "$.storm.strategies[2].name", "did you mean 'embedded'?"),
        ('join = { model = "uniform"', 'join = { model = "burst"', "$.clients.join.model", NOT_BUILT_YET),
        # numbers
        ("count = 300", "count = 0", "$.clients.count", "expected 1 to 1,000,000, not 0"),
        ("count = 300", "count = -3", "$.clients.count", "not -3"),
        ("count = 300", "count = 99999999999999", "$.clients.count", "not 99,999,999,999,999"),
        ("segment_s = 2", f"segment_s = {10**400}", "$.content.segment_s", "beyond 64 bits"),
        ("seed = 1", f"seed = {2**63 + 1}", "$.storm.seed", "beyond 64 bits"),
        ("seed = 1", "seed = -1", "$.storm.seed", "not -1"),
        ("capacity = 50", "capacity = 0", "$.backend.license.admission.capacity", "more than 0"),
        ("bandwidth_mbps = 20", "bandwidth_mbps = 0", "$.network.bandwidth_mbps", "not 0"),
        ("mpd_refresh_s = 2", "mpd_refresh_s = -2", "$.content.mpd_refresh_s", "not -2"),
        ("workers = 1", "workers = 4", "$.storm.workers", "more than one worker is not built yet"),
        ("format = 1", "format = 2", "$.scenario.format", "newer than 1"),
        ("format = 1", "format = 0", "$.scenario.format", "expected 1"),
        # how values go together
        ("crypto_period_s = 8", "crypto_period_s = 9", "$.content.crypto_period_s", "no multiple of the segment's 2 s"),
        ("first_boundary_s = 10", "first_boundary_s = 11", "$.content.first_boundary_s", "no multiple"),
        ("segment_s = 2", "segment_s = 5", "$.content.crypto_period_s", "no multiple of the segment's 5 s"),
        ("time_shift_s = 24", "time_shift_s = 1", "$.content.time_shift_s", "less than a segment"),
        ("announce_s = 8", "announce_s = 8\nclose_s = 9", "$.content.close_s", "longer than"),
        ("from_s = 4, to_s = 8", "from_s = 4, to_s = 3", "$.clients.live_delay_s.to_s", "3 is less than 4"),
        ("from_ms = 20", "from_ms = 40", "$.network.latency_ms.to_ms", "30 is less than 40"),
        (
            "bandwidth_mbps = 20",
            "changes = [{ at_s = 9, bandwidth_mbps = 1 }, { at_s = 9 }]",
            "$.network.changes[1].at_s",
            "9 s is not after 9 s",
        ),
        (
            "bandwidth_mbps = 20",
            "changes = [{ at_s = 9, bandwidth_mbps = -1 }]",
            "$.network.changes[0].bandwidth_mbps",
            "not -1",
        ),
        (
            "bandwidth_mbps = 20",
            "changes = [{ at_s = 9, latency_ms = { from_ms = 3, to_ms = 2 } }]",
            "$.network.changes[0].latency_ms.to_ms",
            "2 is less than 3",
        ),
        ("end_s = 35", "end_s = 7", "$.storm.end_s", "the last client joins at 7 s"),
        ('name = "embedded"', 'name = "embedded"\nwindow_s = 3', "$.storm.strategies[2].window_s", "no such parameter"),
    ],
)
def test_a_fault_is_told_with_its_place(instead_of: str, stands: str, path: str, words: str) -> None:
    assert instead_of in DEMO
    error = refused(DEMO.replace(instead_of, stands, 1))
    assert (error.code, error.file, error.path) == ("bad-scenario", "x.toml", path)
    assert words in error.reason


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "$", "no table [scenario]"),
        ("x = 1", "$", "no table [scenario]"),
        ("scenario = 1", "$.scenario", "expected a table, not 1"),
        ("[scenario]", "$.scenario.format", "missing"),
        ("[scenario]\nformat = 1", "$.scenario.title", "missing"),
        ('[scenario]\nformat = 1\ntitle = "a\\u001b[2J"', "$.scenario.title", "printable"),
        ("[scenario]\nformat = x", "line 2 column 10", "Invalid value"),
        ("[scenario]\nformat = ", "line 2", "Invalid value (at end of document)"),
        ("[scenario]\n[scenario]", "line 2 column 10", "Cannot declare"),
        ("x = " + "[" * 100_000, "$", "nested too deeply"),
        ("x = " + "9" * 5_000, "$", "thousands of digits"),
        (f'{HEAD}[content]\nscheme = "{"c" * 100_000}"', "$.content.scheme", "…"),
        (f"{HEAD}[content]\n{'c' * 100_000} = 1", f'$.content."{"c" * 40}"', "…"),
        (f"{HEAD}[content]\ntracks = {['a'] * 10_001}", "$.content.tracks", "more than 10,000 items"),
        (f"{HEAD}[content]\nsegment_s = 7", "$.content.crypto_period_s", "no multiple of the segment's 7 s"),
        (
            f"{HEAD}[content]\nsegment_s = 3\ncrypto_period_s = 9\nduration_s = 18",
            "$.content.segment_s",
            "no multiple of 2 s",
        ),
        (
            f'{HEAD}[[backend.license.faults]]\nfrom_s = 2\nto_s = 1\nmode = "down"',
            "$.backend.license.faults[0].to_s",
            "1 is less than 2",
        ),
        (
            f'{HEAD}[[backend.license.faults]]\nfrom_s = 1\nto_s = 2\nmode = "fire"',
            "$.backend.license.faults[0].mode",
            "down",
        ),
    ],
)
def test_a_file_that_is_no_scenario_is_told_so(text: str, place: str, words: str) -> None:
    error = refused(text)
    assert (error.path, words in error.reason) == (place, True), str(error)


def test_a_head_alone_is_a_scenario() -> None:
    assert parse(HEAD).content == Scenario(scenario=parse(HEAD).scenario).content


def test_a_storm_needs_a_strategy() -> None:
    with pytest.raises(UsageError, match="names no strategy"):
        to_storm(parse(HEAD, "x.toml"))
    assert [one.name for one in to_storm(parse(HEAD), strategies=["jitter"]).strategies] == ["jitter"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"\xff", "byte 0: not UTF-8"), (b"#" * (MAX_BYTES + 1), "more than 1,000,000 bytes")],
    ids=["missing", "not-utf-8", "large"],
)
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((UsageError, ScenarioError)) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_folder_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        load(tmp_path)


@pytest.mark.rule("decisions:D56")
def test_a_profile_file_lies_beside_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(HEAD + '[player]\nprofile = "own.toml"\n[[storm.strategies]]\nname = "jitter"\n')
    with pytest.raises(UsageError, match=r"own\.toml: No such file"):
        to_storm(load(path))
    (tmp_path / "own.toml").write_text("name = 1")
    with pytest.raises(ScenarioError, match=r"own\.toml \$"):
        to_storm(load(path))


def test_every_name_of_a_thing_to_come_is_refused_and_is_not_there() -> None:
    for path, names in NOT_BUILT.items():
        if path in LIMITS:
            assert all(NOT_BUILT_YET in (LIMITS[path](name) or "") for name in names)


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = sorted({word for path in LIMITS for word in path.replace("[]", "").split(".")[1:]})


def written(value: Any) -> str:
    """TOML, inline."""
    match value:
        case None:
            return "2026-01-01"
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(c):08x}" for c in value if not 0xD800 <= ord(c) < 0xE000) + '"'
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{written(name)} = {written(one)}" for name, one in value.items()) + "}"
        case _:
            return repr(value)


@settings(max_examples=200)
@given(st.sampled_from(WORDS), st.sampled_from(WORDS), PLAIN)
@example("storm", "strategies", [{"name": "jitter"}])
def test_whatever_stands_in_a_file_it_is_read_or_refused_in_one_line(table: str, key: str, value: Any) -> None:
    text = (
        f"{HEAD}[{table}]\n{key} = {written(value)}\n" if table != "scenario" else f"{HEAD}{key} = {written(value)}\n"
    )
    line = ""
    try:
        parse(text)
    except ScenarioError as error:
        line = str(error)
    assert "\n" not in line
    assert len(line) < 600
