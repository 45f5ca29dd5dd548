"""Bits of headers: fields, codes, emulation prevention, and one error where they end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.cenc.bits import BitReader
from tests.cenc.bit_writer import escaped, in_bytes, se, u, ue

NUMBERS = st.integers(0, 2**32 - 2)
ZEROS_AND_LOW_BYTES = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 255]), min_size=1, max_size=300).map(bytes)


@given(st.lists(st.tuples(NUMBERS, st.integers(-(2**31) + 1, 2**31 - 1), st.integers(0, 40)), max_size=60))
def test_what_is_written_is_read(rows: list[tuple[int, int, int]]) -> None:
    digits = "".join(ue(a) + se(b) + u(c, c) for a, b, c in rows)
    bits = BitReader(b"\xff" * 3 + in_bytes(digits), 3)
    for a, b, c in rows:
        assert (bits.ue(), bits.se(), bits.bits(c)) == (a, b, c)
    assert bits.position == len(digits)
    assert bits.byte_position == 3 + (len(digits) + 7) // 8


@given(payload=ZEROS_AND_LOW_BYTES, data=st.data())
def test_emulation_prevention_is_read_over_and_counted(payload: bytes, data: st.DataObject) -> None:
    nal_unit = escaped(payload)
    count = data.draw(st.integers(0, len(payload)))
    bits = BitReader(nal_unit, escaped=True)
    assert bytes(bits.bits(8) for _ in range(count)) == payload[:count]
    read = nal_unit[: bits.byte_position]
    assert read.replace(b"\0\0\3", b"\0\0") == payload[:count]
    assert read == escaped(payload[:count])


@given(payload=ZEROS_AND_LOW_BYTES, start=st.integers(0, 8), size=st.integers(0, 400))
def test_nothing_is_read_behind_the_end(payload: bytes, start: int, size: int) -> None:
    end = min(len(payload), start + size)
    bits = BitReader(payload, start, end)
    bits.skip(8 * max(end - start, 0))
    for read in (bits.flag, bits.ue, lambda: bits.bits(1), lambda: bits.skip(1)):
        with pytest.raises(ValueError, match="ends behind its"):
            read()


def test_a_code_of_more_than_32_zeros_is_refused() -> None:
    assert BitReader(in_bytes("0" * 32 + "1" + "1" * 32)).ue(2**33) == 2**33 - 2
    with pytest.raises(ValueError, match="32 zeros"):
        BitReader(bytes(100)).ue()
    with pytest.raises(ValueError, match="7 in a header where 6 is the most"):
        BitReader(in_bytes(ue(7))).ue(6)


def test_a_header_longer_than_the_first_window_is_read() -> None:
    bits = BitReader(bytes(200) + b"\x80" + bytes(50), 0)
    bits.skip(1580)
    assert bits.ue() == 2**20 - 1 + 0
    bits.align()
    assert bits.position % 8 == 0
