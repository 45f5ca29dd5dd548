"""Headers written by hand, field by field, as strings of binary digits."""

from __future__ import annotations


def u(count: int, value: int) -> str:
    return f"{value:0{count}b}" if count else ""


def ue(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def in_bytes(digits: str, stop: str = "1") -> bytes:
    """With `stop` behind and zeros up to a whole byte."""
    digits += stop
    digits += "0" * (-len(digits) % 8)
    return int("1" + digits, 2).to_bytes(len(digits) // 8 + 1, "big")[1:]


def escaped(payload: bytes) -> bytes:
    """With emulation prevention, byte by byte (H.264, 7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def in_sample(*nal_units: bytes) -> bytes:
    """Behind length fields of 4 bytes."""
    return b"".join(len(each).to_bytes(4, "big") + each for each in nal_units)
