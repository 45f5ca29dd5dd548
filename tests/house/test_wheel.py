"""The wheel is all that a user needs: installed elsewhere, the command runs and finds its scenarios."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("keystorm-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put before all others; the libraries come from the environment of the tests."""
    target = tmp_path_factory.mktemp("installed")
    pip("install", "--quiet", "--no-deps", "--no-compile", "--target", str(target), str(wheel))
    return target


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=True, timeout=120)


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_wheel_holds_every_file_of_the_package_and_the_scenarios(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "player").rglob("*") if wanted(path)}
    scenarios = {f"player/{path.relative_to(ROOT)}" for path in (ROOT / "scenarios").rglob("*.toml")}
    assert package | scenarios <= names
    assert [name for name in names if name.startswith(("tests/", "tools/"))] == []


def wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def test_the_installed_command_answers_from_another_folder(installed: Path, tmp_path: Path) -> None:
    result = run(installed, tmp_path, "-m", "player", "--help")
    assert result.returncode == 0, result.stderr
    assert "keystorm" in result.stdout


def test_the_installed_package_is_the_one_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    result = run(installed, tmp_path, "-c", "import player; print(player.__file__)")
    assert result.stdout.strip() == str(installed / "player" / "__init__.py")
