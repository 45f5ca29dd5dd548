"""Fuzzing: the quick twin of what `make long` does for minutes, and what it has found."""

from __future__ import annotations

from pathlib import Path

import pytest

from player.isobmff.model import BrokenSegmentError
from player.isobmff.segment import parse_media
from tests.fuzzing import fuzz
from tests.isobmff.build import encv, moov, record, u32
from tests.isobmff.malformed import Case, broken_by_hand
from tests.isobmff.seeds import SEEDS
from tests.isobmff.targets import TARGETS


def test_the_seeds_hold() -> None:
    for target in TARGETS.values():
        for data in SEEDS.values():
            target(data)


@pytest.mark.parametrize(("case", "data"), [*broken_by_hand()], ids=lambda it: getattr(it, "name", ""))
def test_what_is_broken_by_hand_holds_and_fails_as_the_table_says(case: Case, data: bytes) -> None:
    for target in TARGETS.values():
        target(data)
    code, warnings = None, case.warnings
    try:
        warnings = frozenset(warning.partition(":")[0] for warning in parse_media(data).warnings)
    except BrokenSegmentError as fault:
        code = fault.code
    assert (code, warnings) == (None if case.code == "no-key" else case.code, case.warnings)


def test_a_cut_at_every_byte_holds() -> None:
    for data in SEEDS.values():
        for size in range(0, len(data), 7):
            for target in TARGETS.values():
                target(data[:size])


@pytest.mark.parametrize("target", TARGETS)
def test_found_containers_that_end_beyond_their_parents(target: str) -> None:
    """Descended into at any depth, once."""
    path = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"mvex") * 3
    TARGETS[target](b"".join(u32(1 << 20) + kind for kind in path) + moov(encv(record())))


def test_a_few_thousand_inputs_find_nothing(tmp_path: Path) -> None:
    assert "Done 3000 runs" in fuzz(tmp_path, "--runs", "3000", "--seed", "1", timeout=60)


@pytest.mark.long(minutes=20)
def test_twenty_minutes_find_nothing(tmp_path: Path) -> None:
    print(fuzz(tmp_path, "--seconds", "1200", timeout=1500)[-1000:])
