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


class Answer(NamedTuple):
    """What became of a fragment: so many further samples are clear. `error` "": none."""

    clear: int
    error: str = ""
    stopped: bool = False  # for want of a key


def answer(call: Decrypt, done: Decrypted) -> Answer:
    """A CDM is believed no further than it can be: within the fragment, and with a reason wherever it stops."""
    end = len(call.samples)
    count = max(0, min(done.clear, end) - call.start)
    if done.error is not None or done.lost is not None:
        return Answer(count, done.error or f"the CDM is gone: {done.lost}")
    if done.stopped_by is None and call.start + count < end:
        return Answer(count, "the CDM stopped and did not say why")
    return Answer(count, stopped=done.stopped_by is not None)


def attempt(number: int, queue: Callable[[], Sequence[Block]], ask: Ask | None, release: Release) -> Stop | None:
    """Attempt to Decrypt, strictly in order; None: everything in the queue is clear.

    `number` is the track's. `ask` None: there are no MediaKeys, so that only what is not protected comes through.
    """
    while pending := queue():
        head = pending[0]
        found = _advance(number, head, ask)
        if found.clear:
            release(found.clear)
        kid = head.kid() if head.start < len(head.fragment.samples) else None
        if found.error or (found.stopped and kid is not None):
            return Stop(kid, found.error)
    return None


def _advance(number: int, head: Block, ask: Ask | None) -> Answer:
    """What is not protected comes through as it is; for the rest the CDM is asked."""
    samples = head.fragment.samples
    count = clear_run(samples, head.start)
    if count:
        return Answer(count)
    call = Decrypt(track=number, buffer=head.buffer, samples=samples, start=head.start)
    done = None if ask is None else ask(call)
    return Answer(0, stopped=True) if done is None else answer(call, done)


def clear_run(samples: Samples, start: int) -> int:
    """How many samples from `start` on are not protected: the CDM is not asked for these."""
    return sum(count for count, _ in takewhile(lambda run: run[1] is None, samples.protections_from(start)))
