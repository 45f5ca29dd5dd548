"""RSA as CPIX has it: round trips, known failures, and nothing that shows a private key."""

from __future__ import annotations

from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from player.crypto import certificate, mac, rsa
from tests.crypto.certificates import BEGIN, KEY, self_signed


@cache
def made() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def written(encoding: Encoding, form: PrivateFormat, protection: KeySerializationEncryption | None = None) -> bytes:
    return made().private_bytes(encoding, form, protection or NoEncryption())


@cache
def key() -> rsa.PrivateKey:
    return rsa.read_private_key(written(Encoding.DER, PrivateFormat.PKCS8))


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=64))
def test_what_is_encrypted_to_a_key_is_decrypted_with_it(data: bytes) -> None:
    assert key().decrypt(rsa.encrypt(key().public_key, data)) == data


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=300))
def test_what_was_not_encrypted_to_it_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not encrypted to this key"):
        key().decrypt(data)


@pytest.mark.parametrize("digest", rsa.DIGESTS)
def test_a_signature_holds_for_what_was_signed_alone(digest: str) -> None:
    signature = key().sign(b"data", digest)
    assert rsa.verify(key().public_key, signature, b"data", digest)
    assert not rsa.verify(key().public_key, signature, b"Data", digest)
    assert not rsa.verify(key().public_key, signature[:-1], b"data", digest)
    assert not rsa.verify(key().public_key, b"", b"data", digest)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_is_read_in_every_usual_form(encoding: Encoding, form: PrivateFormat) -> None:
    assert rsa.read_private_key(written(encoding, form)).public_key == key().public_key


def test_what_is_no_private_key_is_a_value_error_that_shows_nothing() -> None:
    locked = written(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    other = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    whole = written(Encoding.PEM, PrivateFormat.PKCS8)
    for wrong in (b"", b"rubbish", locked, other, whole[:-200], self_signed()):
        with pytest.raises(ValueError, match=r"^no (RSA )?private key"):
            rsa.read_private_key(wrong)


def test_a_private_key_never_shows_itself() -> None:
    assert repr(key()) == str(key()) == "PrivateKey(hidden)"


def test_only_rsa_keys_have_a_size_here() -> None:
    assert rsa.bits(key().public_key) == 2048
    for wrong in (b"", b"rubbish", certificate.public_key_of(self_signed())):
        with pytest.raises(ValueError, match="no "):
            rsa.bits(wrong)
        with pytest.raises(ValueError, match="no "):
            rsa.encrypt(wrong, b"data")


def test_a_tag_holds_for_its_data_alone() -> None:
    tag = mac.hmac_sha512(b"key", b"data")
    assert len(tag) == 64
    assert mac.verify_hmac_sha512(b"key", b"data", tag)
    assert not mac.verify_hmac_sha512(b"key", b"data", tag[:-1])
    assert not mac.verify_hmac_sha512(b"Key", b"data", tag)


def test_the_tag_is_that_of_rfc_4231() -> None:
    known = (
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    )
    assert mac.hmac_sha512(b"Jefe", b"what do ya want for nothing?").hex() == known


def test_a_certificate_tells_its_time_and_its_digest() -> None:
    read = certificate.read(self_signed())
    begin_us = int(BEGIN.timestamp()) * 1_000_000
    assert (read.subject, read.digest, read.not_before_us) == ("CN=license.keystorm.example", "", begin_us)
    assert read.public_key == certificate.public_key_of(read.der)
    assert read.valid_at(begin_us)
    assert not read.valid_at(begin_us - 1)
    assert not read.valid_at(read.not_after_us + 1)


def test_a_certificate_in_pem_that_is_none_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no X"):
        certificate.read(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
