"""Certificates of our own making, for whoever needs one."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

PADDING = ObjectIdentifier("1.3.6.1.4.1.55555.1")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def self_signed(name: str = "license.keystorm.example", padding: int = 0) -> bytes:
    """DER. `padding`: bytes in an extension that nobody knows."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=KEY.public_key(),
        serial_number=1,
        not_valid_before=BEGIN,
        not_valid_after=BEGIN + dt.timedelta(days=3650),
    ).add_extension(x509.UnrecognizedExtension(PADDING, bytes(padding)), critical=False)
    return builder.sign(KEY, None).public_bytes(Encoding.DER)


def of_size(size: int) -> bytes:
    """A certificate of exactly so many bytes, some hundred at least."""
    padding = size - len(self_signed())
    while len(certificate := self_signed(padding=padding)) > size:
        padding -= 1
    assert len(certificate) == size
    return certificate
