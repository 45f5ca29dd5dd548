"""What may stand in the repository: no machine, package host or secret by name; and a README in each room."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYER = ROOT / "player"
TEXT_LIMIT_BYTES = 2_000_000

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a package host": r"(?:pypi|pythonhosted|npmjs|debian|crates)\." + r"(?:org|io|com)",
    "an absolute path of a machine": r"(?<![\w.])/(?:home|root|Users|work)" + r"/[\w.-]+",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?" + r"PRIVATE KEY-----",
    "an access token": r"\b(?:ghp|gho|github_pat|glpat|xox[bp]|AKIA)" + r"[_-]?[A-Za-z0-9]{20,}",
}


def tracked_files() -> list[Path]:
    """As git lists them; in a copy without git, all files but those that tools make."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
        return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]
    made = {".venv", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.parts)]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        if path.stat().st_size < TEXT_LIMIT_BYTES
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_pins_are_names_and_versions_only() -> None:
    lines = (ROOT / "tools" / "constraints.txt").read_text(encoding="utf-8").split()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+", line)] == []


def test_no_file_that_locks_download_addresses_is_kept() -> None:
    locks = {"package-lock.json", "poetry.lock", "uv.lock", "Pipfile.lock", "yarn.lock", "pnpm-lock.yaml", "pdm.lock"}
    assert [path.name for path in tracked_files() if path.name in locks] == []


@pytest.mark.parametrize(
    "room",
    sorted({path.parent for path in PLAYER.rglob("*.py")} - {PLAYER}),
    ids=lambda room: str(room.relative_to(PLAYER)),
)
def test_every_folder_of_the_package_has_a_readme_of_at_most_a_screen(room: Path) -> None:
    readme = room / "README.md"
    assert readme.exists(), f"{room.relative_to(ROOT)} has no README.md"
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= 80
