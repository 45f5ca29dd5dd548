"""`tools/fuzz` as a test runs it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def fuzz(folder: Path, *options: str, timeout: int) -> str:
    """What it prints. Fails where it has found something; skips where there is no atheris."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed (wheels exist for Linux on x86-64, up to Python 3.13)")
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "fuzz", "--folder", folder, *options],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )
    found = [path.name for path in folder.iterdir() if path.is_file()]
    assert not found, f"{found}: {run.stderr[-2000:]}"
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stderr
