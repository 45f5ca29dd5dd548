"""`keystorm trace explain` over the traces of real plays, on the virtual clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, ContentSpec, Fault, Form, KeyPlan, LicenseSpec, Rotation
from player.chance import Draw
from player.cli.explained import explain
from player.cli.main import main
from player.ids import ContentKey, KeyId
from player.runtime.clock import running_clock
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.result import PlayResult
from player.runtime.virtual_loop import run_virtual
from player.storm.play import run as run_storm
from player.trace.encode import Header
from player.trace.reader import read_trace
from player.trace.writer import TraceWriter
from tests.cli.test_inspect_terminal import STYLES, on_a_terminal
from tests.storm.storms import JITTER, twin

VOD = BackendSpec(seed=1, content=ContentSpec(form=Form.VOD))
TWO_KEYS = BackendSpec(seed=1, content=ContentSpec(form=Form.VOD, keys=KeyPlan.RESOLUTION))
LIVE = BackendSpec(seed=1, content=ContentSpec(rotation=Rotation.IN_BAND))
FAILING = replace(VOD, license=LicenseSpec(faults=(Fault(from_s=0, to_s=1000, mode="error"),)))

Explain = Callable[..., Any]


def _play(path: Path, spec: BackendSpec, **options: Any) -> PlayResult:
    """Play to the end, or 20 s of a live presentation; the trace goes to `path`."""

    async def play() -> PlayResult:
        clock = running_clock()
        front, urls = in_process(spec, clock.epoch_us)
        live = spec.content.form is Form.LIVE
        fetcher = MemoryNetwork(front, clock).fetcher(0, Draw(1, 0))
        url = urls.live_url if live else urls.vod_url
        async with Player(url, seed=1, fetcher=fetcher, trace=path, **options) as player:
            return await player.play(duration_s=20 if live else None, as_fast_as_possible=not live)

    return run_virtual(play())


@pytest.fixture
def explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Explain:
    """`explained(spec, **options)`: the JSON of what a play's trace says."""

    def of(spec: BackendSpec, **options: Any) -> Any:
        path = tmp_path / "x.trace.jsonl"
        _play(path, spec, **options)
        return _json(path, capsys)

    return of


def _json(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    assert main(["trace", "explain", str(path), "--json", *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def _told(path: Path, line: int) -> Any:
    return json.loads(path.read_text().splitlines()[line - 1])


# ── license requests ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_single_key_is_asked_for_once_because_playback_starts(explained: Explain, tmp_path: Path) -> None:
    found = explained(VOD)
    assert found["trace"]["seed"] == 1
    assert (found["clients"], found["usable"], found["keys"]) == (1, 1, [])
    (request,) = found["requests"]
    assert (request["cause"], request["origin"], request["attempt"], request["sequence"]) == ("start", "start", 1, 0)
    assert (request["init_data"], request["rule"], request["after"]) == ("mpd", "request", None)
    assert request["outcome"] == "ok"
    line = _told(tmp_path / "x.trace.jsonl", request["line"])
    assert (line["name"], line["data"]["kids"]) == ("drm:license-requested", request["kids"])


def test_each_key_of_a_rotation_is_asked_for_on_demand_from_init_data_in_the_media(explained: Explain) -> None:
    requests = explained(LIVE)["requests"]
    assert [request["cause"] for request in requests] == ["start", "rotation-demand", "rotation-demand"]
    assert {request["init_data"] for request in requests} == {"media-segment"}
    assert len({kid for request in requests for kid in request["kids"]}) == 3


def test_the_browsers_event_is_told_from_a_reading_of_the_players_own(explained: Explain) -> None:
    assert {request["init_data"] for request in explained(LIVE, profile="shaka")["requests"]} == {"event"}


def test_a_retry_tells_its_first_cause_and_what_became_of_the_attempt_before(explained: Explain) -> None:
    requests = explained(FAILING)["requests"]
    assert [request["attempt"] for request in requests] == [1, 2, 3, 4, 5, 6]
    assert {(r["cause"], r["origin"], r["after"]) for r in requests[1:]} == {("retry-error", "start", "http-500")}
    assert {request["init_data"] for request in requests} == {"mpd"}


def test_keys_given_by_hand_are_told_from_requests_to_a_server(explained: Explain) -> None:
    (kid,) = explained(VOD)["requests"][0]["kids"]
    (request,) = explained(VOD, keys={KeyId.parse(kid): ContentKey(bytes(16))})["requests"]
    assert (request["sequence"], request["outcome"]) == (None, "key-by-hand")


# ── keys that are not usable ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("profile", ["ideal", "rxplayer"])
def test_a_withheld_key_is_disallowed_since_its_license_lacked_it(
    explained: Explain, profile: str, tmp_path: Path
) -> None:
    withheld = explained(TWO_KEYS)["requests"][0]["kids"][0]
    license_ = LicenseSpec(grant="all", withhold=(KeyId.parse(withheld),))
    found = explained(replace(TWO_KEYS, license=license_), license_scope="media", profile=profile)
    (key,) = found["keys"]
    assert (key["kid"], key["status"], key["rule"]) == (withheld, "disallowed", "absent-from-license")
    assert (key["event"]["name"], key["event"]["says"]) == ("drm:license-answered", "ok")
    assert _told(tmp_path / "x.trace.jsonl", key["event"]["line"])["name"] == "drm:license-answered"
    assert _told(tmp_path / "x.trace.jsonl", key["line"])["data"]["kid"] == withheld


def test_a_failing_server_leaves_a_key_failed_with_the_code_and_the_last_answer(explained: Explain) -> None:
    (key,) = explained(FAILING)["keys"]
    assert (key["status"], key["rule"], key["requests"]) == ("failed", "license-load", 6)
    assert key["event"]["name"] == "drm:license-failed"
    assert key["event"]["says"].endswith("HTTP 500 to a license request")


ANNOUNCED = (
    '{"time":1,"who":"c0000","name":"drm:init-data-announced","data":{"origin":"event","type":"cenc","kids":[%s]}}'
)
SKIPPED = '{"time":1,"who":"c0000","name":"drm:init-data-skipped","data":{"reason":"suppressed","kids":[%s]}}'
WAITING = '{"time":2,"who":"c0000","name":"eme:waiting-for-key","data":{"kid":%s}}'
CLOSED = (
    '{"time":9,"who":"c0000","name":"eme:session-closed","data":{"session":{"slot":%s,"statuses":[]},"reason":"%s"}}'
)
STATUS = '{"time":9,"who":"c0000","name":"drm:key-status","data":{"kid":%s,"old":"usable","new":"lost","why":"%s"}}'
KID = '"00112233-4455-6677-8899-aabbccddeeff"'
HEADER = '{"format":1,"version":"0.1.0"}'


@pytest.mark.parametrize(
    ("lines", "rule", "event"),
    [
        ((ANNOUNCED % KID,), "announced", "drm:init-data-announced"),
        ((ANNOUNCED % KID, SKIPPED % KID, WAITING % KID), "never-announced", "eme:waiting-for-key"),
        ((WAITING % KID, SKIPPED % KID), "suppressed", "drm:init-data-skipped"),
    ],
)
def test_a_key_that_nobody_asked_for_is_unknown_and_the_last_word_on_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: tuple[str, ...], rule: str, event: str
) -> None:
    (key,) = _json(_written(tmp_path, HEADER, *lines), capsys)["keys"]
    assert (key["status"], key["rule"], key["event"]["name"]) == ("unknown", rule, event)


def _written(folder: Path, *lines: str) -> Path:
    path = folder / "y.trace.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_lost_key_names_the_end_of_its_own_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reported = CLOSED.replace("eme:session-closed", "eme:key-statuses") % (1, "")
    reported = reported.replace('"statuses":[]', f'"statuses":[[{KID},"usable"]]')
    ends = (CLOSED % (1, "hardware-context-reset"), CLOSED % (2, "closed-by-application"))
    (key,) = _json(_written(tmp_path, HEADER, reported, *ends, STATUS % (KID, "session-closed")), capsys)["keys"]
    assert (key["status"], key["event"]["line"], key["event"]["says"]) == ("lost", 3, "hardware-context-reset")


# ── storms ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_storm_each_client_is_explained_by_its_own_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "storm.trace.jsonl"
    with path.open("wb") as file:
        writer = TraceWriter(file, Header(version="0", scenario="twin", seed=1, clock="virtual"))
        run_storm(twin(clients=3, capacity=2, end_s=14, seed=1), JITTER, trace=writer)
        writer.close()
    everyone, one = _json(path, capsys), _json(path, capsys, "--client", "c0001")
    assert (everyone["clients"], one["clients"]) == (3, 1)
    assert "rotation-prefetch" in {request["cause"] for request in one["requests"]}
    assert one["requests"] == [request for request in everyone["requests"] if request["who"] == "c0001"]


# ── for a person ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_names_every_rule_in_aligned_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.trace.jsonl"
    _play(path, FAILING)
    assert main(["trace", "explain", str(path)]) == 0
    page = capsys.readouterr().out
    for words in ("license requests: 6", "retry-error of start after http-500", "keys that are not usable: 1",
                  "license-load", "drm:license-failed in line "):  # fmt: skip
        assert words in page
    assert len({line.index(" c0000 ") for line in page.splitlines() if " c0000 " in line and "start" in line}) == 1


def test_a_terminal_shows_key_ids_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.trace.jsonl"
    _play(path, FAILING)
    code, shown = on_a_terminal("trace", "explain", str(path), columns=160)
    assert code == 0
    assert "\x1b[1m" in shown
    (kid,) = explain(read_trace(path)[1], "x").requests[0].kids
    lines = STYLES.sub("", shown).splitlines()
    assert sum(str(kid) in line for line in lines) == 7
    assert max(map(len, lines)) <= 160


def test_a_narrow_terminal_loses_no_column(tmp_path: Path) -> None:
    path = tmp_path / "x.trace.jsonl"
    _play(path, FAILING)
    shown = STYLES.sub("", on_a_terminal("trace", "explain", str(path), columns=100)[1])
    assert "answer" in shown
    assert "because" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_what_a_file_says_cannot_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(tmp_path, HEADER, STATUS % (KID, "\\u001b[2J"))
    assert main(["trace", "explain", str(path)]) == 0
    page = capsys.readouterr().out
    assert "\x1b" not in page
    assert "\\x1b[2J" in page


# ── files that are no trace ──────────────────────────────────────────────────────────────────────────────────────────

REQUESTED = '{"time":1,"who":"c","name":"drm:license-requested","data":%s}'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("",), ":1: not a line of a trace"),
        (("<MPD/>",), ":1: not a line of a trace"),
        (('{"format":2,"version":"9"}',), "trace format 2 is newer than 1"),
        ((HEADER, ""), ":2: not a line of a trace"),
        ((HEADER, "[" * 5000), ":2: not a line of a trace"),
        ((HEADER, REQUESTED % "{}"), ":2: not the event that its name says: Object missing required field"),
        ((HEADER, REQUESTED % "[]"), ":2: not a line of a trace"),
        ((HEADER, STATUS % ('"xyz"', "")), ":2: not the event that its name says: non-hexadecimal"),
        ((HEADER, STATUS % ('""', "")), ":2: not the event that its name says: a key id has 1 to 512 bytes"),
        ((HEADER, ANNOUNCED % KID, STATUS % ("7", "")), ":3: not the event that its name says: not a key id"),
        ((HEADER, CLOSED % ("true", "")), ":2: not the event that its name says: Expected `int`"),
    ],
)
def test_what_is_no_trace_is_one_line_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: tuple[str, ...], words: str
) -> None:
    path = _written(tmp_path, *lines)
    assert main(["trace", "explain", str(path)]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert err.startswith(f"keystorm: usage: {path}:")
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required: COMMAND"),
        (("diff", "x"), "invalid choice: 'diff' (choose from"),
        (("explain",), "required: FILE"),
        (("explain", "/"), "/: Is a directory"),
        (("explain", "gone.jsonl"), "gone.jsonl: No such file"),
    ],
)
def test_wrong_usage_of_trace_is_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_client_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(tmp_path, HEADER, WAITING % KID)
    assert main(["trace", "explain", str(path), "--client", "c0009"]) == 2
    assert "no line of a client 'c0009'" in capsys.readouterr().err


@cache
def _a_trace(folder: Path) -> bytes:
    _play(folder / "real.trace.jsonl", FAILING)
    return (folder / "real.trace.jsonl").read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_spoiled_trace_is_explained_or_refused_in_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    spoiled = bytearray(_a_trace(folder))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8) | st.just(b"9" * 300))
    path = folder / "spoiled.trace.jsonl"
    path.write_bytes(spoiled)
    code = main(["trace", "explain", str(path)])
    err = capsys.readouterr().err
    assert (code, err) == (0, "") or (code == 2 and err.startswith("keystorm: usage: ") and err.count("\n") == 1)
