"""RSA as CPIX uses it: OAEP with MGF1 and SHA-1 throughout, and PKCS #1 v1.5 signatures (RFC 8017, 7.1 and 8.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

DIGESTS: Final[Mapping[str, Callable[[], HashAlgorithm]]] = {"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}
_MAX_BITS: Final = 16_384  # beyond it one operation takes seconds, and nobody has such a key


class PrivateKey:
    """An RSA private key. It never shows itself."""

    __slots__ = ("_key", "public_key")

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def decrypt(self, data: bytes) -> bytes:
        """Raises: ValueError where it was not encrypted to this key."""
        try:
            return self._key.decrypt(data, _oaep())
        except ValueError:
            raise ValueError("it was not encrypted to this key") from None

    def sign(self, data: bytes, digest: str = "sha512") -> bytes:
        return self._key.sign(data, PKCS1v15(), DIGESTS[digest]())

    def __repr__(self) -> str:
        return "PrivateKey(hidden)"


def read_private_key(data: bytes) -> PrivateKey:
    """PEM or DER, PKCS #8 or PKCS #1, without a password.

    Raises: ValueError, which says nothing about what was read.
    """
    load = load_pem_private_key if data.lstrip().startswith(b"-----BEGIN") else load_der_private_key
    try:
        key = load(data, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # TypeError: there is a password
        raise ValueError("no private key that can be read (PEM or DER, no password)") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("no RSA private key")
    return PrivateKey(key)


def encrypt(public_key: bytes, data: bytes) -> bytes:
    """Under a SubjectPublicKeyInfo, DER; random by nature.

    Raises: ValueError where that is no RSA key, or the data is too long for it.
    """
    return _public(public_key).encrypt(data, _oaep())


def verify(public_key: bytes, signature: bytes, data: bytes, digest: str) -> bool:
    """Whether the signature is this key's over `data`; `digest` is one of DIGESTS.

    Raises: ValueError where it is no RSA key.
    """
    try:
        _public(public_key).verify(signature, data, PKCS1v15(), DIGESTS[digest]())
    except InvalidSignature:  # derives from Exception alone
        return False
    return True


def bits(public_key: bytes) -> int:
    """The size of an RSA key. Raises: ValueError where it is none."""
    return _public(public_key).key_size


def _public(info: bytes) -> RSAPublicKey:
    try:
        key = load_der_public_key(info)
    except Exception as error:  # UnsupportedAlgorithm and others derive from Exception alone
        raise ValueError(f"no public key that can be read ({type(error).__name__})") from error
    if not isinstance(key, RSAPublicKey) or key.key_size > _MAX_BITS:
        raise ValueError(f"no RSA key of at most {_MAX_BITS} bits")
    return key


def _oaep() -> OAEP:
    return OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - rsa-oaep-mgf1p of XML Encryption
