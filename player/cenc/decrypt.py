"""Decryption of a fragment in place, strictly in order, up to the first sample whose key is missing.

Refuses to know where keys come from and what a missing key means: that is the CDM's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from player.cenc.cbc import decrypt_cbc
from player.cenc.columns import Run, runs
from player.cenc.ctr import crypt_cenc, crypt_cens
from player.cenc.keys import Contexts, KeyContexts
from player.ids import ContentKey, KeyId
from player.isobmff.sample import Protection, Sample, Scheme

SchemeFunction = Callable[[KeyContexts, Protection, memoryview, Run], None]
"""Works in place on samples of one key and one protection record."""

DECRYPT: Final[Mapping[Scheme, SchemeFunction]] = {
    Scheme.CENC: crypt_cenc,
    Scheme.CENS: crypt_cens,
    Scheme.CBC1: decrypt_cbc,
    Scheme.CBCS: decrypt_cbc,
}


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
        with memoryview(buffer) as view:
            for protection, run in runs(samples, start, len(view)):
                if protection is not None:
                    key = key_for(protection.kid)
                    if key is None:
                        return Outcome(start, protection.kid)
                    DECRYPT[protection.scheme](self._contexts.of(key), protection, view, run)
                start += len(run.starts)
        return Outcome(len(samples), None)
