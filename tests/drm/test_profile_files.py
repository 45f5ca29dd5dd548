"""Every player's way of asking for keys is a file: five come with the package, a sixth needs no code."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from player.cli.main import main
from player.drm.profile import Quirk
from player.engine.profile import Profile, parse
from player.errors import KeystormError, ScenarioError
from player.runtime.profiles import load_profile, profile_names, with_license_scope

NAMES = ("dashjs", "hlsjs", "ideal", "rxplayer", "shaka")


def text(name: str) -> str:
    return (Path(__file__).parents[2] / f"player/drm/profiles/{name}.toml").read_text(encoding="utf-8")


def test_five_profiles_come_with_the_package() -> None:
    assert profile_names() == NAMES
    assert [load_profile(name).name for name in NAMES] == list(NAMES)


@pytest.mark.rule("KP01")
def test_a_profile_names_the_version_it_follows_and_ideal_has_no_defects() -> None:
    for name in NAMES:
        profile = load_profile(name)
        assert profile.based_on == "own" if name == "ideal" else profile.based_on[-1].isdigit()
    assert load_profile("ideal").quirks == ()
    shown = {quirk for name in NAMES for quirk in load_profile(name).quirks}
    assert shown == set(Quirk)


@pytest.mark.rule("KP02")
def test_a_sixth_profile_needs_a_file_and_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "house.toml"
    file.write_text(text("shaka").replace('name = "shaka"', 'name = "house"').replace("attempts = 2", "attempts = 5"))
    profile = load_profile(str(file))
    assert (profile.name, profile.network.attempts) == ("house", 5)
    assert main(["play", "http://127.0.0.1:1/none.mpd", "--profile", str(file)]) == 1  # nobody is there to play
    assert "profile" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("shaka", 'license_scope = "init-data"', 'license_scope = "period"', "$.scope.extent"),
        ("rxplayer", 'extent = "signalled"', 'extent = "one_at_a_time"', "$.scope.extent"),
        ("dashjs", "expect_all_manifest_kids = false", "expect_all_manifest_kids = true", "$.scope.expect_all"),
        ("hlsjs", "attempts = 9", "attempts = 0", "$.network.attempts"),
        ("hlsjs", '["400-499"]', '["four"]', "$.network.final_statuses"),
        ("hlsjs", "\ntimeout_ms = 0", "\ntimeout_ms = -1", "$.network.timeout_ms"),
        ("rxplayer", "jitter_amount = 0.3", "jitter_amount = 3.0", "$.network.jitter_amount"),
        ("rxplayer", "backoff_factor = 2.0", "backoff_factor = 1e9", "$.network.backoff_factor"),
        ("rxplayer", "max_sessions = 15", "max_sessions = 15000", "$.sessions.max_sessions"),
        ("rxplayer", "max_sessions = 15", "", "$.sessions"),
        ("rxplayer", "quirks = []", 'quirks = ["moody"]', "$.quirks[0]"),
        ("rxplayer", 'evict = "lru"', 'evict = "rarest"', "$.sessions.evict"),
    ],
)
@pytest.mark.rule("KP03")
def test_what_cannot_stand_in_a_profile_is_refused_with_its_place(name: str, old: str, new: str, place: str) -> None:
    assert old in text(name)
    with pytest.raises(ScenarioError) as caught:
        parse(text(name).replace(old, new, 1), "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert place in str(caught.value)


def test_whoever_names_a_scope_signals_the_extent_of_a_license() -> None:
    widened = with_license_scope(load_profile("shaka"), "period")
    assert (widened.scope.license_scope, widened.scope.extent) == ("period", "signalled")
    one = 'extent = "one_at_a_time"\nexpect_all_manifest_kids'
    serial = text("rxplayer").replace('extent = "signalled"\nexpect_all_manifest_kids', one)
    serial = serial.replace('concurrency = "parallel"', 'concurrency = "serial"')
    with pytest.raises(KeystormError, match="one_at_a_time"):
        with_license_scope(parse(serial), "media")


def test_no_code_compares_the_name_of_a_profile() -> None:
    product = Path(__file__).parents[2] / "player"
    named = {f'"{name}"' for name in NAMES if name != "ideal"}
    found = [path.name for path in product.rglob("*.py") if any(name in path.read_text("utf-8") for name in named)]
    assert found == []
    assert {f.name for f in fields(Profile)} >= {"name", "based_on"}
