"""Samples of H.264 and HEVC as a byte stream: start codes for lengths, parameter sets where decoding can begin.

ISO/IEC 14496-15, 5.3.3 and 8.3.3 (the records); ITU-T H.264 and H.265, annex B (the stream).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from player.errors import MediaError

START_CODE: Final = b"\0\0\0\1"
_AVC_FIXED: Final = 6  # bytes of avcC up to its first parameter set
_HEVC_FIXED: Final = 23  # bytes of hvcC up to its first array


class Codec(NamedTuple):
    """How NAL units of a codec are told apart, by their first byte."""

    type_of: Callable[[int], int]
    random_access: frozenset[int]  # decoding can begin here
    delimiter: int  # comes before everything else of a picture


class StreamConfiguration(NamedTuple):
    codec: Codec
    length_size: int  # bytes of the length before each NAL unit
    parameter_sets: bytes  # with start codes


AVC: Final = Codec(lambda first: first & 0x1F, frozenset({5}), 9)
HEVC: Final = Codec(lambda first: first >> 1 & 0x3F, frozenset(range(16, 24)), 35)


def read_avcc(record: bytes) -> StreamConfiguration:
    """Raises: MediaError `bad-table`."""
    reader = _Reader(record, "avcC")
    length_size = (reader.take(_AVC_FIXED - 1)[4] & 3) + 1
    sets = [reader.nal() for _ in range(reader.take(1)[0] & 0x1F)]
    sets += [reader.nal() for _ in range(reader.take(1)[0])]
    return StreamConfiguration(AVC, length_size, b"".join(sets))


def read_hvcc(record: bytes) -> StreamConfiguration:
    """Raises: MediaError `bad-table`."""
    reader = _Reader(record, "hvcC")
    fixed = reader.take(_HEVC_FIXED)
    sets: list[bytes] = []
    for _ in range(fixed[22]):
        reader.take(1)  # the type of this array's NAL units, which they say themselves
        sets += [reader.nal() for _ in range(int.from_bytes(reader.take(2), "big"))]
    return StreamConfiguration(HEVC, (fixed[21] & 3) + 1, b"".join(sets))


def access_unit(sample: bytes, configuration: StreamConfiguration, *, first: bool) -> bytes:
    """One sample; with the parameter sets where decoding can begin and in the `first` one.

    Raises: MediaError `bad-table` if its NAL units do not fill it.
    """
    units = list(_units(sample, configuration.length_size))
    types = [configuration.codec.type_of(unit[0]) for unit in units]
    pieces = [START_CODE + unit for unit in units]
    if first or not configuration.codec.random_access.isdisjoint(types):
        pieces.insert(1 if types[:1] == [configuration.codec.delimiter] else 0, configuration.parameter_sets)
    return b"".join(pieces)


def _units(sample: bytes, length_size: int) -> Iterator[bytes]:
    position = 0
    while position < len(sample):
        start = position + length_size
        end = start + int.from_bytes(sample[position:start], "big")
        if not start < end <= len(sample):
            reason = f"a NAL unit of {end - start} bytes at byte {position} of a sample of {len(sample)}"
            raise MediaError("bad-table", "mdat", position, reason, "14496-15, 5.3.2")
        yield sample[start:end]
        position = end


class _Reader:
    """A configuration record from its first byte on."""

    __slots__ = ("_name", "_position", "_record")

    def __init__(self, record: bytes, name: str) -> None:
        self._record = record
        self._name = name
        self._position = 0

    def take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._record):
            raise MediaError(
                "bad-table", self._name, start, f"{size} bytes needed, {len(self._record) - start} present"
            )
        return self._record[start : self._position]

    def nal(self) -> bytes:
        return START_CODE + self.take(int.from_bytes(self.take(2), "big"))
