"""A media element by hand: encrypted, generateRequest, update, and it plays; and every way in which it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.clock import VIRTUAL_EPOCH_US
from player.eme.attach import AttachRules
from player.eme.cdm import Decrypted, SessionChange
from player.eme.element import HAVE_CURRENT_DATA, HAVE_FUTURE_DATA, HAVE_METADATA, HAVE_NOTHING
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError, QuotaExceededError
from player.eme.events import Encrypted, KeyStatusesChanged, MediaFailed, Message, WaitingForKey
from player.eme.status import ClosedReason, KeyStatus
from player.errors import MediaError
from player.ids import HIERARCHY
from player.isobmff.sample import Scheme
from player.wire import hierarchy, keyids
from player.wire.clearkey import read_request, write_license
from player.wire.hierarchy import License, LicenseKey, Policy
from tests.runtime.playing import Playing, box, clip, init, key, kid, media, play, quiet


def test_content_is_played_by_hand_from_encrypted_to_clear_samples() -> None:
    async def main(p: Playing) -> None:
        encrypted = p.element.events(Encrypted)
        p.element.append_init(init(1, boxes=(box(1),)))
        p.element.append_media(media(0))
        event = await anext(encrypted)
        session = p.keys.create_session()
        messages = session.events(Message)
        await session.generate_request(event.init_data_type, event.init_data)
        message = await anext(messages)
        assert read_request(message.message).kids == (kid(1),)
        await session.update(write_license([(kid(1), key(1))]))
        assert p.element.advance(2) == 2
        p.element.end_of_stream()
        assert p.element.ended
        assert p.element.decoded[0].sha256 == clip(0)

    play(main)


# ── setMediaKeys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("O001")
@pytest.mark.rule("O009")
def test_of_two_attaches_at_once_the_first_wins_and_shows_when_it_is_done() -> None:
    async def main(p: Playing) -> None:
        others = await p.more_keys()
        first, second = p.element.set_media_keys(p.keys), p.element.set_media_keys(others)
        assert isinstance(second.exception(), InvalidStateError)
        assert p.element.media_keys is None
        assert isinstance(p.element.set_media_keys(p.keys).exception(), InvalidStateError)
        await first
        assert p.element.media_keys is p.keys

    play(main, attached=False)


@pytest.mark.rule("O002")
@pytest.mark.rule("O003")
def test_the_same_keys_resolve_at_once_and_anything_else_is_a_type_error() -> None:
    async def main(p: Playing) -> None:
        assert p.element.set_media_keys(None).done()
        first = p.element.set_media_keys(p.keys)
        assert isinstance(p.element.set_media_keys("keys").exception(), EmeTypeError)  # before all else
        await first
        assert p.element.set_media_keys(p.keys).done()

    play(main, attached=False)


@pytest.mark.rule("O004")
def test_keys_serve_one_element_until_it_lets_go() -> None:
    async def main(p: Playing) -> None:
        second = p.page.media_element()
        with pytest.raises(QuotaExceededError):
            await second.set_media_keys(p.keys)
        sharing = p.page.media_element(rules=AttachRules(shared=True))
        await sharing.set_media_keys(p.keys)
        await sharing.set_media_keys(None)
        await p.element.set_media_keys(None)
        await second.set_media_keys(p.keys)
        assert second.media_keys is p.keys

    play(main)


@pytest.mark.rule("O005")
@pytest.mark.rule("O008")
def test_keys_cannot_be_taken_off_an_element_with_a_source_and_a_later_call_works() -> None:
    async def main(p: Playing) -> None:
        others = await p.more_keys()
        p.element.append_init(init())
        for keys in (others, None):
            with pytest.raises(InvalidStateError):
                await p.element.set_media_keys(keys)
            assert p.element.media_keys is p.keys
        p.element.load()
        await p.element.set_media_keys(others)
        assert p.element.media_keys is others
        kept = p.page.media_element(rules=AttachRules(replaceable=False))
        await kept.set_media_keys(p.keys)
        with pytest.raises(NotSupportedError):
            await kept.set_media_keys(None)

    play(main)


@pytest.mark.rule("O006")
@pytest.mark.rule("O008")
def test_keys_that_are_gone_cannot_be_attached_and_leave_none() -> None:
    async def main(p: Playing) -> None:
        others = await p.more_keys()
        others.dispose()
        with pytest.raises(InvalidStateError):
            await p.element.set_media_keys(others)
        assert p.element.media_keys is None
        assert p.keys.elements == ()
        await p.element.set_media_keys(p.keys)
        assert p.keys.elements == (p.element,)

    play(main)


@pytest.mark.rule("O007")
@pytest.mark.rule("GO11")
def test_keys_that_are_attached_late_resolve_first_and_unblock_then() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.advance(1)
        await p.session(1)
        assert p.element.ready_state == HAVE_METADATA
        await p.element.set_media_keys(p.keys)
        at_resolution = p.element.ready_state
        await quiet()
        assert (at_resolution, p.element.ready_state) == (HAVE_METADATA, HAVE_FUTURE_DATA)
        assert p.element.advance(1) == 1

    play(main, attached=False)


# ── encrypted ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("P001")
@pytest.mark.rule("P002")
@pytest.mark.rule("P007")
def test_init_data_is_told_each_time_it_occurs() -> None:
    async def main(p: Playing) -> None:
        both = box(1) + box(2)
        for _ in range(2):
            p.element.append_init(init(1, boxes=(box(1), box(2))))
            p.element.append_init(init(1, boxes=(box(1),), audio=True), source=1)
            p.element.append_media(media(0, boxes=(box(1),)))
            p.element.append_media(media(1, boxes=(box(1),)))
            p.element.append_media(media(2))
            p.element.load()
        await quiet()
        told = [(event.track, event.init_data) for event in p.of(Encrypted)]
        assert told == [(0, both), (1, box(1)), (0, box(1)), (0, box(1))] * 2

    play(main)


@pytest.mark.rule("P003")
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_mp4_gives_init_data_of_type_cenc_under_every_scheme(scheme: Scheme) -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(1, boxes=(box(1),), scheme=scheme))
        p.element.append_media(media(0, scheme=scheme))
        p.element.advance(2)
        await quiet()
        assert [event.init_data_type for event in p.of(Encrypted)] == ["cenc"]
        assert p.element.decoded[0].sha256 == clip(0)

    play(main)


@pytest.mark.rule("P003")
@pytest.mark.rule("P008")
def test_each_key_id_of_webm_is_told_as_it_is() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init())
        for key_id in (b"short", kid(2)):
            p.element.append_webm_key_id(key_id)
        await quiet()
        assert [(event.init_data_type, event.init_data) for event in p.of(Encrypted)] == [
            ("webm", b"short"),
            ("webm", bytes(kid(2))),
        ]
        session = p.keys.create_session()
        messages = session.events(Message)
        await session.generate_request("webm", p.of(Encrypted)[1].init_data)
        assert read_request((await anext(messages)).message).kids == (kid(2),)

    play(main)


@pytest.mark.rule("P004")
def test_the_encrypted_event_needs_metadata_and_no_keys() -> None:
    async def main(p: Playing) -> None:
        states: list[int] = []
        p.element.on(Encrypted, lambda _event: states.append(p.element.ready_state))
        assert p.element.ready_state == HAVE_NOTHING
        p.element.append_init(init(1, boxes=(box(1),)))
        assert p.element.ready_state == HAVE_METADATA
        await quiet()
        assert states == [HAVE_METADATA]
        assert p.element.ready_state == HAVE_METADATA

    play(main, attached=False)


@pytest.mark.rule("P005")
def test_media_that_the_page_may_not_look_into_tells_no_init_data() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(1, boxes=(box(1),)), cors_same_origin=False)
        p.element.append_media(media(0, boxes=(box(1),)))
        await quiet()
        assert [(event.init_data_type, event.init_data) for event in p.of(Encrypted)] == [("", None)] * 2

    play(main)


@pytest.mark.rule("P006")
def test_the_event_holds_a_copy_and_the_element_makes_no_use_of_init_data() -> None:
    async def main(p: Playing) -> None:
        appended = bytearray(init(1, boxes=(box(1),)))
        p.element.append_init(appended)
        appended[:] = bytes(len(appended))
        p.element.append_media(media(0))
        p.element.advance(2)
        await quiet()
        assert p.of(Encrypted)[0].init_data == box(1)
        assert p.element.current_time == 0
        assert p.keys.create_session().key_statuses.size == 0

    play(main)


@pytest.mark.rule("P007")
def test_an_encrypted_track_without_boxes_tells_nothing_until_its_key_is_needed() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init())
        p.element.append_media(media(0))
        await quiet()
        assert p.seen == []
        p.element.advance(1)
        await quiet()
        assert p.seen == ["waiting-for-key"]

    play(main)


@pytest.mark.rule("P009")
def test_the_event_of_an_init_segment_comes_before_anything_is_decoded() -> None:
    async def main(p: Playing) -> None:
        decoded: list[int] = []
        p.element.on(Encrypted, lambda _event: decoded.append(len(p.element.decoded)))
        await p.session(1)
        p.element.append_init(init(1, boxes=(box(1),)))
        await quiet()
        p.element.append_media(media(0))
        assert decoded == [0]
        assert p.element.decoded[0].samples == 50

    play(main)


# ── blocks and keys ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("R001")
@pytest.mark.rule("R002")
def test_a_block_is_tried_when_it_comes_unless_decryption_is_blocked() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init())
        p.element.append_media(media(0))
        assert p.cdm.asked == []  # no session, so no CDM is asked
        await p.session(2)
        p.element.append_media(media(1))
        assert p.cdm.asked == []  # blocked: a new block waits for its turn
        p.element.advance(1)
        assert len(p.cdm.asked) == 1  # at the head of the queue
        await p.session(1)  # and again, now that a key has come
        assert p.element.decoded[0].samples == 100
        p.element.append_media(media(2))
        assert p.element.decoded[0].samples == 150

    play(main)


@pytest.mark.rule("R002")
def test_keys_whose_sessions_are_all_closed_block_without_asking_the_cdm() -> None:
    async def main(p: Playing) -> None:
        session = await p.session(1)
        await session.close()
        await quiet()
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.advance(1)
        await quiet()
        assert p.cdm.asked == []
        assert p.seen[-1] == "waiting-for-key"

    play(main)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["update", "close"]), st.integers(0, 2)), min_size=1, max_size=8))
@pytest.mark.rule("R003")
@pytest.mark.rule("R005")
def test_of_several_sessions_the_one_updated_last_decrypts(steps: list[tuple[str, int]]) -> None:
    """The sessions hold the key id with different values: the digest shows which one was used."""

    async def main(p: Playing) -> None:
        sessions = [await p.session(9) for _ in range(3)]
        order: list[int] = []  # of those that hold the key, updated last in last place
        for what, which in steps:
            if what == "close":
                await sessions[which].close()
                order = [other for other in order if other != which]
            elif not sessions[which].closed.done():
                await p.update(sessions[which], 1, shift=which)
                order = [*(other for other in order if other != which), which]
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.advance(2)
        await quiet()
        if not order:
            assert p.element.current_time == 0
            return
        assert p.element.current_time == 2
        assert p.element.error is None  # a wrong key goes unnoticed
        assert (p.element.decoded[0].sha256 == clip(0)) is (order[-1] == 0)

    play(main)


@pytest.mark.rule("R004")
def test_a_missing_key_at_the_head_blocks_its_track_and_no_other() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init())
        p.element.append_init(init(2, audio=True), source=1)
        p.element.append_media(media(0))
        p.element.append_media(media(0, 2, audio=True), source=1)
        p.element.append_media(media(1, 1, audio=True, in_group=True), source=1)
        assert p.element.decoded[0].samples == 50
        assert 1 not in p.element.decoded
        p.element.advance(1)
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(2)]
        await p.session(2)
        assert p.element.decoded[1].sha256 == clip(0, 1, audio=True)

    play(main)


@pytest.mark.rule("R005")
def test_a_decryption_that_fails_is_an_error_of_the_element_and_no_wait() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.cdm.change = lambda call, _done: Decrypted(clear=call.start, error="the padding is wrong")
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.advance(1)
        await quiet()
        assert p.seen[-1:] == ["media-failed"]
        assert not p.of(WaitingForKey)
        assert p.element.error == MediaFailed(track=0, reason="the padding is wrong")
        with pytest.raises(InvalidStateError, match="load again"):
            p.element.append_media(media(1))
        p.element.load()
        assert p.element.error is None

    play(main)


@pytest.mark.rule("R006")
def test_a_cdm_that_goes_away_corrupts_the_media_and_closes_its_sessions() -> None:
    async def main(p: Playing) -> None:
        sessions = [await p.session(1), p.keys.create_session()]
        gone = ClosedReason.HARDWARE_CONTEXT_RESET
        p.cdm.change = lambda call, _done: Decrypted(clear=call.start, lost=gone)
        p.element.append_init(init())
        p.element.append_media(media(0))
        await quiet()
        assert isinstance(p.element.error, MediaFailed)
        assert [await session.closed for session in sessions] == [gone, gone]

    play(main)


@pytest.mark.rule("R007")
def test_the_first_use_of_a_key_may_change_its_status() -> None:
    async def main(p: Playing) -> None:
        session = await p.session(1)
        changed = SessionChange(slot=0, statuses=((kid(1), KeyStatus.OUTPUT_DOWNSCALED),), expiration_ms=5_000)
        p.cdm.change = lambda _call, done: msgspec.structs.replace(done, changes=(changed,))
        events = session.events(KeyStatusesChanged)
        p.element.append_init(init())
        p.element.append_media(media(0))
        await anext(events)
        assert session.key_statuses.get(kid(1)) is KeyStatus.OUTPUT_DOWNSCALED
        assert session.expiration == 5_000
        assert p.element.advance(2) == 2

    play(main)


# ── waiting and resuming ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("R008")
@pytest.mark.rule("R009")
@pytest.mark.rule("R010")
@pytest.mark.rule("O011")
def test_a_missing_key_is_told_once_when_the_lead_is_used_up() -> None:
    async def main(p: Playing) -> None:
        states: list[int] = []
        p.element.on(WaitingForKey, lambda _event: states.append(p.element.ready_state))
        await p.session(1)
        p.element.append_init(init(None))
        p.element.append_media(media(0, 1, in_group=True))
        p.element.append_media(media(1, 2, in_group=True))
        assert p.element.advance(1.9) == 1.9
        await quiet()
        assert not p.of(WaitingForKey)
        assert p.element.ready_state == HAVE_FUTURE_DATA
        for _ in range(3):
            assert p.element.advance(9) == 2
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(2)]
        assert states == [HAVE_CURRENT_DATA]  # lowered before the event; the frame before it is still there
        assert (p.element.paused, p.element.current_time) == (False, 2)

    play(main)


@pytest.mark.rule("R008")
def test_a_lack_of_data_is_no_wait_for_a_key() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init())
        p.element.append_media(media(0))
        assert p.element.advance(5) == 2
        await quiet()
        assert not p.of(WaitingForKey)
        assert p.element.ready_state == HAVE_CURRENT_DATA
        p.element.append_media(media(1))
        assert p.element.advance(5) == 4

    play(main)


@pytest.mark.rule("R011")
@pytest.mark.rule("R012")
def test_playback_resumes_with_the_key_it_waits_for_and_waits_anew_for_the_next() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(None))
        for index, number in enumerate((1, 2)):
            p.element.append_media(media(index, number, in_group=True))
        p.element.advance(9)
        await p.session(3)  # not the one
        assert p.element.ready_state == HAVE_METADATA
        p.element.advance(9)
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(1)]
        await p.session(1)
        assert p.element.ready_state == HAVE_FUTURE_DATA
        assert p.element.advance(9) == 2
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(1), kid(2)]

    play(main)


@pytest.mark.rule("R011")
def test_every_element_that_shares_the_keys_resumes() -> None:
    async def main(p: Playing) -> None:
        second = p.page.media_element(rules=AttachRules(shared=True))
        await second.set_media_keys(p.keys)
        second.play()
        for element in (p.element, second):
            element.append_init(init())
            element.append_media(media(0))
            element.advance(1)
        await p.session(1)
        assert [element.ready_state for element in (p.element, second)] == [HAVE_FUTURE_DATA] * 2

    play(main)


@pytest.mark.rule("R013")
def test_a_second_missing_key_behind_the_one_that_came_is_told_when_it_is_reached() -> None:
    """Attempt to Resume clears the flag that its own attempt has just set; nothing is appended afterwards."""

    async def main(p: Playing) -> None:
        p.element.append_init(init(None))
        for index, number in enumerate((1, 2, 1)):
            p.element.append_media(media(index, number, in_group=True))
        p.element.advance(9)
        await p.session(1)
        assert p.element.advance(9) == 2
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(1), kid(2)]

    play(main)


@pytest.mark.rule("R013")
@pytest.mark.rule("R015")
def test_a_key_that_comes_while_there_is_a_lead_is_used_without_a_stop() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(None))
        for index, number in enumerate((1, 2)):
            p.element.append_media(media(index, number, in_group=True))
        p.element.advance(1)
        await p.session(2)
        p.element.append_media(media(2, 2, in_group=True))
        assert p.element.advance(9) == 6
        await quiet()
        assert not p.of(WaitingForKey)
        assert p.element.decoded[0].sha256 == clip(0, 1, 2)

    play(main)


@pytest.mark.rule("R015")
@pytest.mark.parametrize("sessions", [[(1, 2, 3)], [(1,), (2,), (3,)], [(3, 1), (2,)]])
def test_keys_switch_within_and_across_sessions(sessions: Sequence[tuple[int, ...]]) -> None:
    async def main(p: Playing) -> None:
        for numbers in sessions:
            await p.session(*numbers)
        p.element.append_init(init(None))
        for index, number in enumerate((1, 2, 3, 1)):
            p.element.append_media(media(index, number, in_group=True))
        assert p.element.advance(9) == 8
        await quiet()
        assert not p.of(WaitingForKey)
        assert p.element.decoded[0].sha256 == clip(0, 1, 2, 3)

    play(main)


@pytest.mark.rule("R017")
def test_clear_samples_wait_for_no_key_and_never_reach_the_cdm() -> None:
    async def main(p: Playing) -> None:
        await p.session(9)
        p.element.append_init(init(1, clear_lead=True))
        p.element.append_init(init(0, audio=True), source=1)
        p.element.append_media(media(0, 0, clear_lead=True))
        assert p.element.advance(1) == 0  # the audio is not there yet
        p.element.append_media(media(1, 1, clear_lead=True))
        p.element.append_media(media(0, 0, audio=True), source=1)  # though decryption is blocked
        p.element.append_media(media(1, 0, audio=True), source=1)
        assert [call.samples[call.start].protection is None for call in p.cdm.asked] == [False]
        assert p.element.advance(9) == 2
        assert p.element.decoded[0].sha256 == clip(0)
        assert p.element.decoded[1].sha256 == clip(0, 1, audio=True)

    play(main)


@pytest.mark.rule("R018")
def test_a_sample_group_names_another_key_than_the_track() -> None:
    async def main(p: Playing) -> None:
        await p.session(2)
        p.element.append_init(init(1))
        p.element.append_media(media(0, 2, in_group=True))
        assert p.element.advance(9) == 2
        assert p.element.decoded[0].sha256 == clip(0)

    play(main)


@pytest.mark.rule("H006")
def test_a_key_whose_session_closes_is_missing_from_the_next_block_on() -> None:
    async def main(p: Playing) -> None:
        session = await p.session(1)
        p.element.append_init(init())
        p.element.append_media(media(0))
        await session.close()
        p.element.append_media(media(1))
        assert p.element.advance(9) == 2
        await quiet()
        assert p.seen[-1] == "waiting-for-key"

    play(main)


@pytest.mark.rule("GO10")
@pytest.mark.rule("R008")
@pytest.mark.rule("G015")
def test_a_key_that_expires_is_waited_for_once_the_lead_is_used_up_until_it_is_renewed() -> None:
    async def main(p: Playing) -> None:
        session = p.keys.create_session()
        session.on(KeyStatusesChanged, lambda event: p.seen.append(str(event.session.statuses[0][1])))
        await session.generate_request("keyids", keyids.write([kid(1)]))
        await session.update(_until(3))
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.append_media(media(1))
        await asyncio.sleep(3.1)
        p.element.append_media(media(2))
        for position in (3.0, 9.0):
            p.seen.append(f"at {p.element.advance(position):g}")
            await quiet()
        assert p.seen == ["usable", "expired", "at 3", "at 4", "waiting-for-key"]
        await session.update(_until(9))
        await quiet()
        assert p.seen[-1] == "usable"
        assert p.element.advance(9) == 6
        assert p.element.decoded[0].sha256 == clip(0, 1, 2)

    play(main, key_system=HIERARCHY)


def _until(end_s: int) -> bytes:
    """A license for the first key that ends so many seconds into the run."""
    policy = Policy(exp_ms=VIRTUAL_EPOCH_US // 1000 + end_s * 1000)
    return hierarchy.write_license(License(keys=(LicenseKey(kid=kid(1), key=key(1)),), policy=policy))


# ── position ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("O010")
@pytest.mark.parametrize("move", ["seek", "load"])
def test_a_change_of_position_forgets_what_was_queued_and_waited_for(move: str) -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(None))
        p.element.append_media(media(0, 2, in_group=True))
        p.element.advance(1)
        if move == "seek":
            p.element.seek(2)
        else:
            p.element.load()
            assert p.element.ready_state == HAVE_NOTHING
            p.element.append_init(init(None))
            p.element.play()
        assert p.element.ready_state == HAVE_METADATA
        p.element.append_media(media(1, 1, in_group=True))
        assert p.element.advance(9) == 4
        assert p.element.decoded[0].sha256 == clip(1)
        p.element.append_media(media(2, 2, in_group=True))
        p.element.advance(9)
        await quiet()
        assert [event.kid for event in p.of(WaitingForKey)] == [kid(2), kid(2)]

    play(main)


def test_time_stands_while_paused_and_starts_at_the_first_media() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.pause()
        p.element.append_init(init())
        p.element.append_media(media(5))
        assert p.element.current_time == 10
        assert p.element.advance(11) == 10
        p.element.play()
        assert p.element.advance(11) == 11

    play(main)


def test_what_cannot_be_read_is_refused_whole() -> None:
    async def main(p: Playing) -> None:
        with pytest.raises(InvalidStateError, match="no init segment"):
            p.element.append_media(media(0))
        with pytest.raises(MediaError):
            p.element.append_init(b"\0\0\0\7moov")
        with pytest.raises(EmeTypeError):
            p.element.append_init("moov")
        p.element.append_init(init())
        with pytest.raises(MediaError):
            p.element.append_media(media(0) + b"\0\0\0\7moof")
        assert p.element.decoded == {}
        await asyncio.sleep(0)

    play(main)
