"""What goes in comes out: all schemes, any ranges, any pattern, counters that wrap, keys that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cenc.decrypt import DECRYPT, Decryptor, Outcome
from player.cenc.encrypt import ENCRYPT, Encryptor
from player.cenc.keys import KEYS_KEPT, Contexts
from player.crypto import aes
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Protection, Sample, Scheme

KEY = ContentKey(bytes(range(16)))
KID = KeyId(b"\x01" * 16)
OTHER_KID = KeyId(b"\x02" * 16)
PATTERNS = [(0, 0), (1, 0), (1, 9), (5, 5), (10, 0), (3, 1), (15, 15)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    data: bytes
    samples: tuple[Sample, ...]


def protection(
    scheme: Scheme, pattern: tuple[int, int] = (0, 0), kid: KeyId = KID, constant: bytes = b""
) -> Protection:
    iv_size = 0 if constant else 16
    return Protection(scheme=scheme, kid=kid, iv_size=iv_size, constant_iv=constant, crypt=pattern[0], skip=pattern[1])


def lay_out(parts: Sequence[tuple[Protection | None, bytes, tuple[tuple[int, int], ...], int]]) -> Content:
    """Samples one after the other, from (protection, IV, ranges, size)."""
    samples: list[Sample] = []
    position = 0
    for each, iv, ranges, size in parts:
        samples.append(Sample(position, size, 1, each, iv, ranges))
        position += size
    return Content(data=(bytes(range(251)) * (position // 251 + 1))[:position], samples=tuple(samples))


@st.composite
def ivs(draw: st.DrawFn) -> bytes:
    """Also such whose counter is a few blocks away from its end."""
    high = draw(st.binary(min_size=8, max_size=8))
    return high + draw(st.sampled_from([b"", bytes(8), b"\xff" * 8, b"\xff" * 7 + b"\xf0", b"\x7f" + b"\xff" * 7]))


@st.composite
def contents(draw: st.DrawFn) -> Content:
    constant = draw(st.one_of(st.just(b""), st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)))
    used = protection(draw(st.sampled_from(Scheme)), draw(st.sampled_from(PATTERNS)), constant=constant)
    parts: list[tuple[Protection | None, bytes, tuple[tuple[int, int], ...], int]] = []
    for _ in range(draw(st.integers(0, 4))):
        ranges = tuple(draw(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 3000)), max_size=4)))
        size = sum(map(sum, ranges)) if ranges else draw(st.integers(0, 3000))
        iv = b"" if constant else draw(ivs())
        parts.append((draw(st.sampled_from([used, used, used, None])), iv, ranges, size))
    return lay_out(parts)


@given(content=contents())
@settings(max_examples=200, deadline=None)
def test_decryption_undoes_encryption_and_clear_bytes_stay(content: Content) -> None:
    buffer = bytearray(content.data)
    Encryptor().encrypt(buffer, content.samples, KEY)
    for sample in content.samples:
        if sample.protection is None:
            span = slice(sample.offset, sample.offset + sample.size)
            assert buffer[span] == content.data[span]
    assert Decryptor().decrypt(buffer, content.samples, lambda _: KEY) == Outcome(len(content.samples), None)
    assert buffer == content.data


@given(
    scheme=st.sampled_from(Scheme),
    sizes=st.lists(st.integers(0, 400), max_size=6),
    iv_size=st.sampled_from([0, 8, 16]),
    iv=ivs(),
)
@settings(max_examples=150, deadline=None)
def test_whole_samples_are_decrypted_as_those_whose_one_range_is_all_of_them(
    scheme: Scheme, sizes: list[int], iv_size: int, iv: bytes
) -> None:
    used = replace(protection(scheme, constant=b"" if iv_size else bytes(16)), iv_size=iv_size)
    whole = lay_out([(used, iv.ljust(16, b"\xff")[:iv_size], (), size) for size in sizes])
    ranged = tuple(sample._replace(ranges=((0, sample.size),)) for sample in whole.samples)
    buffers = [bytearray(whole.data), bytearray(whole.data)]
    for buffer, samples in zip(buffers, (whole.samples, ranged), strict=True):
        Decryptor().decrypt(buffer, samples, lambda _: KEY)
    assert buffers[0] == buffers[1]


@given(content=contents(), first=st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_a_fragment_may_be_decrypted_in_two_goes(content: Content, first: int) -> None:
    buffer = bytearray(content.data)
    Encryptor().encrypt(buffer, content.samples, KEY)
    decryptor = Decryptor()
    decryptor.decrypt(buffer, content.samples[:first], lambda _: KEY)
    assert decryptor.decrypt(buffer, content.samples, lambda _: KEY, first).clear == len(content.samples)
    assert buffer == content.data


@given(
    iv=st.binary(min_size=8, max_size=8),
    before=st.integers(1, 20),
    parts=st.lists(st.integers(0, 200), min_size=1, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_the_counter_returns_to_zero_without_a_carry_into_the_iv(iv: bytes, before: int, parts: list[int]) -> None:
    content = lay_out(
        [
            (
                protection(Scheme.CENC),
                iv + b"\xff" * 7 + bytes([256 - before]),
                tuple((1, n) for n in parts),
                sum(parts) + len(parts),
            )
        ]
    )
    buffer = bytearray(content.data)
    Decryptor().decrypt(buffer, content.samples, lambda _: KEY)
    counters = [iv + ((1 << 64) - before + i & (1 << 64) - 1).to_bytes(8, "big") for i in range(sum(parts) // 16 + 1)]
    stream = aes.ecb_encryptor(KEY.reveal()).update(b"".join(counters))
    expected = bytearray(content.data)
    position = used = 0
    for size in parts:
        position += 1
        for i in range(size):
            expected[position + i] ^= stream[used + i]
        position, used = position + size, used + size
    assert buffer == expected


def test_the_four_schemes_are_in_both_tables() -> None:
    assert set(DECRYPT) == set(ENCRYPT) == set(Scheme)


@pytest.mark.parametrize(
    ("scheme", "pattern", "size", "encrypted"),
    [
        (Scheme.CBCS, (1, 9), 16 * 21 + 5, [(0, 16), (160, 176), (320, 336)]),
        (Scheme.CENS, (1, 9), 16 * 11, [(0, 16), (160, 176)]),
        (Scheme.CBCS, (5, 5), 16 * 13 + 15, [(0, 80), (160, 208)]),  # whole blocks of an incomplete run are encrypted
        (Scheme.CBCS, (10, 0), 16 * 12 + 1, [(0, 192)]),
        (Scheme.CBCS, (0, 0), 16 * 3 + 7, [(0, 48)]),
        (Scheme.CENS, (0, 0), 16 * 3 + 7, [(0, 48)]),  # the tail stays clear
        (Scheme.CBC1, (1, 9), 16 * 3 + 7, [(0, 48)]),  # knows no pattern
        (Scheme.CENC, (1, 9), 16 * 3 + 7, [(0, 55)]),
        (Scheme.CBCS, (1, 9), 15, []),
    ],
)
def test_a_pattern_encrypts_just_these_bytes(
    scheme: Scheme, pattern: tuple[int, int], size: int, encrypted: list[tuple[int, int]]
) -> None:
    content = lay_out([(protection(scheme, pattern), bytes(range(16)), ((3, size),), size + 3)])
    buffer = bytearray(content.data)
    Encryptor().encrypt(buffer, content.samples, KEY)
    changed = [i - 3 for i in range(size + 3) if buffer[i] != content.data[i]]
    allowed = {i for start, end in encrypted for i in range(start, end)}
    assert set(changed) <= allowed
    assert len(changed) >= len(allowed) * 0.9  # an encrypted byte is the same by chance once in 256


def test_cbcs_starts_its_chain_with_each_subsample_and_cbc1_does_not() -> None:
    for scheme, repeats in ((Scheme.CBCS, True), (Scheme.CBC1, False)):
        used = protection(scheme, constant=bytes(16))
        buffer = bytearray(64)
        Encryptor().encrypt(buffer, (Sample(0, 64, 1, used, b"", ((0, 32), (0, 32))),), KEY)
        assert (buffer[:32] == buffer[32:]) is repeats


@pytest.mark.rule("decisions:D13")
def test_decryption_stops_at_the_first_missing_key_and_goes_on_when_it_is_there() -> None:
    ours, other = protection(Scheme.CENC), protection(Scheme.CENC, kid=OTHER_KID)
    parts = [(None, b"", ()), (ours, bytes(16), ()), (other, bytes(16), ()), (ours, bytes(16), ())]
    content = lay_out([(each, iv, ranges, 40) for each, iv, ranges in parts])
    buffer = bytearray(content.data)
    Encryptor().encrypt(buffer, content.samples, KEY)
    encrypted = bytes(buffer)
    keys = {KID: KEY}
    decryptor = Decryptor()
    assert decryptor.decrypt(buffer, content.samples, keys.get) == Outcome(2, OTHER_KID)
    assert buffer == content.data[:80] + encrypted[80:]
    keys[OTHER_KID] = KEY
    assert decryptor.decrypt(buffer, content.samples, keys.get, 2) == Outcome(4, None)
    assert buffer == content.data


def test_clear_samples_need_no_key() -> None:
    content = lay_out([(None, b"", (), 10)])
    asked: list[KeyId] = []
    assert Decryptor().decrypt(bytearray(content.data), content.samples, asked.append) == Outcome(1, None)
    assert not asked


def test_a_sample_outside_its_buffer_changes_nothing() -> None:
    content = lay_out([(protection(Scheme.CENC), bytes(16), (), 40)] * 2)
    buffer = bytearray(content.data[:79])
    with pytest.raises(ValueError, match="byte 80 of a buffer of 79"):
        Decryptor().decrypt(buffer, content.samples, lambda _: KEY)
    assert buffer == content.data[:79]


def test_the_buffer_can_be_resized_after_decryption() -> None:
    content = lay_out([(protection(Scheme.CBCS, (1, 9)), bytes(16), (), 4000)])
    buffer = bytearray(content.data)
    Decryptor().decrypt(buffer, content.samples, lambda _: KEY)
    buffer += b"more"  # BufferError if a view of it were left


def test_contexts_are_kept_by_key_and_the_oldest_give_way() -> None:
    contexts = Contexts()
    keys = [ContentKey(number.to_bytes(16, "big")) for number in range(KEYS_KEPT + 1)]
    first = contexts.of(keys[0])
    assert contexts.of(ContentKey(keys[0].reveal())) is first
    for key in keys[1:]:
        contexts.of(key)
    assert contexts.of(keys[0]) is not first


def test_nothing_that_holds_a_key_shows_it() -> None:
    contexts = Contexts()
    shown = repr((contexts, contexts.of(KEY), Decryptor(), Encryptor()))
    assert KEY.reveal().hex() not in shown
    assert repr(KEY.reveal()) not in shown
