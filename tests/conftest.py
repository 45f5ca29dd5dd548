"""What holds for all tests: a `rule` marker names a rule of `tests/rules.toml`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

RULES = Path(__file__).parent / "rules.toml"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = {rule["number"] for rule in tomllib.loads(RULES.read_text(encoding="utf-8")).get("rule", [])}
    unknown = [
        f"{item.nodeid}: {number}"
        for item in items
        for mark in item.iter_markers("rule")
        for number in mark.args
        if number not in known
    ]
    if unknown:
        raise pytest.UsageError("no such rule in tests/rules.toml: " + "; ".join(unknown))
