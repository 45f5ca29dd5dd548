"""X.509 certificates (RFC 5280)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is asked of one: `public_key` is a SubjectPublicKeyInfo, the instants are µs since 1970, both ends in.

    `digest` is the hash of its signature, "" where it has none of its own. Nobody's signature is checked.
    """

    der: bytes
    public_key: bytes
    subject: str
    digest: str
    not_before_us: int
    not_after_us: int

    def valid_at(self, now_us: int) -> bool:
        return self.not_before_us <= now_us <= self.not_after_us


def read(data: bytes) -> Certificate:
    """One certificate, DER or PEM.

    Raises: ValueError where it is none, or has a key of a kind that is not known.
    """
    load = load_pem_x509_certificate if data.lstrip().startswith(b"-----BEGIN") else load_der_x509_certificate
    try:
        certificate = load(data)
        digest = certificate.signature_hash_algorithm
        return Certificate(
            der=certificate.public_bytes(Encoding.DER),
            public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            subject=certificate.subject.rfc4514_string(),
            digest="" if digest is None else digest.name,
            not_before_us=_micros(certificate.not_valid_before_utc),
            not_after_us=_micros(certificate.not_valid_after_utc),
        )
    except Exception as error:  # InvalidVersion, UnsupportedAlgorithm and others derive from Exception alone
        raise ValueError(f"no X.509 certificate that can be read ({type(error).__name__})") from error


def public_key_of(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo, DER, of one certificate and nothing behind it. Nobody's signature is checked.

    Raises: ValueError where it is none, or has a key of a kind that is not known.
    """
    try:
        certificate = load_der_x509_certificate(der)
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # InvalidVersion, UnsupportedAlgorithm and others derive from Exception alone
        raise ValueError(f"no X.509 certificate that can be read ({type(error).__name__})") from error


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
