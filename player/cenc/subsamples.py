"""Which bytes of a sample are protected, for every codec (ISO/IEC 23001-7, 9.5): one table from codec to map.

The map is the encryptor's choice; a player takes it as it comes. Slice and tile data is protected, headers stay clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from player.cenc.av1_tiles import Av1Tiles
from player.cenc.avc_slices import AvcSlices
from player.cenc.hevc_slices import HevcSlices
from player.cenc.nal_units import Payload
from player.cenc.vp9_frames import Vp9Frames
from player.crypto.aes import BLOCK
from player.isobmff.sample import Scheme

Ranges = tuple[tuple[int, int], ...]
PayloadFunction = Callable[[bytes], Iterable[Payload]]
"""From the next sample of a track to what may be protected of it. Raises: ValueError."""

MAX_CLEAR: Final = 0xFFFF  # BytesOfClearData has 16 bits; longer clear runs take several subsamples

READERS: Final[Mapping[str, Callable[[bytes], PayloadFunction]]] = {
    "avc1": lambda config: AvcSlices(config).payloads,
    "avc3": lambda config: AvcSlices(config).payloads,
    "hvc1": lambda config: HevcSlices(config).payloads,
    "hev1": lambda config: HevcSlices(config).payloads,
    "vp09": lambda config: Vp9Frames(config).payloads,
    "av01": lambda config: Av1Tiles(config).payloads,
}
WHOLE_SAMPLES: Final = frozenset({"mp4a", "Opus", "ac-3", "ec-3", "ac-4", "fLaC"})  # audio has no headers to spare
WHOLE_BLOCKS: Final = frozenset({"vp09"})  # in every scheme (VP Codec ISO Media File Format Binding, Sample Encryption)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """Maps the samples of one track, which come in decode order, each of them once: headers refer to earlier frames.

    `payloads` None: samples are protected whole, without a table.
    """

    payloads: PayloadFunction | None
    whole_blocks: bool = False

    def ranges(self, sample: bytes, scheme: Scheme) -> Ranges:
        """(clear, protected) pairs whose sum is the size of the sample; () where it is protected whole.

        Raises: ValueError where the sample is not made as its codec says.
        """
        if self.payloads is None:
            return ()
        whole_blocks = self.whole_blocks or scheme is not Scheme.CBCS
        return _lay_out(len(sample), self.payloads(sample), whole_blocks=whole_blocks)


def mapper(codec: str, config: bytes) -> Mapper:
    """`codec`: the sample entry's original format; `config`: the body of its avcC, hvcC, vpcC or av1C.

    Raises: ValueError for a codec without a map, or a broken configuration.
    """
    if codec in WHOLE_SAMPLES:
        return Mapper(payloads=None)
    if codec not in READERS:
        raise ValueError(f"no subsample map for {codec!r}")
    return Mapper(payloads=READERS[codec](config), whole_blocks=codec in WHOLE_BLOCKS)


def _lay_out(size: int, payloads: Iterable[Payload], *, whole_blocks: bool) -> Ranges:
    """A payload is protected to its end; with whole blocks its start moves until they are left.

    Whole blocks are a rule in `cens` and `cbc1`, and in `cenc` what CMAF asks for: no keystream in mid-block.
    """
    ranges: list[tuple[int, int]] = []
    position = 0
    for start, end in payloads:
        protected = end - start
        protected -= protected % BLOCK if whole_blocks else 0
        if protected:
            ranges += _subsamples(end - protected - position, protected)
            position = end
    return (*ranges, *_subsamples(size - position, 0)) if position < size else tuple(ranges)


def _subsamples(clear: int, protected: int) -> list[tuple[int, int]]:
    full, rest = divmod(clear, MAX_CLEAR)
    return [(MAX_CLEAR, 0)] * full + ([(rest, protected)] if rest or protected else [])
