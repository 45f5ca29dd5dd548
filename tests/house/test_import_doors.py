"""Every room has its place in the layers and every third-party library its door, as pyproject.toml says."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYER = ROOT / "player"
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS: list[dict[str, Any]] = PYPROJECT["tool"]["importlinter"]["contracts"]
EVERYWHERE = frozenset({"msgspec", "structlog"})  # small, typed, and at home in many rooms; the core may not log
IMPORT_NAMES = {"vl-convert-python": "vl_convert"}


def imported_libraries() -> frozenset[str]:
    """Top-level names that some module of the package imports and that are neither ours nor Python's."""
    names: set[str] = set()
    for path in PLAYER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return frozenset(names - sys.stdlib_module_names - {"player"})


def declared_libraries() -> frozenset[str]:
    """What pyproject.toml promises to install, under the names by which it is imported."""
    project = PYPROJECT["project"]
    names = [re.split(r"[<>=!~\[; ]", requirement)[0] for requirement in project["dependencies"]]
    return frozenset(IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names)


def test_every_library_that_is_imported_is_installed_with_the_package() -> None:
    indirect = {"construct", "multidict", "yarl"}  # come with pymp4 and aiohttp, which are made of them
    assert imported_libraries() - indirect <= declared_libraries()


def test_every_library_that_is_imported_has_its_door() -> None:
    doors = {
        name for contract in CONTRACTS if contract["name"].startswith("Door") for name in contract["forbidden_modules"]
    }
    assert imported_libraries() - EVERYWHERE <= doors


def test_every_room_stands_in_one_layer() -> None:
    layers = CONTRACTS[0]["layers"]
    rooms = [room.strip(" ()") for layer in layers for room in layer.split("|")]
    assert len(rooms) == len(set(rooms))
    there = {path.stem for path in PLAYER.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} <= set(rooms)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["name"])
def test_a_contract_looks_at_indirect_imports_unless_third_parties_bring_them(contract: dict[str, Any]) -> None:
    own = all(name.startswith("player.") for name in contract.get("forbidden_modules", []))
    assert not (own and contract.get("allow_indirect_imports", False))
