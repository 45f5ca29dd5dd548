"""`import player` is cheap, and its names are found when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import player
from player.runtime.kinds import EVERY_KIND

ROOT = Path(__file__).parents[2]


def _loaded(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize("statement", ["import player", "import player; player.KeyId, player.LicenseRequested"])
def test_importing_player_loads_nothing_heavy(statement: str) -> None:
    assert not _loaded(statement) & {"aiohttp", "cryptography", "numpy", "mpegdash", "pymp4", "asyncio"}


def test_the_player_is_found_when_it_is_asked_for() -> None:
    assert "aiohttp" in _loaded("import player; player.Player")


@pytest.mark.parametrize("name", ["BrowsingProfile", "Player", "PlayResult", "Page", "serve", "KeyId"])
def test_every_public_name_is_there(name: str) -> None:
    assert name in repr(getattr(player, name))
    assert name in dir(player)


@pytest.mark.parametrize("kind", sorted(EVERY_KIND, key=str))
def test_every_event_class_is_a_name_of_the_package(kind: type) -> None:
    assert getattr(player, kind.__name__) is kind


def test_event_names_are_stable_and_say_their_room() -> None:
    names = [kind.name for kind in EVERY_KIND]
    assert len(set(names)) == len(names)
    assert all(name.partition(":")[0] in ("drm", "eme", "engine", "mpd", "stream") for name in names)


@pytest.mark.parametrize("name", ["Nothing", "nothing", "Event2", "_private"])
def test_a_name_that_is_not_there_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(player, name)
