"""Which bytes of a sample are protected, for every codec (ISO/IEC 23001-7, 9.5): one table from codec to map.

The map is the encryptor's choice; a player takes it as it comes. Slice and tile data is protected, headers stay clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from player.cenc.frames import av1_payloads, vp9_payloads
from player.cenc.nal_units import SLICES, Payload, avc_payloads, baseline_payloads, hevc_payloads
from player.crypto.aes import BLOCK
from player.isobmff.sample import Scheme

Ranges = tuple[tuple[int, int], ...]
PayloadFunction = Callable[[bytes, bytes], Iterator[Payload]]
"""From a sample and its decoder configuration record to what may be protected of it."""

MAX_CLEAR: Final = 0xFFFF  # BytesOfClearData has 16 bits; longer clear runs take several subsamples

PAYLOADS: Final[Mapping[str, PayloadFunction]] = {
    "avc1": avc_payloads,
    "avc3": avc_payloads,
    "hvc1": hevc_payloads,
    "hev1": hevc_payloads,
    "vp09": vp9_payloads,
    "av01": av1_payloads,
}
WHOLE_SAMPLES: Final = frozenset({"mp4a", "Opus", "ac-3", "ec-3", "ac-4", "fLaC"})  # audio has no headers to spare


def ranges_for(codec: str, sample: bytes, scheme: Scheme, *, config: bytes) -> Ranges:
    """(clear, protected) pairs whose sum is the size of the sample; () where it is protected whole, without a table.

    `codec` is the sample entry's original format; `config` the body of its avcC, hvcC, vpcC or av1C.

    Raises: ValueError for a codec without a map, or where the sample is not made as its codec says.
    """
    if codec in WHOLE_SAMPLES:
        return ()
    if codec not in PAYLOADS:
        raise ValueError(f"no subsample map for {codec!r}")
    return _lay_out(len(sample), PAYLOADS[codec](sample, config), scheme)


def avc_ranges(sample: bytes, scheme: Scheme, *, length_size: int = 4, nal_types: frozenset[int] = SLICES) -> Ranges:
    """As `ranges_for`, for H.264 of the baseline profile: shorter headers, and a choice of NAL units to protect."""
    return _lay_out(len(sample), baseline_payloads(sample, length_size, nal_types), scheme)


def _lay_out(size: int, payloads: Iterable[Payload], scheme: Scheme) -> Ranges:
    """In `cbcs` a payload is protected to its end; in the other schemes its start moves until whole blocks are left.

    Whole blocks are a rule in `cens` and `cbc1`, and in `cenc` what spares decryptors a keystream in mid-block.
    """
    ranges: list[tuple[int, int]] = []
    position = 0
    for start, end in payloads:
        protected = end - start
        protected -= 0 if scheme is Scheme.CBCS else protected % BLOCK
        if protected:
            ranges += _subsamples(end - protected - position, protected)
            position = end
    return (*ranges, *_subsamples(size - position, 0)) if position < size else tuple(ranges)


def _subsamples(clear: int, protected: int) -> list[tuple[int, int]]:
    full, rest = divmod(clear, MAX_CLEAR)
    return [(MAX_CLEAR, 0)] * full + ([(rest, protected)] if rest or protected else [])
