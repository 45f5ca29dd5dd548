"""Samples as the ciphers want them: in columns, cut where what protects them changes.

A row a sample would cost as much as decrypting a short one. Whoever gives rows has them turned into columns here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import add
from typing import NamedTuple

from player.isobmff.sample import Protection, Sample
from player.isobmff.samples import Ranges, Samples

Span = tuple[int, int]
"""A protected range: where it starts in the fragment's data, and its size."""


class Run(NamedTuple):
    """Samples under one protection record, column by column; `starts` and `ends` count in the fragment's data."""

    starts: Sequence[int]
    ends: Sequence[int]
    ivs: Sequence[bytes]
    ranges: Sequence[Ranges]

    def spans(self) -> Iterator[tuple[bytes, Sequence[Span]]]:
        """Of each sample its IV and its protected ranges: all of it where it has no subsamples."""
        for start, end, iv, ranges in zip(*self, strict=True):
            yield iv, spans_of(start, end - start, ranges)


def runs(samples: Sequence[Sample], first: int, size: int) -> Iterator[tuple[Protection | None, Run]]:
    """The runs of samples[first:], each with what protects it.

    Raises: ValueError if one of all samples ends behind `size`.
    """
    columns = samples if isinstance(samples, Samples) else Samples.of(samples)
    starts, ends = _bounds(columns)
    if max(ends, default=0) > size:
        raise ValueError(f"a sample ends at byte {max(ends)} of a buffer of {size}")
    ivs, ranges = columns.auxiliary.decoded
    for count, protection in columns.protections_from(first):
        part = slice(first, first + count)
        yield protection, Run(starts[part], ends[part], ivs[part], ranges[part])
        first += count


def _bounds(columns: Samples) -> tuple[Sequence[int], Sequence[int]]:
    """Where each sample starts and ends. Mostly the next one starts there."""
    if len(columns.places) == 1:
        bounds = list(accumulate(columns.sizes, initial=columns.places[0][1]))
        return bounds[:-1], bounds[1:]
    starts = columns.offsets
    return starts, list(map(add, starts, columns.sizes))


def spans_of(position: int, size: int, ranges: Ranges) -> Sequence[Span]:
    """The protected ranges of a sample that starts at `position`."""
    if not ranges:
        return ((position, size),)
    found: list[Span] = []
    for clear, protected in ranges:
        position += clear
        if protected:
            found.append((position, protected))
        position += protected
    return found
