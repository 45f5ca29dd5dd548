"""The schemes in chaining mode, `cbc1` and `cbcs` (ISO/IEC 23001-7, 10.2 and 10.4).

A chain is what one IV starts: a sample in `cbc1`, a subsample in `cbcs`. CBC decryption is ECB decryption followed by
an XOR with the ciphertext block before, and ECB has no chain: so all short chains of a fragment go through the cipher
in one call. A long chain is worth a CBC context of its own. Encryption knows no such way: it goes chain by chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from player.cenc.keys import KeyContexts
from player.cenc.pattern import Span, gather, scatter, spans_of
from player.crypto.aes import BLOCK
from player.isobmff.sample import Protection, Sample, Scheme

_LONG_CHAIN: Final = 64 * BLOCK  # bytes from which a context of its own beats the XOR of big integers (measured)

Chain = tuple[bytes, Sequence[Span]]
"""The IV and the protected ranges of one chain."""


def decrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, samples: Sequence[Sample]) -> None:
    """The encrypted blocks in place."""
    crypt, skip = _pattern(protection)
    short: list[tuple[Sequence[Span], bytearray]] = []
    previous: list[bytes | bytearray] = []
    for iv, spans in _chains(protection, samples):
        blocks = gather(view, spans, crypt, skip)
        if len(blocks) >= _LONG_CHAIN:
            scatter(view, spans, crypt, skip, memoryview(key.cbc_decryptor(iv).update(blocks)))
        elif blocks:
            short.append((spans, blocks))
            previous += (iv, blocks[:-BLOCK])
    plain = memoryview(_xor(key.ecb.update(b"".join(blocks for _, blocks in short)), b"".join(previous)))
    position = 0
    for spans, blocks in short:
        scatter(view, spans, crypt, skip, plain[position : position + len(blocks)])
        position += len(blocks)


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


def _xor(left: bytes, right: bytes) -> bytes:
    """Of equal length, as two big integers: one operation instead of one a byte."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
