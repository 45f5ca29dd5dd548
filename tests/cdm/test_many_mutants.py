"""Mutants by the thousand through every way into a CDM, and documents that are made to be slow or large."""

from __future__ import annotations

import time
import tracemalloc
from itertools import islice
from random import Random

import pytest

from tests.cdm.hostile import DOORS, Trial
from tests.cdm.mutation import mutants

MUTANTS = 20_000
SLOWEST_S = 1.0  # of our own time; a refusal takes some 100 us
MOST_BYTES = 8 << 20
ALL = {name: door for doors in DOORS.values() for name, door in doors.items()}
EACH = -(-MUTANTS // len(ALL))
LARGE = {
    "brackets": b"[" * 60_000,
    "an array in an array": b'{"keys":' + b"[" * 25_000 + b"]" * 25_000 + b"}",
    "digits": b'{"v":' + b"9" * 60_000 + b"}",
    "key ids": b'{"kids":[' + b",".join(b'"AAAAAAAAAAAAAAAAAAAAAA"' for _ in range(2_400)) + b"]}",
    "keys": b'{"keys":[' + b",".join(b'{"kid":"AA","k":"AA","kty":"oct"}' for _ in range(1_900)) + b"]}",
    "members": b"{" + b",".join(b'"%d":0' % number for number in range(6_000)) + b"}",
    "boxes": b"\0\0\0\x20pssh" + bytes(24) + b"\0\0\0\x08pssh" * 7_000,
    "beyond every limit": b" " * (1 << 20),
}


@pytest.mark.parametrize("name", ALL)
def test_what_is_good_is_taken_at_every_door(name: str) -> None:
    assert Trial(ALL[name]).is_as_good_as_new()


@pytest.mark.rule("ML01")
@pytest.mark.rule("ML02")
@pytest.mark.rule("ML06")
@pytest.mark.rule("ML07")
@pytest.mark.rule("ML08")
@pytest.mark.rule("MO01")
@pytest.mark.rule("MO02")
@pytest.mark.rule("MO05")
@pytest.mark.parametrize("name", ALL)
def test_a_mutant_is_taken_or_refused_without_a_trace(name: str) -> None:
    trial, chance = Trial(ALL[name]), Random(name)
    taken = 0
    for data in islice(mutants(trial.door.good, chance), EACH):
        started_s = time.thread_time()
        taken += trial(data)
        assert time.thread_time() - started_s < SLOWEST_S
    assert 0 < taken < EACH, "mutants that are all good, or all hopeless, show little"
    assert trial.is_as_good_as_new()


@pytest.mark.rule("ML09")
@pytest.mark.parametrize("name", ALL)
def test_large_documents_are_refused_soon_and_without_much_memory(name: str) -> None:
    trial = Trial(ALL[name])
    tracemalloc.start()
    for data in LARGE.values():
        started_s = time.thread_time()
        assert not trial(data)
        assert time.thread_time() - started_s < SLOWEST_S
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MOST_BYTES
    assert trial.is_as_good_as_new()
