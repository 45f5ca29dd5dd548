"""The two commands of the README say in one line what a machine lacks, and `tools/rules` sees what it is there for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def checkout(folder: Path, rules: str = "", test: str = "") -> Path:
    """The parts of a checkout that the tools look at, with a test module of one's own."""
    (folder / "tests").mkdir()
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "pyproject.toml", "tests/package.json"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "tests" / "rules.toml").write_text(rules)
    (folder / "tests" / "test_one.py").write_text(test)
    return folder


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_module_is_named_in_one_line(tmp_path: Path, module: str) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text("raise ImportError")
    result = run(sys.executable, "tools/install", ".venv", cwd=checkout(tmp_path), PYTHONPATH=str(hidden))
    assert result.returncode == 2
    assert re.fullmatch(
        rf"keystorm: .* has no module '{module}' \(on Debian: apt-get install python3-venv\)\n", result.stderr
    )
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_too_old_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.version_info = (3, 9, 2, 'final', 0)")
    result = run(sys.executable, "tools/install", ".venv", cwd=checkout(tmp_path), PYTHONPATH=str(tmp_path))
    assert result.returncode == 2
    assert re.fullmatch(r"keystorm: Python 3\.11 or newer is needed; .* is 3\.9\.2 \(make PYTHON=…\)\n", result.stderr)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_without_python_says_so(tmp_path: Path) -> None:
    result = run("make", "demo", "PYTHON=no-such-python", cwd=checkout(tmp_path))
    assert result.returncode == 2
    assert result.stderr.splitlines()[0].startswith(
        "keystorm: no 'no-such-python' here: Python 3.11 or newer is needed"
    )


def test_every_script_in_tools_is_linted_and_type_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    scripts = {f"tools/{path.name}" for path in (ROOT / "tools").iterdir() if path.is_file() and not path.suffix}
    assert scripts <= set(settings["ruff"]["extend-include"])
    assert scripts <= set(settings["mypy"]["files"])


RULE = '[[rule]]\nnumber = "{}"\ntext = "t"\nsource = "s"\nfamily = "K"\n'
SHOWS = 'import pytest\n\n\n@pytest.mark.rule("{}")\ndef test_it():\n    pass\n'


@pytest.mark.parametrize(
    ("rules", "test", "fault"),
    [
        (RULE.format("K001") * 2, SHOWS.format("K001"), "K001 is listed 2 times"),
        (RULE.format("K1"), SHOWS.format("K1"), "K1 is no rule number"),
        (RULE.format("K001"), SHOWS.format("K002"), "tests/test_one.py::test_it shows K002, which is not in"),
        ("[family.K]\nbuilt = true\n" + RULE.format("K001"), "", "K001 has no test, and its family K is built"),
        ("[family.K]\nbuilt = true\n", "", "family K is built but has no rule"),
    ],
    ids=["twice", "form", "unknown", "built", "empty-family"],
)
def test_tools_rules_names_a_fault(tmp_path: Path, rules: str, test: str, fault: str) -> None:
    result = run(sys.executable, "tools/rules", cwd=checkout(tmp_path, rules, test))
    assert result.returncode == 1
    assert fault in result.stderr


@pytest.mark.parametrize(
    ("rules", "test"),
    [
        (RULE.format("backend:K3"), SHOWS.format("backend:K3")),
        (RULE.format("CK05"), ""),
        ("[family.K]\nbuilt = true\n" + RULE.format("K001") + 'not_emulated = "needs a sandbox"\n', ""),
    ],
    ids=["shown", "not-built", "not-emulated"],
)
def test_tools_rules_is_content(tmp_path: Path, rules: str, test: str) -> None:
    result = run(sys.executable, "tools/rules", cwd=checkout(tmp_path, rules, test))
    assert (result.returncode, result.stderr) == (0, "")
