"""The schemes in counter mode, `cenc` and `cens`: encryption and decryption are one (ISO/IEC 23001-7, 10.1 and 10.3).

Only the low 64 bits of the counter block count; at 2**64 they return to zero without a carry (9.2), while the library
carries over all 128 bits. Hence a sample that passes that point is done in two parts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from player.cenc.columns import Run, spans_of
from player.cenc.keys import KeyContexts
from player.cenc.pattern import gather, scatter
from player.crypto.aes import BLOCK, CtrContext
from player.isobmff.sample import Protection

_HALF: Final = 8  # bytes: the high half of a counter block stays, the low half counts
_ZERO: Final = bytes(_HALF)
_BLOCKS: Final = 1 << 64  # counter values


def crypt_cenc(key: KeyContexts, protection: Protection, view: memoryview, run: Run) -> None:
    """Every protected byte in place; the keystream runs on from range to range of a sample, in mid-block too."""
    if protection.iv_size == _HALF and not any(run.ranges):
        _crypt_whole(key.ctr, view, run)
        return
    context = key.ctr
    reset, update = context.reset_nonce, context.update_into
    for start, end, iv, ranges in zip(*run, strict=True):
        counter = iv + _ZERO if len(iv) == _HALF else _counter_block(iv, protection)
        if len(iv) != _HALF and _bytes_before_wrap(counter) < end - start:
            spans = spans_of(start, end - start, ranges)
            _crypt_past_wrap(context, counter, [view[at : at + size] for at, size in spans])
            continue
        reset(counter)
        position = start
        for clear, protected in ranges or ((0, end - start),):
            position += clear
            part = view[position : position + protected]
            update(part, part)
            position += protected


def _crypt_whole(context: CtrContext, view: memoryview, run: Run) -> None:
    """Short audio, thousands of them, with 8-byte IVs: nothing but what each needs."""
    reset, update = context.reset_nonce, context.update_into
    for start, end, iv in zip(run.starts, run.ends, run.ivs, strict=True):
        reset(iv + _ZERO)
        part = view[start:end]
        update(part, part)


def crypt_cens(key: KeyContexts, protection: Protection, view: memoryview, run: Run) -> None:
    """The pattern's blocks in place; skipped blocks and partial ones take no part in the counter."""
    crypt, skip = protection.crypt, protection.skip
    for iv, spans in run.spans():
        blocks = memoryview(bytearray(gather(view, spans, crypt, skip)))
        _crypt_past_wrap(key.ctr, _counter_block(iv, protection), (blocks,))
        scatter(view, spans, crypt, skip, blocks)


def _crypt_past_wrap(context: CtrContext, counter: bytes, parts: Iterable[memoryview]) -> None:
    """The parts of one sample in place; the counter's low half returns to zero where it must."""
    left = _bytes_before_wrap(counter)
    context.reset_nonce(counter)
    for part in parts:
        head, tail = part[:left], part[left:]
        context.update_into(head, head)
        left -= len(head)
        if tail:
            context.reset_nonce(counter[:_HALF] + _ZERO)
            context.update_into(tail, tail)
            left = _BLOCKS * BLOCK  # no sample is that long


def _counter_block(iv: bytes, protection: Protection) -> bytes:
    """An 8-byte IV is the high half (9.2)."""
    return (iv or protection.constant_iv).ljust(BLOCK, b"\0")


def _bytes_before_wrap(counter: bytes) -> int:
    return (_BLOCKS - int.from_bytes(counter[_HALF:], "big")) * BLOCK
