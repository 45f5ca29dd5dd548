"""Decryption of a fragment in place, strictly in order, up to the first sample whose key is missing.

Refuses to know where keys come from and what a missing key means: that is the CDM's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import add, itemgetter
from typing import Final, NamedTuple

from player.cenc.cbc import decrypt_cbc
from player.cenc.ctr import crypt_cenc, crypt_cens
from player.cenc.keys import Contexts, KeyContexts
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Protection, Sample, Scheme

SchemeFunction = Callable[[KeyContexts, Protection, memoryview, Sequence[Sample]], None]
"""Works in place on samples of one key and one protection record."""

DECRYPT: Final[Mapping[Scheme, SchemeFunction]] = {
    Scheme.CENC: crypt_cenc,
    Scheme.CENS: crypt_cens,
    Scheme.CBC1: decrypt_cbc,
    Scheme.CBCS: decrypt_cbc,
}

# C-level getters: three attribute look-ups a sample would cost as much as decrypting a short one
_offset_of, _size_of, protection_of = map(itemgetter, (0, 1, 3))


class Outcome(NamedTuple):
    """samples[:clear] are clear now; `stopped_by` is the key id of samples[clear], None where all are clear."""

    clear: int
    stopped_by: KeyId | None


class Decryptor:
    """Decrypts, and keeps the contexts of the keys it met. One serves all clients of a process, not two threads."""

    __slots__ = ("_contexts",)

    def __init__(self) -> None:
        self._contexts = Contexts()

    def decrypt(
        self,
        buffer: bytearray | memoryview,
        samples: Sequence[Sample],
        key_for: Callable[[KeyId], ContentKey | None],
        start: int = 0,
    ) -> Outcome:
        """Decrypt samples[start:] in place; those before are clear already. Clear samples need no key.

        Raises: ValueError if a sample lies outside the buffer; nothing is changed then.
        """
        check_bounds(buffer, samples)
        with memoryview(buffer) as view:
            for protection, run in groupby(samples[start:], protection_of):
                part = tuple(run)
                if protection is not None:
                    key = key_for(protection.kid)
                    if key is None:
                        return Outcome(start, protection.kid)
                    DECRYPT[protection.scheme](self._contexts.of(key), protection, view, part)
                start += len(part)
        return Outcome(len(samples), None)


def check_bounds(buffer: bytearray | memoryview, samples: Sequence[Sample]) -> None:
    end = max(map(add, map(_offset_of, samples), map(_size_of, samples)), default=0)
    if end > len(buffer):
        raise ValueError(f"a sample ends at byte {end} of a buffer of {len(buffer)}")
