"""The demo as a stranger runs it: 300 clients over real sockets, three strategies, real time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LAST_JOIN_S = 7


@pytest.mark.long(minutes=3)
def test_the_demo_shows_what_the_first_page_says(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    command = [sys.executable, "-m", "player", "demo", "--json", "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    on_demand, jitter, embedded = json.loads(done.stdout)
    assert [run["strategy"] for run in (on_demand, jitter, embedded)] == ["on-demand", "jitter", "embedded"]
    assert all(run["clients"] == 300 and run["gave_up"] == 0 for run in (on_demand, jitter, embedded))

    stalled = [boundary["stalled_clients"] for boundary in on_demand["boundaries"]]
    assert all(boundary["peak_1s"] >= 150 for boundary in on_demand["boundaries"])
    assert 10 <= stalled[0] <= 40
    assert stalled[0] > stalled[-1]  # who stalled plays further behind

    assert max(jitter["requests_per_s"][LAST_JOIN_S + 1 :]) <= 80
    assert not any(boundary["stalled_clients"] for boundary in jitter["boundaries"])

    assert not any(boundary["requests"] for boundary in embedded["boundaries"])
    assert report.stat().st_size > 100_000
