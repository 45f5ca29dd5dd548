"""The state diagrams in the READMEs are drawn from the tables in the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_diagrams_are_those_of_the_tables() -> None:
    check = [sys.executable, "tools/diagram", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_diagram_of_a_session_has_every_state() -> None:
    text = (ROOT / "player" / "eme" / "README.md").read_text(encoding="utf-8")
    assert "callable --> closing: close" in text
    assert "requesting --> spent: rejected or nothing stored" in text
