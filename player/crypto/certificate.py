"""X.509 certificates (RFC 5280), DER."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate


def public_key_of(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo, DER, of one certificate and nothing behind it. Nobody's signature is checked.

    Raises: ValueError where it is none, or has a key of a kind that is not known.
    """
    try:
        certificate = load_der_x509_certificate(der)
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # InvalidVersion, UnsupportedAlgorithm and others derive from Exception alone
        raise ValueError(f"no X.509 certificate that can be read ({type(error).__name__})") from error
