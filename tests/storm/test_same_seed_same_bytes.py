"""A virtual storm is a function of its specification: the same bytes of trace and result, in any process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, io
from player.storm.play import run
from player.storm.result import build, document, to_json
from player.trace.encode import Header
from player.trace.writer import TraceWriter
from tests.storm.storms import STRATEGIES, twin

spec = twin(clients=12, capacity=2, end_s=22, seed={seed})
for strategy in STRATEGIES:
    file = io.BytesIO()
    writer = TraceWriter(file, Header(version="0", scenario="twin", seed={seed}, clock="virtual"))
    result = to_json(document([build(run(spec, strategy, trace=writer))]))
    writer.close()
    print(strategy.name, len(file.getvalue()) > 10_000, hashlib.sha256(file.getvalue()).hexdigest())
    print(len(result) > 10_000, hashlib.sha256(result.encode()).hexdigest())
"""


def digests(*, seed: int, hash_seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(seed=seed)], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


@pytest.mark.rule("storm:L4")
def test_two_processes_with_different_hash_seeds_write_the_same_bytes() -> None:
    first, second = digests(seed=1, hash_seed="0"), digests(seed=1, hash_seed="4711")
    assert len(first) == 6
    assert all("True" in line for line in first)
    assert first == second


def test_another_seed_writes_other_bytes() -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    first, other = digests(seed=1, hash_seed="0"), digests(seed=2, hash_seed="0")
    assert not set(first) & set(other)
    assert not any(nothing in line for line in other)
