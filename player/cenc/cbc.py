"""The schemes in chaining mode, `cbc1` and `cbcs` (ISO/IEC 23001-7, 10.2 and 10.4).

A chain is what one IV starts: a sample in `cbc1`, a subsample in `cbcs`. CBC decryption is ECB decryption followed by
an XOR with the ciphertext block before, and ECB has no chain: so all short chains of a fragment go through the cipher
in one call. A long chain is worth a CBC context of its own. Encryption knows no such way: it goes chain by chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from player.cenc.keys import KeyContexts
from player.cenc.pattern import Span, gather, scatter, spans_of
from player.crypto.aes import BLOCK
from player.isobmff.sample import Protection, Sample, Scheme

_LONG_CHAIN: Final = 96 * BLOCK  # bytes from which a context of its own beats the XOR of big integers (measured)

Chain = tuple[bytes, Sequence[Span]]
"""The IV and the protected ranges of one chain."""


def decrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, samples: Sequence[Sample]) -> None:
    """The encrypted blocks in place."""
    crypt, skip = _pattern(protection)
    short: list[Chain] = []
    cipher: list[bytes | bytearray] = []
    for iv, spans in _chains(protection, samples):
        blocks = gather(view, spans, crypt, skip)
        if len(blocks) >= _LONG_CHAIN:
            scatter(view, spans, crypt, skip, memoryview(key.cbc_decryptor(iv).update(blocks)))
        elif blocks:
            short.append((iv, spans))
            cipher.append(blocks)
    ends = list(accumulate(map(len, cipher), initial=0))
    plain = memoryview(_decrypt_joined(key, b"".join(cipher), [iv for iv, _ in short], ends))
    for (_, spans), (start, end) in zip(short, pairwise(ends), strict=True):
        scatter(view, spans, crypt, skip, plain[start:end])


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


def _decrypt_joined(key: KeyContexts, cipher: bytes, ivs: Sequence[bytes], starts: Sequence[int]) -> bytes:
    """Chains one behind the other: the block before is the one to the left, or the IV where a chain starts.

    The XOR is one of two big integers instead of one a byte.
    """
    previous = bytearray(BLOCK) + cipher[:-BLOCK] if cipher else bytearray()
    for iv, start in zip(ivs, starts, strict=False):
        previous[start : start + BLOCK] = iv
    plain = int.from_bytes(key.ecb.update(cipher), "big") ^ int.from_bytes(previous, "big")
    return plain.to_bytes(len(cipher), "big")
