"""Bits of a header, from the first on: fixed fields, Exp-Golomb codes, and where in its bytes the reading has come to.

Knows no syntax; only how NAL units keep start codes out of their bytes (H.264 and H.265, 7.4.1: emulation prevention).
A header is short and what follows it long: bytes are turned into digits a window at a time.
"""

from __future__ import annotations

from typing import Final

_FIRST_WINDOW_BYTES: Final = 48  # a choice: longer than the usual slice or frame header
_WIDER: Final = 4
_MOST_ZEROS: Final = 32  # before the first 1 of a code (H.264, 9.1)
_ESCAPE: Final = b"\0\0\3"


class BitReader:
    """Reads `data[start:end]`. `escaped`: the bytes are those of a NAL unit, with emulation prevention.

    Every method raises ValueError where the bytes end too early.
    """

    __slots__ = ("_data", "_digits", "_end", "_escaped", "_start", "_window", "position")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None, *, escaped: bool = False) -> None:
        self._data = data
        self._start = start
        self._end = len(data) if end is None else end
        self._escaped = escaped
        self._window = _FIRST_WINDOW_BYTES
        self._digits = self._first_digits()
        self.position = 0
        """In bits, those of emulation prevention left out."""

    def bits(self, count: int) -> int:
        """u(n)."""
        if not count:
            return 0
        start = self.position
        self.skip(count)
        return int(self._digits[start : self.position], 2)

    def flag(self) -> bool:
        """u(1)."""
        start = self.position
        if start >= len(self._digits):
            self._widen(start + 1)
        self.position = start + 1
        return self._digits[start] == "1"

    def ue(self, most: int = 2**32 - 2) -> int:
        """ue(v), which may not be more than `most`."""
        start = self.position
        one = self._digits.find("1", start, start + _MOST_ZEROS + 1)
        if one < 0:
            self._widen(start + 1)
            one = self._one_in_a_wider_window(start)
        self.position = one
        value = self.bits(one - start + 1) - 1
        if value > most:
            raise ValueError(f"{value} in a header where {most} is the most")
        return value

    def se(self) -> int:
        """se(v)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def skip(self, count: int) -> None:
        self.position += count
        if self.position > len(self._digits):
            self._widen(self.position)

    def align(self) -> None:
        """To the next whole byte."""
        self.skip(-self.position % 8)

    @property
    def byte_position(self) -> int:
        """Where in `data` the first byte lies of which nothing has been read."""
        end = self._start + (self.position + 7) // 8
        if self._escaped:
            at = self._data.find(_ESCAPE, self._start, end + 1)
            while at >= 0 and at + 2 < end:
                end += 1
                at = self._data.find(_ESCAPE, at + 3, end + 1)
        return end

    def _first_digits(self) -> str:
        window = self._data[self._start : min(self._start + self._window, self._end)]
        if self._escaped:
            window = window.replace(_ESCAPE, _ESCAPE[:2])
        return bin(int.from_bytes(b"\1" + window, "big"))[3:]

    def _widen(self, bits: int) -> None:
        """Until there are as many."""
        while len(self._digits) < bits:
            if self._window >= self._end - self._start:
                raise ValueError(f"a header ends behind its {self._end - self._start} bytes")
            self._window = max(self._window * _WIDER, bits // 8)
            self._digits = self._first_digits()

    def _one_in_a_wider_window(self, start: int) -> int:
        while (one := self._digits.find("1", start, start + _MOST_ZEROS + 1)) < 0:
            if len(self._digits) > start + _MOST_ZEROS:
                raise ValueError("an Exp-Golomb code of more than 32 zeros")
            self._widen(len(self._digits) + 1)
        return one
