"""From a fetched fragment to clear samples: wait for the key, decrypt, deliver, strictly in order."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from player.drm.keys import Verdict
from player.eme import element
from player.eme.blocks import answer, clear_run
from player.eme.cdm import Decrypt, Decrypted
from player.engine import announcing, tracks, verdicts
from player.engine.actions import CdmCall, Deliver
from player.engine.spec import Media
from player.engine.track import Track
from player.errors import KeystormError, MediaError
from player.stream.buffer import Pending

if TYPE_CHECKING:
    from player.engine.machine import Machine


def advance(m: Machine, track: Track, now: int) -> None:
    """Make the head of the queue clear as far as its keys allow, one fragment at a time, strictly in order."""
    if track.broken is not None and track.finished:
        m.fail(track.broken, now)  # all that could be read before the fault has been delivered
    while track.pending and not track.decrypting and not m.finished:
        head = track.pending[0]
        kid = head.kid()
        if kid is None:
            _release(m, track, clear_run(head.fragment.samples, head.start))
            continue
        verdict = verdicts.of_key(m, kid)
        if verdict is Verdict.BLOCK:
            tracks.fall_back(m, track, kid, now)
            return
        if verdict is Verdict.UNDECIDED or track.refused == kid:
            element.stops(m.element)
            announcing.ask_again(m, track, head.fragment, kid, now)
            return
        if m.spec.media is Media.SIGNALS:
            _release(m, track, _run_of(head))
            continue
        track.decrypting = True
        m.act(CdmCall(Decrypt(track=track.number, buffer=head.buffer, samples=head.fragment.samples, start=head.start)))


def decrypted(m: Machine, call: Decrypt, result: Decrypted, now: int) -> None:
    track = m.stream.tracks[call.track]
    track.decrypting = False
    done = answer(call, result)
    if done.clear:
        _release(m, track, done.clear)
    if done.error:
        m.fail(_undecipherable(track, done.error), now)
    elif done.stopped and track.pending:
        track.refused = track.pending[0].kid()


def _release(m: Machine, track: Track, count: int) -> None:
    """`count` samples from the head on are clear: hand them to the sink."""
    head = track.pending[0]
    start = head.start
    track.clear(count)
    if m.spec.media is Media.FULL:
        m.act(Deliver(head.period, track.number, head.buffer, head.init, head.fragment, start, start + count))


def _run_of(head: Pending) -> int:
    """How many samples from here on have the key of the first."""
    kid = head.kid()
    runs = head.fragment.samples.protections_from(head.start)
    return sum(count for count, _ in takewhile(lambda run: run[1] is None or run[1].kid == kid, runs))


def _undecipherable(track: Track, reason: str) -> KeystormError:
    return MediaError("bad-protection", f"track {track.number}", 0, reason)
