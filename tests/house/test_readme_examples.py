"""The examples in the READMEs and in docs run, and print what they say."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = [ROOT / "README.md", *sorted((ROOT / "player").rglob("README.md")), *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_readme_run(readme: Path) -> None:
    result = doctest.testfile(str(readme), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8")
    assert result.failed == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_first_page_prints_what_its_last_comment_says(program: str) -> None:
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == program.rpartition("# ")[2].strip()
