"""What holds for all tests: a `rule` marker names a rule of `tests/rules.toml`, a `browser` test finds a browser."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

RULES = Path(__file__).parent / "rules.toml"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    refuse_unknown_rules(items)
    in_browsers = [item for item in items if item.get_closest_marker("browser")]
    if in_browsers and (missing := what_browsers_lack()):
        for item in in_browsers:
            item.add_marker(pytest.mark.skip(reason=missing))


def refuse_unknown_rules(items: list[pytest.Item]) -> None:
    known = {rule["number"] for rule in tomllib.loads(RULES.read_text(encoding="utf-8")).get("rule", [])}
    marks = [(item.nodeid, number) for item in items for mark in item.iter_markers("rule") for number in mark.args]
    unknown = [f"{test}: {number}" for test, number in marks if number not in known]
    if unknown:
        raise pytest.UsageError("no such rule in tests/rules.toml: " + "; ".join(unknown))


def what_browsers_lack() -> str:
    """What a `browser` test needs and does not find, in words; "" if nothing."""
    if shutil.which("chromium") is None:
        return "no chromium here (on Debian: apt-get install chromium)"
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed (make test installs it)"
    from playwright._impl._driver import compute_driver_executable

    node, _ = compute_driver_executable()
    if subprocess.run([node, "--version"], capture_output=True, check=False).returncode != 0:
        return "playwright's own node does not run here (on Debian: apt-get install libatomic1)"
    return ""
