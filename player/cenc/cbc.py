"""The schemes in chaining mode, `cbc1` and `cbcs` (ISO/IEC 23001-7, 10.2 and 10.4).

A chain is what one IV starts: a sample in `cbc1`, a subsample in `cbcs`. To a CBC decryptor an IV and a block of
ciphertext before are the same: so all chains of a fragment, each behind its IV, go through one context in one call, and
what comes out in the place of an IV is dropped. Encryption knows no such way: it goes chain by chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from player.cenc.keys import KeyContexts
from player.cenc.pattern import Span, gather, ranges_of, scatter, spans_of
from player.crypto.aes import BLOCK
from player.isobmff.sample import Protection, Sample, Scheme

Chain = tuple[bytes, Sequence[Span]]
"""The IV and the protected ranges of one chain."""


def decrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, samples: Sequence[Sample]) -> None:
    """The encrypted blocks in place."""
    crypt, skip = _pattern(protection)
    if not skip and not any(map(ranges_of, samples)):
        _decrypt_whole(key, protection, view, samples)
        return
    chains = tuple(_chains(protection, samples))
    pieces: list[bytes | bytearray] = []
    for iv, spans in chains:
        pieces += (iv, gather(view, spans, crypt, skip))
    plain = memoryview(key.cbc_decryptor.update(b"".join(pieces)))
    end = 0
    for (_, spans), blocks in zip(chains, pieces[1::2], strict=True):
        start = end + BLOCK
        end = start + len(blocks)
        scatter(view, spans, crypt, skip, plain[start:end])


def _decrypt_whole(key: KeyContexts, protection: Protection, view: memoryview, samples: Sequence[Sample]) -> None:
    """The same for samples that are one range each, without a pattern: thousands of short ones are worth their own."""
    constant = protection.constant_iv.ljust(BLOCK, b"\0")
    parts = [view[offset : offset + size - size % BLOCK] for offset, size, *_ in samples]
    pieces: list[bytes | memoryview] = [constant] * (2 * len(parts))
    if protection.iv_size:
        pieces[::2] = [sample.iv.ljust(BLOCK, b"\0") for sample in samples]
    pieces[1::2] = parts
    plain = memoryview(key.cbc_decryptor.update(b"".join(pieces)))
    end = 0
    for part in parts:
        start = end + BLOCK
        end = start + len(part)
        part[:] = plain[start:end]


def encrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, samples: Sequence[Sample]) -> None:
    """The blocks to encrypt in place."""
    crypt, skip = _pattern(protection)
    for iv, spans in _chains(protection, samples):
        blocks = gather(view, spans, crypt, skip)
        scatter(view, spans, crypt, skip, memoryview(key.cbc_encryptor(iv).update(blocks)))


def _pattern(protection: Protection) -> tuple[int, int]:
    """`cbc1` knows no pattern."""
    return (protection.crypt, protection.skip) if protection.scheme is Scheme.CBCS else (0, 0)


def _chains(protection: Protection, samples: Sequence[Sample]) -> Iterator[Chain]:
    per_range = protection.scheme is Scheme.CBCS
    for sample in samples:
        iv = (sample.iv or protection.constant_iv).ljust(BLOCK, b"\0")
        spans = spans_of(sample)
        if per_range:
            for span in spans:
                yield iv, (span,)
        else:
            yield iv, spans
