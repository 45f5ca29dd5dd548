"""Who may open CPIX documents: the graph of imports says so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYER = ROOT / "player"
CPIX = "player.backend.cpix"

OPENERS = ("player.backend.packager", "player.backend.license_server.sources", "player.cli.cpix")
CLOSED_TO = {
    "player.backend.cms": (f"{CPIX}.open", f"{CPIX}.seal", f"{CPIX}.reseal", "player.backend.key_server"),
    "player.backend.authorization": (CPIX, "player.backend.key_server", "player.backend.license_server"),
}


def imports() -> Iterator[tuple[str, str]]:
    """(module, what it imports), names inside modules included."""
    for path in PLAYER.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((module, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield module, node.module
                yield from ((module, f"{node.module}.{alias.name}") for alias in node.names)


IMPORTS = frozenset(imports())


def within(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.rule("backend:K4")
def test_the_private_key_side_is_for_packager_key_sources_and_the_command() -> None:
    importers = {module for module, name in IMPORTS if within(name, f"{CPIX}.open")}
    assert importers
    assert not {module for module in importers if not within(module, *OPENERS)}


@pytest.mark.parametrize("room", CLOSED_TO)
def test_a_room_imports_nothing_that_is_closed_to_it(room: str) -> None:
    assert not {pair for pair in IMPORTS if within(pair[0], room) and within(pair[1], *CLOSED_TO[room])}


def test_lxml_comes_through_one_door() -> None:
    assert {module for module, name in IMPORTS if within(name, "lxml")} == {f"{CPIX}.xmlio"}
