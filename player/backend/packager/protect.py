"""Encrypts the samples of a segment and writes down how: IVs and subsamples, as `senc` wants them.

The scheme's arithmetic is `cenc`'s; here stands only what a packager chooses: where IVs come from and which pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from struct import pack
from typing import Final

from player.backend.clip.load import ClipTrack, Group
from player.backend.packager.codecs import read_codec
from player.cenc.encrypt import Encryptor
from player.cenc.subsamples import Ranges, mapper
from player.ids import ContentKey, KeyId
from player.isobmff.boxes import Walk, top_level
from player.isobmff.sample import Protection, Sample, Scheme
from player.isobmff.writer import Auxiliary

IV_BYTES: Final = {Scheme.CENC: 8, Scheme.CBCS: 16}  # the schemes the clip is packaged with
PATTERN: Final = {"video": (1, 9), "audio": (0, 0)}  # cbcs: one block in ten; 0:0 is every whole block (23001-7, 10.4)
ZERO_KID: Final = KeyId(bytes(16))

SampleMap = tuple[int, Ranges, bytes]
"""A sample's size, its subsamples, and the table that tells them; a sample protected whole has neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentKey:
    """What a segment is encrypted with. `iv`: for cenc the 8 bytes of its first sample, counted up from sample to
    sample, so no two segments under one key may come near each other; for cbcs the 16 bytes of the constant IV."""

    scheme: Scheme
    kid: KeyId
    key: ContentKey
    iv: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.iv) != IV_BYTES.get(self.scheme):
            raise ValueError(f"{self.scheme} is not packaged with an IV of {len(self.iv)} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """Encrypted samples, joined, with their auxiliary information."""

    data: bytearray
    auxiliary: Auxiliary


def protection_of(kind: str, key: SegmentKey) -> Protection:
    """What `tenc` or `seig` says of segments under this key."""
    return _protection(kind, key.scheme, key.kid, key.iv)


def rotating_protection(kind: str, scheme: Scheme) -> Protection:
    """The `tenc` of content whose keys are named in `seig` only, as Shaka Packager writes it: zero KID, and for cbcs a
    zero IV of 8 bytes that nobody may use."""
    return _protection(kind, scheme, ZERO_KID, bytes(8))


def _protection(kind: str, scheme: Scheme, kid: KeyId, iv: bytes) -> Protection:
    if scheme is Scheme.CENC:
        return Protection(scheme=scheme, kid=kid, iv_size=IV_BYTES[scheme])
    crypt, skip = PATTERN[kind]
    return Protection(scheme=scheme, kid=kid, iv_size=0, constant_iv=iv, crypt=crypt, skip=skip)


def segment_iv(scheme: Scheme, track_number: int, index: int) -> bytes:
    """For cenc an IV no other segment of the presentation comes near (track, segment, sample), so that tracks may share
    a key; for cbcs the track's own, the same in all its segments, since `tenc` says it once for all."""
    return pack(">HIH", track_number, index, 0) if scheme is Scheme.CENC else pack(">H14x", track_number + 1)


def protect(track: ClipTrack, parts: tuple[Group, ...], key: SegmentKey) -> Protected:
    """The samples of these groups under one key."""
    protection = protection_of(track.kind, key)
    maps = chain.from_iterable(_map(track.sample_entry, part, key.scheme) for part in parts)
    data = bytearray().join(chain.from_iterable(part.samples for part in parts))
    return encrypt(data, maps, protection, key.key, key.iv)


def encrypt(
    data: bytearray, maps: Iterable[SampleMap], protection: Protection, key: ContentKey, first_iv: bytes
) -> Protected:
    """The samples of `data` in place, one for each map, in order. `first_iv`: of the first sample, counted up from
    sample to sample in its first 8 bytes; without use where the protection has a constant IV."""
    samples, entries = [], []
    offset, subsamples = 0, False
    for iv, (size, ranges, table) in zip(_ivs(protection, first_iv), maps, strict=False):
        samples.append(Sample(offset, size, 0, protection, iv, ranges))
        entries.append(iv + table)
        subsamples = subsamples or bool(table)
        offset += size
    Encryptor().encrypt(data, samples, key)
    return Protected(data=data, auxiliary=Auxiliary(entries=tuple(entries), subsamples=subsamples))


def sample_map(size: int, ranges: Ranges) -> SampleMap:
    """`ranges` as a map of `cenc.subsamples` gives them: none where the sample is protected whole."""
    return size, ranges, _table(ranges) if ranges else b""


def _ivs(protection: Protection, first: bytes) -> Iterator[bytes]:
    """One IV for each sample; none where the constant one applies. The rest of a 16-byte IV counts blocks."""
    if not protection.iv_size:
        while True:
            yield b""
    number = int.from_bytes(first[:8], "big")
    while True:
        yield (number % 2**64).to_bytes(8, "big") + first[8:]
        number += 1


@lru_cache(maxsize=64)  # the clip has 16 groups; a map costs more than encrypting by it
def _map(sample_entry: bytes, part: Group, scheme: Scheme) -> tuple[SampleMap, ...]:
    """A group depends on nothing before it."""
    codec = read_codec(Walk(sample_entry), next(top_level(sample_entry)))
    ranges_of = mapper(codec.fourcc, codec.config).ranges
    return tuple(sample_map(len(sample), ranges_of(sample, scheme)) for sample in part.samples)


def _table(ranges: Ranges) -> bytes:
    """Subsamples as in `senc` (23001-7, 7.2)."""
    return pack(">H", len(ranges)) + b"".join(pack(">HI", *pair) for pair in ranges)
