"""How the elements of real devices deviate: each by its name, seen by a page."""

from __future__ import annotations

import asyncio

import pytest

from player.backend.serve import in_process
from player.backend.spec import BackendSpec, ContentSpec, Fault, LicenseSpec, Rotation
from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import VIRTUAL_EPOCH_US
from player.eme.element import HAVE_CURRENT_DATA, HAVE_FUTURE_DATA
from player.eme.events import WaitingForKey
from player.errors import UsageError
from player.runtime.clock import running_clock
from player.runtime.memory import MemoryNetwork
from player.runtime.player import Player
from player.runtime.virtual_loop import run_virtual
from player.stream.events import Stalled
from tests.runtime.playing import Playing, clip, init, kid, media, play, quiet


async def _stall_and_resume(p: Playing) -> list[str]:
    """Two seconds under a key that is there, two under one that comes late: what the page is told."""
    await p.session(1)
    p.element.append_init(init(None))
    for index, number in enumerate((1, 2)):
        p.element.append_media(media(index, number, in_group=True))
    p.seen.clear()
    for position in (1.0, 1.7, 2.0, 4.0):
        p.element.advance(position)
        await quiet()
        p.seen.append(f"at {p.element.current_time:g}")
    await p.session(2)
    p.element.advance(4)
    await quiet()
    p.seen.append(f"at {p.element.current_time:g}")
    return p.seen


@pytest.mark.rule("Q10")
@pytest.mark.parametrize(
    ("quirks", "seen"),
    [
        ((), ["at 1", "at 1.7", "at 2", "waiting-for-key", "at 2", "key-statuses", "at 4"]),
        (
            ("unreliable_waitingforkey",),
            ["at 1", "at 1.7", "at 2", "at 2", "key-statuses", "waiting-for-key", "at 4"],
        ),
        (("unreliable_waitingforkey:missing",), ["at 1", "at 1.7", "at 2", "at 2", "key-statuses", "at 4"]),
        (
            ("unreliable_waitingforkey:early",),
            ["at 1", "waiting-for-key", "at 1.7", "at 2", "at 2", "key-statuses", "at 4"],
        ),
    ],
    ids=["in time", "stale", "missing", "early"],
)
def test_a_device_tells_of_a_missing_key_late_never_or_early(quirks: tuple[str, ...], seen: list[str]) -> None:
    assert play(_stall_and_resume, quirks=quirks) == seen


@pytest.mark.rule("Q10")
def test_a_decoder_that_looks_ahead_takes_no_lack_of_data_for_a_missing_key() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(None))
        p.element.append_init(init(1, audio=True), source=1)
        for index, number in enumerate((1, 1, 2)):
            p.element.append_media(media(index, number, in_group=True))
        p.element.append_media(media(0, audio=True), source=1)
        assert p.element.advance(9) == pytest.approx(2, abs=0.1)
        await quiet()
        assert p.seen == ["key-statuses"]

    play(main, quirks=("unreliable_waitingforkey:early",))


@pytest.mark.rule("Q10")
@pytest.mark.rule("R016")
def test_a_stale_event_comes_while_the_key_is_usable_and_playback_goes_on() -> None:
    async def main(p: Playing) -> None:
        ready_states: list[int] = []
        p.element.on(WaitingForKey, lambda _event: ready_states.append(p.element.ready_state))
        await _stall_and_resume(p)
        assert ready_states == [HAVE_FUTURE_DATA]
        assert p.element.current_time == 4

    play(main, quirks=("unreliable_waitingforkey:stale",))


@pytest.mark.rule("Q19")
def test_set_media_keys_may_never_settle() -> None:
    async def main(p: Playing) -> None:
        promise = p.element.set_media_keys(p.keys)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await promise
        assert p.element.media_keys is None

    play(main, quirks=("set_media_keys_hangs",), attached=False)


@pytest.mark.rule("Q31")
def test_media_keys_of_an_earlier_content_may_decrypt_no_other() -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        for _ in range(2):
            p.element.append_init(init())
            p.element.append_media(media(0))
            p.element.play()
            p.element.advance(2)
            if p.element.current_time == 2:
                p.element.load()
        await quiet()
        assert p.seen == ["key-statuses", "waiting-for-key"]
        p.element.load()
        p.keys = await p.more_keys()
        await p.element.set_media_keys(p.keys)
        await p.session(1)
        p.element.append_init(init())
        p.element.append_media(media(0))
        p.element.play()
        assert p.element.advance(2) == 2

    play(main, quirks=("media_keys_single_use",))


@pytest.mark.rule("Q32")
@pytest.mark.rule("R014")
@pytest.mark.parametrize("quirks", [(), ("attach_first:needs_keys_before_clear",)])
def test_a_device_may_want_media_keys_before_a_clear_lead_is_decoded(quirks: tuple[str, ...]) -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(1, clear_lead=True))
        p.element.append_media(media(0, 0, clear_lead=True))
        p.element.advance(1)
        await quiet()
        assert (p.element.current_time, p.seen) == ((0, ["waiting-for-key"]) if quirks else (1, []))
        assert [event.kid for event in p.of(WaitingForKey)] == ([kid(1)] if quirks else [])
        await p.element.set_media_keys(p.keys)
        await quiet()
        assert p.element.advance(1) == 1

    play(main, quirks=quirks, attached=False)


@pytest.mark.rule("Q32")
def test_content_without_protection_needs_no_media_keys_on_any_device() -> None:
    async def main(p: Playing) -> None:
        p.element.append_init(init(0))
        p.element.append_media(media(0, 0))
        assert p.element.advance(2) == 2
        assert p.element.decoded[0].sha256 == clip(0)

    play(main, quirks=("attach_first",), attached=False)


@pytest.mark.rule("Q33")
def test_a_device_may_fail_instead_of_waiting_for_a_key() -> None:
    async def main(p: Playing) -> None:
        assert [name for name in await _stall_and_resume(p) if not name.startswith("at")] == [
            "media-failed",
            "key-statuses",
        ]
        assert p.element.current_time == 2
        assert p.element.error is not None
        assert str(kid(2)) in p.element.error.reason

    play(main, quirks=("error_instead_of_waitingforkey",))


@pytest.mark.rule("Q34")
@pytest.mark.parametrize("quirks", [(), ("buffered_data_sticks",)])
def test_what_is_queued_under_an_unusable_key_may_stick_until_a_seek(quirks: tuple[str, ...]) -> None:
    async def main(p: Playing) -> None:
        await p.session(1)
        p.element.append_init(init(None))
        p.element.append_media(media(0, 2, in_group=True))
        p.element.advance(1)
        p.element.remove_undecoded()
        p.element.append_media(media(0, 1, in_group=True))
        assert p.element.advance(2) == (0 if quirks else 2)
        p.element.seek(2)
        p.element.append_media(media(1, 1, in_group=True))
        assert p.element.advance(4) == 4
        assert p.element.ready_state == HAVE_CURRENT_DATA

    play(main, quirks=quirks)


def test_a_deviation_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"unreliable_waitingforkey:stale"):
        CdmSpec(quirks=("unreliable_waitingforkey:sometimes",))


@pytest.mark.rule("Q10")
@pytest.mark.parametrize("quirks", [(), ("unreliable_waitingforkey:missing",)])
def test_a_player_takes_the_deviations_of_its_element_from_the_same_names(quirks: tuple[str, ...]) -> None:
    late = Fault(from_s=9, to_s=12, mode="slow", delay_s=9.0)
    content = ContentSpec(
        tracks=("video-180p",), rotation=Rotation.IN_BAND, first_boundary_s=10.0, crypto_period_s=16.0
    )
    spec = BackendSpec(content=content, seed=1, license=LicenseSpec(faults=(late,)))

    async def main() -> list[str]:
        clock = running_clock()
        front, backend = in_process(spec, VIRTUAL_EPOCH_US)
        fetcher = MemoryNetwork(front, clock).fetcher(0, Draw(1, 0))
        async with Player(backend.live_url, seed=1, fetcher=fetcher, cdm=CdmSpec(quirks=quirks)) as player:
            told = player.events(Stalled, WaitingForKey)
            await player.play(duration_s=20)
        return [event.name async for event in told]

    assert run_virtual(main()) == ([] if quirks else ["eme:waiting-for-key"]) + ["stream:stalled"]
