"""Encrypted blocks of protected ranges: copied out into one string, and put back (ISO/IEC 23001-7, 9.6 and 10.4.2).

A pattern c:s encrypts c blocks of 16 bytes and skips s, over and over from the start of each range. Whole blocks that
fall into an incomplete last run of c are encrypted too; a last partial block never is. Without skipping (0:0, c:0) all
whole blocks of a range are encrypted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from player.cenc.columns import Span
from player.crypto.aes import BLOCK

_WORD: Final = 8  # bytes of the widest item a memoryview can stride over; a block is two of them
_FEW: Final = 2  # up to so many periods more than blocks in a run, one slice a period beats strided copies (measured)


def gather(view: memoryview, spans: Sequence[Span], crypt: int, skip: int) -> bytes | bytearray:
    """A copy of the encrypted blocks of the ranges, one after the other."""
    if len(spans) == 1:
        ((start, size),) = spans
        return _gather(view, start, size, crypt, skip)
    return b"".join([_gather(view, start, size, crypt, skip) for start, size in spans])


def scatter(view: memoryview, spans: Sequence[Span], crypt: int, skip: int, blocks: memoryview) -> None:
    """Put back what `gather` took with the same arguments."""
    if len(spans) == 1:
        ((start, size),) = spans
        _scatter(view, start, size, crypt, skip, blocks)
        return
    position = 0
    for start, size in spans:
        end = position + _encrypted_bytes(size, crypt, skip)
        _scatter(view, start, size, crypt, skip, blocks[position:end])
        position = end


def _gather(view: memoryview, start: int, size: int, crypt: int, skip: int) -> bytes | bytearray:
    if not skip:
        return view[start : start + size - size % BLOCK].tobytes()
    run, period = crypt * BLOCK, (crypt + skip) * BLOCK
    periods, tail = _split(size, run, period)
    head, end = periods * run, start + periods * period
    blocks = bytearray(head + tail)
    if periods <= crypt + _FEW:
        for i in range(periods):
            blocks[i * run : (i + 1) * run] = view[start + i * period : start + i * period + run]
    else:
        _stride(memoryview(blocks)[:head], run, view[start:end], period, run)
    blocks[head:] = view[end : end + tail]
    return blocks


def _scatter(view: memoryview, start: int, size: int, crypt: int, skip: int, blocks: memoryview) -> None:
    if not skip:
        view[start : start + len(blocks)] = blocks
        return
    run, period = crypt * BLOCK, (crypt + skip) * BLOCK
    periods, tail = _split(size, run, period)
    head, end = periods * run, start + periods * period
    if periods <= crypt + _FEW:
        for i in range(periods):
            view[start + i * period : start + i * period + run] = blocks[i * run : (i + 1) * run]
    else:
        _stride(view[start:end], period, blocks[:head], run, run)
    view[end : end + tail] = blocks[head:]


def _encrypted_bytes(size: int, crypt: int, skip: int) -> int:
    if not skip:
        return size - size % BLOCK
    periods, tail = _split(size, crypt * BLOCK, (crypt + skip) * BLOCK)
    return periods * crypt * BLOCK + tail


def _split(size: int, run: int, period: int) -> tuple[int, int]:
    """Complete periods of a range, and the encrypted bytes behind them."""
    periods, rest = divmod(size, period)
    return periods, min(run, rest - rest % BLOCK)


def _stride(target: memoryview, target_step: int, source: memoryview, source_step: int, run: int) -> None:
    """Copy the first `run` bytes of each step: one strided copy a word of a run instead of one slice a period."""
    words, items = target.cast("Q"), source.cast("Q")
    for i in range(run // _WORD):
        words[i :: target_step // _WORD] = items[i :: source_step // _WORD]
