"""The samples of a fragment in columns: what thousands of clients share, and rows only for those who read them.

Everything is checked when it is parsed; what is decoded later, IVs and ranges, cannot fail any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, groupby, islice, repeat
from operator import itemgetter
from typing import Final, SupportsIndex, TypeVar, overload

from player.isobmff.sample import Protection, Sample

Ranges = tuple[tuple[int, int], ...]
"""(clear bytes, protected bytes), one after the other."""
Decoded = tuple[Sequence[bytes], Sequence[Ranges]]
"""Per sample its IV and its ranges, b"" and () where it has none."""
Applied = tuple[int, Protection | None]
"""A run of so many samples and what protects them."""
Place = tuple[int, int]
"""A run of so many samples, one after the other, and where the first begins."""

T = TypeVar("T")

_protection_of: Final = itemgetter(1)


class Auxiliary:
    """IVs and ranges of samples, kept as they were read and decoded when first asked for."""

    __slots__ = ("_decode", "_decoded")

    def __init__(self, decode: Callable[[], Decoded]) -> None:
        self._decode = decode
        self._decoded: Decoded | None = None

    @classmethod
    def of(cls, ivs: Sequence[bytes], ranges: Sequence[Ranges]) -> Auxiliary:
        return cls(partial(_as_they_are, ivs, ranges))

    @property
    def decoded(self) -> Decoded:
        if self._decoded is None:
            self._decoded = self._decode()
        return self._decoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Auxiliary) and [*map(list, self.decoded)] == [*map(list, other.decoded)]

    def __hash__(self) -> int:
        return hash(tuple(map(tuple, self.decoded)))


def _as_they_are(ivs: Sequence[bytes], ranges: Sequence[Ranges]) -> Decoded:
    return ivs, ranges


def nothing(count: int) -> Auxiliary:
    """For samples that are clear, or that the constant IV and no subsamples apply to."""
    return Auxiliary(partial(_nothing, count))


def _nothing(count: int) -> Decoded:
    return (b"",) * count, ((),) * count


def without_ranges_of_clear(auxiliary: Auxiliary, applied: Iterable[Applied]) -> Auxiliary:
    """Entries of clear samples may have subsamples too: they mean nothing."""
    ivs, ranges = auxiliary.decoded
    runs = chain.from_iterable(repeat(protection, count) for count, protection in applied)
    return Auxiliary.of(ivs, [() if each is None else pairs for pairs, each in zip(ranges, runs, strict=True)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples(Sequence[Sample]):
    """`protections` and `places` are as few runs as there can be.

    As a sequence, rows; they are made anew each time, all of them for one: loops look at columns, or iterate.
    """

    sizes: tuple[int, ...]  # bytes
    durations: tuple[int, ...]  # ticks
    protections: tuple[Applied, ...]
    places: tuple[Place, ...]  # from the start of the fragment's data
    auxiliary: Auxiliary

    @classmethod
    def of(cls, rows: Iterable[Sample]) -> Samples:
        """Samples that somebody else has made or changed."""
        offsets, sizes, durations, protections, ivs, ranges = list(zip(*rows, strict=True)) or [()] * 6
        ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
        return cls(
            sizes=sizes,
            durations=durations,
            protections=joined([(1, each) for each in protections]),
            places=in_a_row([(1, start, end) for start, end in zip(offsets, ends, strict=True)]),
            auxiliary=Auxiliary.of(ivs, ranges),
        )

    @property
    def offsets(self) -> Sequence[int]:
        """From the start of the fragment's data."""
        if len(self.places) == 1:
            return list(accumulate(self.sizes[:-1], initial=self.places[0][1]))
        sizes = iter(self.sizes)
        parts = (accumulate(islice(sizes, count), initial=start) for count, start in self.places)
        return list(chain.from_iterable([*part][:-1] for part in parts))

    @property
    def ivs(self) -> Sequence[bytes]:
        return self.auxiliary.decoded[0]

    @property
    def ranges(self) -> Sequence[Ranges]:
        return self.auxiliary.decoded[1]

    def protections_from(self, start: int) -> Iterator[Applied]:
        """The runs of samples[start:]."""
        for count, protection in self.protections:
            if count > start:
                yield count - start, protection
            start = max(0, start - count)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Sample]:
        protections = chain.from_iterable(repeat(protection, count) for count, protection in self.protections)
        rows = zip(self.offsets, self.sizes, self.durations, protections, *self.auxiliary.decoded, strict=True)
        return map(tuple.__new__, repeat(Sample), rows)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Sample | Samples:
        if not isinstance(index, slice):
            return tuple(self)[index]
        start, stop, step = index.indices(len(self))
        if step != 1:
            return Samples.of(tuple(self)[index])
        return self if (start, stop) == (0, len(self)) else self._part(start, max(start, stop))

    def _part(self, start: int, stop: int) -> Samples:
        """What is decoded of it is decoded of all: others are going to ask for the rest."""
        part, offsets = slice(start, stop), self.offsets
        return Samples(
            sizes=self.sizes[part],
            durations=self.durations[part],
            protections=tuple((count, protection) for _, count, protection in _cut(self.protections, start, stop)),
            places=tuple((count, offsets[first]) for first, count, _ in _cut(self.places, start, stop)),
            auxiliary=Auxiliary(partial(_decoded_part, self.auxiliary, part)),
        )


def _decoded_part(auxiliary: Auxiliary, part: slice) -> Decoded:
    ivs, ranges = auxiliary.decoded
    return ivs[part], ranges[part]


def _cut(runs: Iterable[tuple[int, T]], start: int, stop: int) -> Iterator[tuple[int, int, T]]:
    """What the runs have of samples[start:stop]: the number of a first sample, how many follow on it, and the value."""
    number = 0
    for count, value in runs:
        first, last = max(number, start), min(number + count, stop)
        if first < last:
            yield first, last - first, value
        number += count


def joined(runs: Sequence[Applied]) -> tuple[Applied, ...]:
    """Neighbours with the same protection as one run, and none without samples."""
    if len(runs) == 1 and runs[0][0]:
        return (runs[0],)
    groups = groupby((run for run in runs if run[0]), _protection_of)
    return tuple((sum(count for count, _ in group), protection) for protection, group in groups)


def in_a_row(runs: Sequence[tuple[int, int, int]]) -> tuple[Place, ...]:
    """Of runs of (samples, start, end): neighbours in the data as one, and none without samples."""
    if len(runs) == 1 and runs[0][0]:
        return (runs[0][:2],)
    found: list[Place] = []
    last_end: int | None = None
    for count, start, end in runs:
        if not count:
            continue
        if found and start == last_end:
            found[-1] = (found[-1][0] + count, found[-1][1])
        else:
            found.append((count, start))
        last_end = end
    return tuple(found)
