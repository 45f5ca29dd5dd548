"""Encryption of samples in place, with the IVs and ranges they carry: what the packager calls.

Refuses to choose keys, IVs and ranges; the usual ranges of a video sample are `subsamples`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from player.cenc.cbc import encrypt_cbc
from player.cenc.columns import runs
from player.cenc.ctr import crypt_cenc, crypt_cens
from player.cenc.decrypt import SchemeFunction
from player.cenc.keys import Contexts
from player.ids import ContentKey
from player.isobmff.sample import Sample, Scheme

ENCRYPT: Final[Mapping[Scheme, SchemeFunction]] = {
    Scheme.CENC: crypt_cenc,
    Scheme.CENS: crypt_cens,
    Scheme.CBC1: encrypt_cbc,
    Scheme.CBCS: encrypt_cbc,
}


class Encryptor:
    """Encrypts, and keeps the contexts of the keys it met. Not for two threads."""

    __slots__ = ("_contexts",)

    def __init__(self) -> None:
        self._contexts = Contexts()

    def encrypt(self, buffer: bytearray, samples: Sequence[Sample], key: ContentKey) -> None:
        """Encrypt the samples that have a protection record, all under one key, in place.

        Raises: ValueError if a sample lies outside the buffer; nothing is changed then.
        """
        with memoryview(buffer) as view:
            for protection, run in runs(samples, 0, len(view)):
                if protection is not None:
                    ENCRYPT[protection.scheme](self._contexts.of(key), protection, view, run)
