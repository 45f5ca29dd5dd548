"""Known answers of the published vectors, and that every failure is a ValueError."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.crypto import aes, kdf, keywrap, mac

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")  # NIST SP 800-38A, F
BLOCK = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
IV = bytes(range(16))
COUNTER = bytes(range(0xF0, 0x100))
KEYS = st.binary(min_size=16, max_size=16)


def test_ecb_gives_the_published_block_and_keeps_nothing_between_calls() -> None:
    encrypted = bytes.fromhex("3ad77bb40d7a3660a89ecaf32466ef97")
    encryptor = aes.ecb_encryptor(KEY)
    assert [encryptor.update(BLOCK) for _ in range(3)] == [encrypted] * 3


def test_cbc_gives_the_published_block_and_chains() -> None:
    encrypted = bytes.fromhex("7649abac8119b246cee98e9b12e9197d")
    assert aes.cbc_encryptor(KEY, IV).update(BLOCK) == encrypted
    assert aes.cbc_decryptor(KEY, IV).update(encrypted) == BLOCK
    assert aes.cbc_encryptor(KEY, IV).update(BLOCK * 2)[16:] != encrypted


def test_ctr_gives_the_published_block_each_time_its_counter_is_set() -> None:
    context = aes.ctr(KEY)
    for _ in range(2):
        context.reset_nonce(COUNTER)
        assert context.update(BLOCK).hex() == "874d6191b620e3261bef6864990db6ce"


def test_ctr_works_in_one_memory() -> None:
    buffer = bytearray(BLOCK)
    context = aes.ctr(KEY, COUNTER)
    assert context.update_into(memoryview(buffer), memoryview(buffer)) == 16
    assert buffer.hex() == "874d6191b620e3261bef6864990db6ce"


def test_key_wrap_gives_the_published_bytes() -> None:
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    wrapped = bytes.fromhex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")
    assert keywrap.wrap(bytes(range(16)), key) == wrapped
    assert keywrap.unwrap(bytes(range(16)), wrapped) == key
    assert len(wrapped) == len(key) + keywrap.OVERHEAD


@pytest.mark.rule("PT21")
@given(kek=KEYS, key=KEYS, position=st.integers(0, 23), change=st.integers(1, 255))
@settings(max_examples=50)
def test_a_wrapped_key_that_was_changed_does_not_unwrap(kek: bytes, key: bytes, position: int, change: int) -> None:
    wrapped = bytearray(keywrap.wrap(kek, key))
    assert keywrap.unwrap(kek, bytes(wrapped)) == key
    wrapped[position] ^= change
    with pytest.raises(ValueError, match="does not unwrap"):
        keywrap.unwrap(kek, bytes(wrapped))


@pytest.mark.parametrize(
    ("data", "tag"),
    [(b"", "bb1d6929e95937287fa37d129b756746"), (BLOCK, "070a16b46b4d4144f79bdd9dd04a287c")],
)
def test_cmac_gives_the_published_tags(data: bytes, tag: str) -> None:
    assert mac.cmac(KEY, data).hex() == tag
    assert mac.verify_cmac(KEY, data, bytes.fromhex(tag))


@pytest.mark.rule("PT21")
@pytest.mark.parametrize("tag", [b"", bytes(15), bytes(16), bytes(17)])
def test_a_wrong_tag_is_an_answer_and_no_exception(tag: bytes) -> None:
    assert not mac.verify_cmac(KEY, BLOCK, tag)


def test_a_shortened_tag_is_wrong() -> None:
    assert not mac.verify_cmac(KEY, BLOCK, mac.cmac(KEY, BLOCK)[:12])


def test_hkdf_gives_the_published_bytes_with_and_without_salt() -> None:
    secret = b"\x0b" * 22
    salted = kdf.hkdf(secret, salt=bytes(range(13)), info=bytes(range(0xF0, 0xFA)), size=42)
    assert salted.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    assert salted.hex().endswith("34007208d5b887185865")
    assert kdf.hkdf(secret, info=b"", size=42).hex().startswith("8da4e775a563c18f715f802a063c5a31")


IMPOSSIBLE: dict[str, Callable[[], object]] = {
    "ctr key": lambda: aes.ctr(bytes(15)),
    "ctr counter": lambda: aes.ctr(KEY, bytes(8)),
    "counter set": lambda: aes.ctr(KEY).reset_nonce(bytes(8)),
    "ecb key": lambda: aes.ecb_encryptor(b""),
    "cbc iv": lambda: aes.cbc_decryptor(KEY, bytes(8)),
    "kek": lambda: keywrap.unwrap(bytes(15), bytes(24)),
    "wrapped size": lambda: keywrap.unwrap(KEY, bytes(23)),
    "key to wrap": lambda: keywrap.wrap(KEY, bytes(15)),
    "mac key": lambda: mac.cmac(bytes(7), b""),
    "mac key, verifying": lambda: mac.verify_cmac(bytes(7), b"", bytes(16)),
    "nothing derived": lambda: kdf.hkdf(KEY, info=b"", size=0),
    "too much derived": lambda: kdf.hkdf(KEY, info=b"", size=255 * 32 + 1),
}


@pytest.mark.rule("PT21")
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_is_impossible_is_a_value_error_without_the_key(what: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        IMPOSSIBLE[what]()
    assert KEY.hex() not in str(caught.value)
