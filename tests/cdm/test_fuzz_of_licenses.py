"""Fuzzing every way into a CDM: the quick twin of what `make long` does for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing import fuzz

kinds = pytest.mark.parametrize("kind", ["licenses", "init-data"])


@kinds
def test_a_thousand_inputs_find_nothing(kind: str, tmp_path: Path) -> None:
    assert "Done 1000 runs" in fuzz(tmp_path, "--kind", kind, "--runs", "1000", "--seed", "1", timeout=60)


@pytest.mark.long(minutes=5)
@kinds
def test_five_minutes_find_nothing(kind: str, tmp_path: Path) -> None:
    print(fuzz(tmp_path, "--kind", kind, "--seconds", "300", timeout=420)[-1000:])
