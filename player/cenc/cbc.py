"""The schemes in chaining mode, `cbc1` and `cbcs` (ISO/IEC 23001-7, 10.2 and 10.4).

A chain is what one IV starts: a sample in `cbc1`, a subsample in `cbcs`. To a CBC decryptor an IV and a block of
ciphertext before are the same: so all chains of a fragment, each behind its IV, go through one context in one call, and
what comes out in the place of an IV is dropped. Encryption knows no such way: it goes chain by chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from player.cenc.columns import Run, Span
from player.cenc.keys import KeyContexts
from player.cenc.pattern import gather, scatter
from player.crypto.aes import BLOCK
from player.isobmff.sample import Protection, Scheme

Chain = tuple[bytes, Sequence[Span]]
"""The IV and the protected ranges of one chain."""


def decrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, run: Run) -> None:
    """The encrypted blocks in place."""
    crypt, skip = _pattern(protection)
    if not skip and not any(run.ranges):
        _decrypt_whole(key, protection, view, run)
        return
    chains = tuple(_chains(protection, run))
    pieces: list[bytes | bytearray] = []
    for iv, spans in chains:
        pieces += (iv, gather(view, spans, crypt, skip))
    plain = memoryview(key.cbc_decryptor.update(b"".join(pieces)))
    end = 0
    for (_, spans), blocks in zip(chains, pieces[1::2], strict=True):
        start = end + BLOCK
        end = start + len(blocks)
        scatter(view, spans, crypt, skip, plain[start:end])


def _decrypt_whole(key: KeyContexts, protection: Protection, view: memoryview, run: Run) -> None:
    """The same for samples that are one range each, without a pattern: thousands of short ones are worth their own."""
    constant = protection.constant_iv.ljust(BLOCK, b"\0")
    parts = [view[start : end - (end - start) % BLOCK] for start, end in zip(run.starts, run.ends, strict=True)]
    pieces: list[bytes | memoryview] = [constant] * (2 * len(parts))
    if protection.iv_size:
        pieces[::2] = [iv.ljust(BLOCK, b"\0") for iv in run.ivs]
    pieces[1::2] = parts
    plain = memoryview(key.cbc_decryptor.update(b"".join(pieces)))
    end = 0
    for part in parts:
        start = end + BLOCK
        end = start + len(part)
        part[:] = plain[start:end]


def encrypt_cbc(key: KeyContexts, protection: Protection, view: memoryview, run: Run) -> None:
    """The blocks to encrypt in place."""
    crypt, skip = _pattern(protection)
    for iv, spans in _chains(protection, run):
        blocks = gather(view, spans, crypt, skip)
        scatter(view, spans, crypt, skip, memoryview(key.cbc_encryptor(iv).update(blocks)))


def _pattern(protection: Protection) -> tuple[int, int]:
    """`cbc1` knows no pattern."""
    return (protection.crypt, protection.skip) if protection.scheme is Scheme.CBCS else (0, 0)


def _chains(protection: Protection, run: Run) -> Iterator[Chain]:
    per_range = protection.scheme is Scheme.CBCS
    for own_iv, spans in run.spans():
        iv = (own_iv or protection.constant_iv).ljust(BLOCK, b"\0")
        if per_range:
            for span in spans:
                yield iv, (span,)
        else:
            yield iv, spans
