"""Scopes × grants × devices, each played once: the whole matrix as it is kept, and rows counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("license_scope.json")
PAGE = ROOT / "docs" / "license_scope.md"
COUNTED = ("license_requests", "disallowed", "stalls")


@cache
def tool() -> Any:
    loader = SourceFileLoader("matrix", str(ROOT / "tools" / "matrix"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module  # its dataclass looks itself up
    loader.exec_module(module)
    return module


@cache
def kept() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return rows


def row(scope: str, grant: str, cdm: str = "ordinary", *, trusted: bool = True) -> dict[str, Any]:
    wanted = (scope, grant, cdm, trusted)
    return next(each for each in kept() if (each["scope"], each["grant"], each["cdm"], each["trusted"]) == wanted)


def run(*arguments: str) -> str:
    command = (sys.executable, str(ROOT / "tools" / "matrix"), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.rule("KP19")
def test_the_matrix_is_the_one_that_is_kept_and_that_the_page_shows() -> None:
    printed = run("--json")
    assert json.loads(printed) == kept()
    outcomes = [tool().Outcome(**each) for each in kept()]
    assert "\n".join(tool().table(outcomes)) in PAGE.read_text(encoding="utf-8")


def test_one_scope_and_one_device_are_chosen_by_name() -> None:
    head, _, *rows = run("--scope", "media", "--cdm", "ordinary").splitlines()
    assert head == "| scope | grant | ordinary | ordinary, untrusted |"
    assert [each.split(" | ")[1] for each in rows] == ["requested", "group", "all", "next:2"]


# The video wants 180p and 720p of the first Period, 360p and 720p of the second; with the audio of each, 6 keys of 8.
BY_HAND = [
    # Each license is one key: 6 wanted, 6 asked. In the second Period video and audio are asked in a row, 2 × 2.5 s,
    # and 4 s are loaded ahead: one stall.
    ("init-data", "requested", True, (6, 0, 1)),
    # A license brings its Period: one for each.
    ("init-data", "group", True, (2, 0, 0)),
    ("init-data", "all", True, (1, 0, 0)),
    # 180p, audio and 720p bring those of the second Period too; 360p is new there.
    ("init-data", "next:2", True, (4, 0, 0)),
    # The 720p that did not come with the first license is asked for by itself, once a Period, and refused: 2 + 2,
    # and 1 + 2.
    ("init-data", "group", False, (4, 2, 0)),
    ("init-data", "all", False, (3, 2, 0)),
    # HTTP 403, no license at all: failed, not refused. In the first Period 360p is asked in place of 720p.
    ("init-data", "requested", False, (7, 0, 1)),
    # The set of the video is 3 keys. 180p came, 360p and 720p did not and count as refused; as much in the second
    # Period, where 360p came. Both audio keys are asked: 2 × (video + audio), 2 × 2 refused.
    ("adaptation", "requested", True, (4, 4, 1)),
    # 180p and audio cover the second Period's 180p and audio; its other two are refused, for that set has a license.
    ("adaptation", "next:2", True, (2, 4, 0)),
    # 720p is known to be refused from the first license on, nobody asks: compare (4, 2, 0) and (3, 2, 0) above.
    ("adaptation", "group", False, (2, 2, 0)),
    ("period", "all", False, (1, 2, 0)),
    # One license is taken for the whole Period and was one key: the other 3, with the audio, are refused.
    ("period", "requested", True, (1, 3, 0)),
    ("period", "next:2", True, (1, 3, 0)),
    ("period", "group", True, (2, 0, 0)),
    # One license for all 8 keys: 8 − 1, 8 − 4, 8 − 4 and 720p of the first Period, 8 − (180p twice).
    ("media", "requested", True, (1, 7, 0)),
    ("media", "group", True, (1, 4, 0)),
    ("media", "group", False, (1, 5, 0)),
    ("media", "next:2", True, (1, 6, 0)),
    ("media", "all", True, (1, 0, 0)),
]


@pytest.mark.parametrize(("scope", "grant", "trusted", "counted"), BY_HAND)
def test_rows_counted_by_hand(scope: str, grant: str, trusted: bool, counted: tuple[int, int, int]) -> None:
    found = row(scope, grant, trusted=trusted)
    assert tuple(found[name] for name in COUNTED) == counted


def test_a_representation_with_one_init_data_is_its_init_data() -> None:
    by_scope = [
        [each | {"scope": ""} for each in kept() if each["scope"] == scope] for scope in ("init-data", "representation")
    ]
    assert by_scope[0] == by_scope[1]


def test_channels_cost_messages_and_no_license_request() -> None:
    for each in kept():
        if each["cdm"] == "channel_per_key":
            ordinary = row(each["scope"], each["grant"], trusted=each["trusted"])
            assert [each[name] for name in COUNTED] == [ordinary[name] for name in COUNTED]
            assert ordinary["messages"] == ordinary["license_requests"]
    # One license for everything, and a channel for each of the six keys in use.
    everything = row("media", "all", "channel_per_key")
    assert (everything["license_requests"], everything["messages"]) == (1, 6)


def test_a_device_with_room_for_two_sessions_asks_again_for_keys_it_had() -> None:
    # The third session closes the oldest: with it goes the second Period's key that it had brought ahead of its time.
    assert (
        row("init-data", "next:2", "session_limit:2")["license_requests"]
        > row("init-data", "next:2")["license_requests"]
    )
    # Where each key has its own session only those are closed whose media has been played, unless a fallback returns.
    assert row("init-data", "requested", "session_limit:2")["license_requests"] == 6
