"""The writer of `decrypt`: every byte at its place, whatever the sizes of the parts, and no error lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cli.write_behind import LARGE_BYTES, Writer

SIZES = st.sampled_from([0, 1, 1000, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 7])


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(SIZES, max_size=8), data=st.data())
def test_parts_land_at_their_places(
    sizes: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    wanted = bytes(number % 251 for number in range(1 << 16)) * (sum(sizes) // (1 << 16) + 1)
    path = tmp_path_factory.mktemp("writer") / "file"
    with path.open("wb") as file:
        writer = Writer(file.fileno())
        for at, size in data.draw(st.permutations(list(zip(starts, sizes, strict=True)))):
            writer.write(at, wanted[at : at + size])
        writer.end()
    assert path.read_bytes() == wanted[: sum(sizes)]


@pytest.mark.parametrize("size", [10, LARGE_BYTES])
def test_a_full_disk_is_told(size: int) -> None:
    file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        write(file, size)
    os.close(file)


def write(file: int, size: int) -> None:
    """Three parts of this size."""
    writer = Writer(file)
    for at in range(0, 3 * size, size):
        writer.write(at, bytes(size))
    writer.end()


def test_a_writer_that_never_wrote_ends_quietly(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        Writer(file.fileno()).end()
    assert (tmp_path / "file").read_bytes() == b""
