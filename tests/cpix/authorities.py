"""Keys, certificates and documents of our own making."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from player.backend.cpix.model import Document, KeyEntry
from player.backend.cpix.seal import Recipient, seal
from player.backend.cpix.write import write
from player.crypto import certificate, rsa
from player.crypto.certificate import Certificate
from player.crypto.rsa import PrivateKey
from player.ids import ContentKey, KeyId

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BEGIN_US = int(BEGIN.timestamp()) * 1_000_000
DAY_US = 86_400_000_000
NOW_US = BEGIN_US + DAY_US

KIDS = tuple(KeyId.cenc(hashlib.sha256(b"kid%d" % number).digest()[:16]) for number in range(6))
KEYS = tuple(ContentKey(hashlib.sha256(b"key%d" % number).digest()[:16]) for number in range(6))


@cache
def rsa_key(name: str, bits: int = 3072) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@cache
def private_key(name: str, bits: int = 3072) -> PrivateKey:
    return rsa.read_private_key(private_pem(name, bits))


@cache
def private_pem(name: str, bits: int = 3072) -> bytes:
    return rsa_key(name, bits).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def certificate_of(name: str, *, bits: int = 3072, days: int = 3650) -> Certificate:
    return certificate.read(certificate_pem(name, bits=bits, days=days))


@cache
def certificate_pem(name: str, *, bits: int = 3072, days: int = 3650) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    key = rsa_key(name, bits)
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=BEGIN,
        not_valid_after=BEGIN + dt.timedelta(days=days),
    )
    return builder.sign(key, hashes.SHA512()).public_bytes(Encoding.PEM)


def chance(seed: bytes = b"") -> Callable[[int], bytes]:
    """Bytes that are the same each time."""
    counter = iter(range(1 << 20))
    return lambda size: hashlib.shake_256(seed + b"%d" % next(counter)).digest(size)


def plain(count: int = 2) -> Document:
    pairs = zip(KIDS[:count], KEYS[:count], strict=True)
    return Document(keys=tuple(KeyEntry(kid=kid, value=key) for kid, key in pairs))


def sealed_for(*names: str, document: Document | None = None) -> Document:
    recipients = [Recipient(certificate=certificate_of(name)) for name in names]
    return seal(document or plain(), recipients, chance(), now_us=NOW_US)


@cache
def sealed_bytes() -> bytes:
    return write(sealed_for("packager"))
