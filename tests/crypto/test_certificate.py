"""Reading a certificate: its key, or a ValueError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.crypto.certificate import public_key_of
from tests.crypto.certificates import KEY, self_signed

GOOD = self_signed()
ED25519_INFO = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, 10.1


def test_the_public_key_of_a_certificate_is_read() -> None:
    assert public_key_of(GOOD) == ED25519_INFO + KEY.public_key().public_bytes_raw()


@pytest.mark.rule("PT21")
@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"rubbish",
        GOOD[:-1],
        GOOD + b"\0",
        b"-----BEGIN CERTIFICATE-----\n",
        GOOD.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"), 1),  # a version that does not exist
        GOOD.replace(ED25519_INFO, bytes.fromhex("302a300506032b65cc032100"), 1),  # a kind of key that does not exist
    ],
)
def test_what_is_no_certificate_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"no X\.509 certificate"):
        public_key_of(wrong)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_read_or_a_value_error(place: int, change: int) -> None:
    mutant = bytearray(GOOD)
    mutant[place] ^= change
    try:
        public_key_of(bytes(mutant))
    except ValueError:
        return
