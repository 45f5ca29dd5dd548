"""The encrypted block queue of one track, and Attempt to Decrypt (EME 7.5.3 and 7.5.4).

The queue is the caller's track buffer. The CDM is asked for one fragment at a time, and its answer, how many leading
samples are clear and which key id stopped it, is what block by block would give. No key, no session, no position here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import NamedTuple, Protocol

from player.eme.cdm import Decrypt, Decrypted
from player.ids import KeyId
from player.isobmff.model import Fragment
from player.isobmff.samples import Samples


class Block(Protocol):
    """A fragment in the queue. Its samples before `start` are clear; the others lie encrypted in `buffer`."""

    fragment: Fragment
    buffer: bytearray
    start: int

    def kid(self) -> KeyId | None:
        """The key id of the sample at `start`, by its group or by `tenc`; None: it is not protected."""
        ...


class Stop(NamedTuple):
    """Why Attempt to Decrypt went no further. `error`: the media is corrupted; else the key of `kid` is missing."""

    kid: KeyId | None
    error: str = ""


Ask = Callable[[Decrypt], Decrypted | None]
"""The CDM of the MediaKeys that are attached. None: they have no session that is not closed, and it was not asked."""

Release = Callable[[int], None]
"""So many further samples of the first fragment are clear: the caller takes them, and the fragment once it is done."""


def attempt(number: int, queue: Callable[[], Sequence[Block]], ask: Ask | None, release: Release) -> Stop | None:
    """Attempt to Decrypt, strictly in order; None: everything in the queue is clear.

    `number` is the track's. `ask` None: there are no MediaKeys, so that only what is not protected comes through.
    """
    while pending := queue():
        head = pending[0]
        count = clear_run(head.fragment.samples, head.start)
        stop = None
        if not count:
            count, stop = _decrypted(number, head, ask)
        if count:
            release(count)
        if stop is not None:
            return stop
    return None


def _decrypted(number: int, head: Block, ask: Ask | None) -> tuple[int, Stop | None]:
    """How many further samples the CDM has made clear, and what stopped it."""
    samples = head.fragment.samples
    call = Decrypt(track=number, buffer=head.buffer, samples=samples, start=head.start)
    done = None if ask is None else ask(call)
    if done is None:
        return 0, Stop(head.kid())
    count = min(done.clear, len(samples)) - head.start
    if done.error is not None or done.lost is not None:
        return max(0, count), Stop(head.kid(), done.error or f"the CDM is gone: {done.lost}")
    if done.stopped_by is not None:
        return max(0, count), Stop(done.stopped_by)
    if count <= 0:
        return 0, Stop(head.kid(), "the CDM decrypted nothing and did not say why")
    return count, None


def clear_run(samples: Samples, start: int) -> int:
    """How many samples from `start` on are not protected: the CDM is not asked for these."""
    return sum(count for count, _ in takewhile(lambda run: run[1] is None, samples.protections_from(start)))
