"""What the device does to keys: its display, its clock, playback windows, renewals, room for sessions, its loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from player.cdm.spec import CdmSpec
from player.chance import Draw
from player.clock import MILLISECOND, SECOND
from player.eme import table
from player.eme.cdm import DisplayChanged, GenerateRequest, Handled, Lost
from player.eme.errors import EmeTypeError, InvalidStateError, QuotaExceededError
from player.eme.events import Message, SessionClosed
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import CLEARKEY, HIERARCHY
from player.wire import hierarchy, keyids
from player.wire.hierarchy import Output, Policy
from tests.cdm.client import EPOCH_MS, Client, jwk_set, kid, license_, names, root_box, usable

HD = Policy(output=Output.HDCP_2_2)


def holding(spec: CdmSpec, policy: Policy = HD) -> Client:
    """A client whose session 0 has key 1 under a policy."""
    client = Client(HIERARCHY, spec)
    client.update(client.ask(1), license_(1, policy=policy))
    return client


def status(client: Client, slot: int = 0) -> KeyStatus:
    (found,) = set(client.statuses(slot).values())
    return KeyStatus(found)


@pytest.mark.rule("K004")
@pytest.mark.rule("K005")
@pytest.mark.rule("K010")
@pytest.mark.rule("K011")
def test_a_key_follows_the_display() -> None:
    client = holding(CdmSpec(downscale_hdcp="1.4"))
    assert (status(client), client.decrypt(1).clear, client.decrypt(1).downscaled) == (KeyStatus.USABLE, 1, False)
    for hdcp, found, clear in (
        ("1.4", KeyStatus.OUTPUT_DOWNSCALED, 1),
        ("", KeyStatus.OUTPUT_RESTRICTED, 0),
        ("2.1", KeyStatus.OUTPUT_DOWNSCALED, 1),
        ("2.3", KeyStatus.USABLE, 1),
        ("1.0", KeyStatus.OUTPUT_RESTRICTED, 0),
        ("2.2", KeyStatus.USABLE, 1),
    ):
        assert names(client.call(DisplayChanged(hdcp))) == [("key-statuses", 0)]
        done = client.decrypt(1)
        assert (status(client), done.clear, done.downscaled) == (found, clear, found is KeyStatus.OUTPUT_DOWNSCALED)


@pytest.mark.rule("K004")
@pytest.mark.rule("K009")
def test_only_keys_with_a_rule_that_is_touched_change_with_the_display() -> None:
    client = holding(CdmSpec())
    client.update(client.ask(2), license_(2))
    assert client.call(DisplayChanged("2.2")) == ()
    assert names(client.call(DisplayChanged("1.4"))) == [("key-statuses", 0)]
    assert client.decrypt(2).clear == 1
    assert client.row(1).statuses == usable(2)
    before = client.inner.device
    handled = client.cdm.handle(DisplayChanged("9"), 0, client.draw)
    assert isinstance(handled, Handled)
    assert (handled.error, client.inner.device) == ("NotSupportedError", before)


@pytest.mark.rule("K011")
@pytest.mark.parametrize(("use", "clear"), [("block", 0), ("pass", 1)])
def test_a_restricted_key_blocks_or_passes(use: str, clear: int) -> None:
    client = holding(CdmSpec(hdcp="", output_restricted=use))
    assert status(client) is KeyStatus.OUTPUT_RESTRICTED
    done = client.decrypt(1)
    assert (done.clear, done.downscaled) == (clear, False)


@pytest.mark.rule("K009")
@pytest.mark.rule("J004")
def test_statuses_are_the_same_whether_a_key_is_in_use_or_not() -> None:
    used, unused = (holding(CdmSpec(), Policy(exp_ms=EPOCH_MS + 50)) for _ in range(2))
    used.decrypt(1)
    for client in (used, unused):
        client.wait(60 * MILLISECOND)
    assert used.statuses(0) == unused.statuses(0) == {kid(1): KeyStatus.EXPIRED}


@pytest.mark.rule("K010")
def test_a_status_goes_from_the_future_over_usable_to_expired_and_back() -> None:
    client = Client(HIERARCHY)
    slot = client.ask(1)
    client.update(slot, license_(1, starts_ms=10, policy=Policy(exp_ms=EPOCH_MS + 20)))
    seen = [status(client)]
    for now_ms in (10, 21):
        assert names(client.wait(now_ms * MILLISECOND)) == [("key-statuses", 0)]
        seen.append(status(client))
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 90)))
    client.remove(slot)
    assert [*seen, status(client)] == [
        KeyStatus.USABLE_IN_FUTURE, KeyStatus.USABLE, KeyStatus.EXPIRED, KeyStatus.RELEASED
    ]  # fmt: skip


@pytest.mark.rule("K003")
@pytest.mark.rule("I002")
@pytest.mark.rule("I004")
@pytest.mark.rule("I009")
@pytest.mark.rule("GO07")
def test_removed_keys_are_released_and_decrypt_nothing() -> None:
    client = holding(CdmSpec(), Policy(exp_ms=EPOCH_MS + 500))
    assert names(client.remove(0)) == [("expiration", 0), ("settled", 0), ("key-statuses", 0)]
    assert client.statuses(0) == {kid(1): KeyStatus.RELEASED}
    assert (table.expiration_ms(client.state, 0), client.state.table[0].slot) == (0, 0)
    assert client.decrypt(1).stopped_by == kid(1)
    assert client.wait(SECOND) == ()
    client.update(0, license_(1))
    assert client.row(0).statuses == usable(1)


@pytest.mark.rule("J009")
def test_keys_that_cannot_be_used_stay_in_the_map() -> None:
    client = Client(HIERARCHY, CdmSpec(hdcp="1.0"))
    slot = client.ask(1)
    client.update(slot, license_(1, starts_ms=1000))
    client.update(slot, license_(2, policy=HD))
    assert client.statuses(slot) == {kid(1): KeyStatus.USABLE_IN_FUTURE, kid(2): KeyStatus.OUTPUT_RESTRICTED}


@pytest.mark.rule("M006")
@pytest.mark.rule("G015")
@pytest.mark.rule("GO03")
def test_a_license_asks_for_its_renewal_by_itself() -> None:
    client = Client(HIERARCHY)
    slot = client.ask(1, 2)
    client.update(slot, license_(1, 2, policy=Policy(exp_ms=EPOCH_MS + 500, renew_at_ms=EPOCH_MS + 300)))
    assert client.wait(300 * MILLISECOND - 1) == ()
    (message,) = client.wait(300 * MILLISECOND)
    assert isinstance(message, Message)
    assert message.message_type is MessageType.LICENSE_RENEWAL
    asked = hierarchy.read_request(message.message)
    assert (asked.kids, asked.time_ms) == ((kid(1), kid(2)), EPOCH_MS + 300)
    assert client.wait(400 * MILLISECOND) == (), "asked once"
    renewed = license_(1, 2, policy=Policy(exp_ms=EPOCH_MS + 900, renew_at_ms=EPOCH_MS + 800))
    assert names(client.update(slot, renewed)) == [("expiration", 0), ("settled", 0)]
    assert table.expiration_ms(client.state, slot) == EPOCH_MS + 900
    assert names(client.wait(850 * MILLISECOND)) == [("message", 0)]


@pytest.mark.rule("G015")
@pytest.mark.rule("M006")
@pytest.mark.rule("K010")
def test_a_renewal_that_is_late_brings_expired_keys_back() -> None:
    client = Client(HIERARCHY)
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 100, renew_at_ms=EPOCH_MS + 50)))
    assert names(client.wait(200 * MILLISECOND)) == [("message", 0), ("key-statuses", 0)]
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 400)))
    assert client.row(slot).statuses == usable(1)


@pytest.mark.rule("M006")
def test_a_renewal_that_was_due_before_the_license_came_is_asked_for_at_once() -> None:
    client = Client(HIERARCHY)
    client.now = SECOND
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(renew_at_ms=EPOCH_MS + 1)))
    assert client.state.cdm_due == SECOND + 1
    assert names(client.wait(2 * SECOND)) == [("message", 0)]
    assert client.state.cdm_due is None


@pytest.mark.rule("M006")
@pytest.mark.rule("L009")
def test_a_closed_session_asks_for_no_renewal() -> None:
    client = holding(CdmSpec(), Policy(renew_at_ms=EPOCH_MS + 100))
    client.close(0)
    assert client.wait(SECOND) == ()


@pytest.mark.rule("J003")
@pytest.mark.rule("J002")
@pytest.mark.rule("J005")
def test_a_playback_window_opens_with_the_first_use_and_nobody_is_told() -> None:
    client = holding(CdmSpec(playback_window_s=0.5), Policy(exp_ms=EPOCH_MS + 5_000))
    client.now = 100 * MILLISECOND
    assert table.expiration_ms(client.state, 0) == EPOCH_MS + 5_000
    client.decrypt(1, 1)
    assert names(client.told) == [("expiration", 0)]
    assert table.expiration_ms(client.state, 0) == EPOCH_MS + 600
    client.now = 300 * MILLISECOND
    client.decrypt(1)
    assert len(client.told) == 1, "it opens once"
    assert names(client.wait(SECOND)) == [("key-statuses", 0)]
    assert status(client) is KeyStatus.EXPIRED
    client.update(0, license_(1))
    assert (table.expiration_ms(client.state, 0), status(client)) == (0, KeyStatus.USABLE)


@pytest.mark.rule("J003")
def test_a_key_that_is_not_used_opens_no_window() -> None:
    client = holding(CdmSpec(playback_window_s=0.5), Policy())
    client.update(client.ask(2), license_(2))
    client.decrypt(2)
    assert [table.expiration_ms(client.state, slot) for slot in (0, 1)] == [0, EPOCH_MS + 500]


@pytest.mark.rule("decisions:D23")
def test_a_request_tells_the_level_of_the_device_and_its_time_if_it_knows_any() -> None:
    for spec, expected in ((CdmSpec(robustness_level=3), (3, EPOCH_MS)), (CdmSpec(clock=False), (1, None))):
        (message,) = (it for it in Client(HIERARCHY, spec).request(root_box()) if isinstance(it, Message))
        asked = hierarchy.read_request(message.message)
        assert (asked.robustness, asked.time_ms) == expected


@pytest.mark.rule("J002")
@pytest.mark.rule("decisions:D23")
def test_on_a_device_without_a_clock_nothing_starts_ends_or_is_renewed() -> None:
    client = Client(HIERARCHY, CdmSpec(clock=False, playback_window_s=1))
    slot = client.ask(1)
    client.update(slot, license_(1, starts_ms=1000, policy=Policy(exp_ms=EPOCH_MS + 2000, renew_at_ms=EPOCH_MS)))
    assert (client.row(slot).statuses, client.decrypt(1).clear) == (usable(1), 1)
    assert (table.expiration_ms(client.state, slot), client.state.cdm_due) == (0, None)
    assert client.wait(10 * SECOND) == ()
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("M005")
@pytest.mark.parametrize("system", [CLEARKEY, HIERARCHY])
def test_no_message_tells_one_device_from_another(system: str) -> None:
    bodies = []
    for number in range(2):
        client = Client(system, CdmSpec(extra_keys="refuse"))
        client.draw = Draw(number, number)
        bodies.append(
            [it.message for it in client.request(keyids.write((kid(1),)), "keyids") if isinstance(it, Message)]
        )
    assert bodies[0] == bodies[1] != []


@pytest.mark.rule("L004")
@pytest.mark.rule("GO09")
def test_a_hardware_reset_closes_every_session_and_new_ones_work() -> None:
    client = holding(CdmSpec())
    client.update(client.ask(2), license_(2))
    outputs = client.call(Lost(ClosedReason.HARDWARE_CONTEXT_RESET))
    kinds = ["session-closed"] * 2 + ["key-statuses"] * 2
    assert names(outputs) == list(zip(kinds, (0, 1, 0, 1), strict=True))
    assert {it.reason for it in outputs if isinstance(it, SessionClosed)} == {ClosedReason.HARDWARE_CONTEXT_RESET}
    assert client.decrypt(1).stopped_by == kid(1)
    client.update(client.ask(1), license_(1))
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("L001")
def test_after_an_internal_error_the_cdm_answers_no_more() -> None:
    client = holding(CdmSpec())
    (closed, _) = client.call(Lost(ClosedReason.INTERNAL_ERROR))
    assert isinstance(closed, SessionClosed)
    assert closed.reason is ClosedReason.INTERNAL_ERROR
    call = GenerateRequest(0, 1, SessionType.TEMPORARY, "cenc", root_box())
    handled = client.cdm.handle(call, 0, client.draw)
    assert isinstance(handled, Handled)
    assert handled.error == InvalidStateError("").name
    done = client.decrypt(1)
    assert (done.clear, done.lost) == (0, ClosedReason.INTERNAL_ERROR)


@pytest.mark.rule("E012")
def test_a_device_has_room_for_so_many_sessions() -> None:
    client = holding(CdmSpec(max_sessions=1))
    before = client.inner.ring, client.inner.terms
    with pytest.raises(QuotaExceededError):
        client.ask(2)
    assert (client.inner.ring, client.inner.terms) == before
    client.close(0)
    client.ask(2)


@pytest.mark.rule("L005")
def test_the_session_that_was_not_updated_for_longest_gives_way() -> None:
    client = Client(HIERARCHY, CdmSpec(max_sessions=2, on_session_limit="evict"))
    first, second = client.ask(1), client.ask(2)
    client.update(first, license_(1))
    outputs = client.request(root_box())
    assert [(it.session.slot, it.reason) for it in outputs if isinstance(it, SessionClosed)] == [
        (second, ClosedReason.RESOURCE_EVICTED)
    ]
    assert [row.slot for row in client.state.table] == [first, 2]
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("ML06")
@pytest.mark.rule("ML07")
@pytest.mark.parametrize(("system", "license_of"), [(CLEARKEY, jwk_set), (HIERARCHY, license_)])
def test_a_device_may_refuse_keys_that_were_not_asked_for(system: str, license_of: Callable[..., bytes]) -> None:
    client = Client(system, CdmSpec(extra_keys="refuse"))
    slot = client.ask(1, 2)
    other = client.ask(3)
    for wrong in (license_of(1, 2, 3), license_of(3)):
        with pytest.raises(EmeTypeError, match="not asked for"):
            client.update(slot, wrong)
    assert client.row(slot).statuses == ()
    client.update(slot, license_of(1))
    client.update(other, license_of(3))
    assert client.decrypt(1, 3).clear == 2


@pytest.mark.rule("ML07")
def test_the_first_license_again_after_its_renewal_brings_its_old_end_and_no_other_key() -> None:
    client = Client(HIERARCHY)
    slot = client.ask(1)
    first = license_(1, policy=Policy(exp_ms=EPOCH_MS + 500, renew_at_ms=EPOCH_MS + 300))
    client.update(slot, first)
    client.wait(300 * MILLISECOND)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 900)))
    client.update(slot, first)
    assert (client.row(slot).statuses, table.expiration_ms(client.state, slot)) == (usable(1), EPOCH_MS + 500)
