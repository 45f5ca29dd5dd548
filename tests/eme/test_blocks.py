"""Attempt to Decrypt over the queue of a track, fragment by fragment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.eme.blocks import Stop, attempt
from player.eme.cdm import Decrypt, Decrypted
from player.eme.status import ClosedReason
from player.ids import KeyId
from player.isobmff.model import Fragment
from player.isobmff.sample import Protection, Sample, Scheme
from player.isobmff.samples import Samples
from player.stream.buffer import Pending, TrackBuffer

KIDS = [KeyId(bytes([number]) * 16) for number in range(3)]
CLEAR = None


def sample(kid: KeyId | None) -> Sample:
    protection = None if kid is None else Protection(scheme=Scheme.CENC, kid=kid, iv_size=8)
    return Sample(0, 0, 1, protection, b"" if kid is None else bytes(8), ())


def track_of(fragments: Sequence[Sequence[KeyId | None]]) -> TrackBuffer[None]:
    track: TrackBuffer[None] = TrackBuffer(7, 0)
    for kids in fragments:
        samples = Samples.of([sample(kid) for kid in kids])
        named = tuple(dict.fromkeys(kid for kid in kids if kid is not None))
        fragment = Fragment(track_id=1, timescale=1, decode_time=0, data=(0, 0), samples=samples, kids=named)
        track.push(Pending(fragment, bytearray(), 0, 0), 0)
    return track


@dataclass
class Cdm:
    """Answers as a CDM that holds these keys, and counts."""

    usable: frozenset[KeyId] = frozenset()
    asked: list[KeyId | None] = field(default_factory=list)

    def __call__(self, call: Decrypt) -> Decrypted:
        protections = [it.protection for it in call.samples]
        first = protections[call.start]
        self.asked.append(None if first is None else first.kid)
        for place in range(call.start, len(protections)):
            protection = protections[place]
            if protection is not None and protection.kid not in self.usable:
                return Decrypted(clear=place, stopped_by=protection.kid)
        return Decrypted(clear=len(protections))


def run(track: TrackBuffer[None], ask: Cdm | None) -> tuple[int, Stop | None]:
    """How many samples came out, and what stopped it."""
    released: list[int] = []

    def release(count: int) -> None:
        released.append(count)
        track.clear(count)

    stop = attempt(track.number, lambda: track.pending, ask, release)
    assert all(count > 0 for count in released)
    return sum(released), stop


queues = st.lists(st.lists(st.sampled_from([*KIDS, CLEAR]), min_size=1, max_size=5), max_size=4)
key_sets = st.frozensets(st.sampled_from(KIDS))


@pytest.mark.rule("R004")
@given(queues, key_sets)
def test_fragments_come_as_far_as_blocks_one_by_one_would(
    fragments: list[list[KeyId | None]], usable: frozenset[KeyId]
) -> None:
    blocks = [kid for kids in fragments for kid in kids]
    expected = next((place for place, kid in enumerate(blocks) if kid is not None and kid not in usable), len(blocks))
    released, stop = run(track_of(fragments), Cdm(usable))
    assert released == expected
    assert stop == (None if expected == len(blocks) else Stop(blocks[expected]))


@pytest.mark.rule("R017")
@given(queues, key_sets)
def test_the_cdm_is_asked_only_where_an_encrypted_sample_is_next(
    fragments: list[list[KeyId | None]], usable: frozenset[KeyId]
) -> None:
    cdm = Cdm(usable)
    run(track_of(fragments), cdm)
    assert None not in cdm.asked


@pytest.mark.rule("R004")
@given(queues, key_sets, key_sets)
def test_what_was_stopped_goes_on_where_it_was_once_the_key_is_there(
    fragments: list[list[KeyId | None]], before: frozenset[KeyId], after: frozenset[KeyId]
) -> None:
    at_once, in_turn = track_of(fragments), track_of(fragments)
    first, _ = run(in_turn, Cdm(before))
    second, stop = run(in_turn, Cdm(before | after))
    assert (first + second, stop) == run(at_once, Cdm(before | after))


@pytest.mark.rule("R002")
def test_without_media_keys_only_clear_samples_come_through() -> None:
    assert run(track_of([[CLEAR, CLEAR, KIDS[0]], [CLEAR]]), None) == (2, Stop(KIDS[0]))
    assert attempt(0, lambda: (), None, lambda _count: None) is None


@pytest.mark.rule("R002")
def test_keys_without_an_open_session_are_as_none() -> None:
    track = track_of([[CLEAR, KIDS[0]]])
    assert attempt(0, lambda: track.pending, lambda _call: None, track.clear) == Stop(KIDS[0])


@pytest.mark.rule("R005")
@pytest.mark.rule("R006")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Decrypted(clear=1, error="bad padding"), "bad padding"),
        (Decrypted(clear=1, lost=ClosedReason.HARDWARE_CONTEXT_RESET), "the CDM is gone: hardware-context-reset"),
        (Decrypted(clear=0), "the CDM stopped and did not say why"),
        (Decrypted(clear=1), "the CDM stopped and did not say why"),
        (Decrypted(clear=-7), "the CDM stopped and did not say why"),
    ],
)
def test_a_failed_decryption_is_no_missing_key(answer: Decrypted, error: str) -> None:
    track = track_of([[KIDS[0], KIDS[0]]])
    assert attempt(0, lambda: track.pending, lambda _call: answer, track.clear) == Stop(KIDS[0], error)


def test_a_cdm_that_claims_more_samples_than_there_are_is_not_believed() -> None:
    track = track_of([[KIDS[0]]])
    assert attempt(0, lambda: track.pending, lambda _call: Decrypted(clear=99), track.clear) is None
    assert track.pending == ()


def test_a_cdm_that_names_a_strange_key_stops_at_the_key_that_is_next() -> None:
    track = track_of([[KIDS[0], CLEAR, KIDS[1]]])
    assert attempt(0, lambda: track.pending, lambda _call: Decrypted(clear=1, stopped_by=KIDS[2]), track.clear) == (
        Stop(KIDS[1])
    )
