"""The hierarchy system without embedded keys: requests, policies, and time."""

from __future__ import annotations

import pytest

from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND
from player.eme import table
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.status import KeyStatus
from player.ids import COMMON_SYSTEM, HIERARCHY, SystemId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import hierarchy
from player.wire.hierarchy import LicenseRequest, Output, Policy
from tests.cdm.client import EPOCH_MS, ROOT, Client, key, kid, leaf_box, license_, messages, names, root_box, usable


@pytest.fixture
def client() -> Client:
    return Client(HIERARCHY)


@pytest.mark.rule("decisions:D23")
def test_a_request_tells_key_ids_type_robustness_and_time(client: Client) -> None:
    client.now = 1_234_567
    (body,) = messages(client.request(root_box()))
    assert hierarchy.read_request(body) == LicenseRequest(kids=(kid(ROOT),), time_ms=EPOCH_MS + 1234)


@pytest.mark.rule("ID04")
@pytest.mark.rule("ID05")
@pytest.mark.rule("EQ17")
def test_the_first_box_it_supports_decides(client: Client) -> None:
    foreign = pssh.write(Pssh(version=1, system_id=SystemId(bytes(16)), key_ids=(kid(7),)))
    common = pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=(kid(1),)))
    for boxes, asked in ((foreign + common + root_box(), 1), (root_box() + common, ROOT)):
        (body,) = messages(client.request(boxes))
        assert hierarchy.read_request(body).kids == (kid(asked),)
    with pytest.raises(NotSupportedError):
        client.request(foreign)


@pytest.mark.rule("EK10")
def test_keys_in_init_data_are_ignored_without_the_feature(client: Client) -> None:
    (body,) = messages(client.request(leaf_box(1, 2)))
    assert hierarchy.read_request(body).kids == (kid(1), kid(2))


@pytest.mark.rule("decisions:D24")
@pytest.mark.rule("OP01")
def test_a_root_key_is_listed_and_decrypts_nothing(client: Client) -> None:
    slot = client.ask(1, ROOT)
    client.update(slot, license_(1, root=ROOT))
    assert client.row(slot).statuses == usable(1, ROOT)
    assert client.decrypt(1, ROOT).stopped_by == kid(ROOT)


@pytest.mark.rule("decisions:D24")
def test_a_license_may_withhold_every_key(client: Client) -> None:
    slot = client.ask(1)
    assert names(client.update(slot, license_())) == [("settled", 0)]
    client.update(slot, license_(1))
    assert client.row(slot).statuses == usable(1)


@pytest.mark.rule("K006")
@pytest.mark.rule("decisions:D25")
def test_a_key_of_the_future_becomes_usable_by_itself(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, license_(1, starts_ms=1000))
    assert client.statuses(slot) == {kid(1): KeyStatus.USABLE_IN_FUTURE}
    assert client.decrypt(1).stopped_by == kid(1)
    assert client.state.cdm_due == 1000 * MILLISECOND
    assert client.wait(1000 * MILLISECOND - 1) == ()
    assert names(client.wait(1000 * MILLISECOND)) == [("key-statuses", 0)]
    assert client.row(slot).statuses == usable(1)
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("J004")
@pytest.mark.rule("J005")
@pytest.mark.rule("J009")
@pytest.mark.rule("K002")
def test_a_session_expires_as_a_whole_once_its_end_lies_in_the_past(client: Client) -> None:
    slot = client.ask(1, 2)
    end_ms = EPOCH_MS + 500
    outputs = client.update(slot, license_(1, 2, policy=Policy(exp_ms=end_ms)))
    assert names(outputs) == [("expiration", 0), ("settled", 0), ("key-statuses", 0)]
    assert table.expiration_ms(client.state, slot) == end_ms
    assert client.wait(500 * MILLISECOND) == ()
    assert client.decrypt(1).clear == 1
    assert names(client.wait(500 * MILLISECOND + 1)) == [("key-statuses", 0)]
    assert set(client.statuses(slot).values()) == {KeyStatus.EXPIRED}
    assert client.decrypt(2).stopped_by == kid(2)
    assert client.state.cdm_due is None


@pytest.mark.rule("G015")
@pytest.mark.rule("OP05")
def test_a_renewal_makes_expired_keys_usable_again(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 1)))
    client.wait(1_000_000)
    assert client.statuses(slot) == {kid(1): KeyStatus.EXPIRED}
    outputs = client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 5000)))
    assert names(outputs) == [("expiration", 0), ("settled", 0), ("key-statuses", 0)]
    assert client.decrypt(1).clear == 1
    assert client.state.cdm_due == 5000 * MILLISECOND + 1


@pytest.mark.rule("ML08")
def test_an_expired_license_is_well_formed(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS - 1)))
    assert client.statuses(slot) == {kid(1): KeyStatus.EXPIRED}
    assert client.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("decisions:D25")
def test_a_policy_may_hold_every_key_back_until_it_starts(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(nbf_ms=EPOCH_MS + 1)))
    assert client.statuses(slot) == {kid(1): KeyStatus.USABLE_IN_FUTURE}


@pytest.mark.rule("K004")
@pytest.mark.rule("K011")
def test_a_key_that_the_display_may_not_show_is_restricted_and_blocks() -> None:
    client = Client(HIERARCHY, CdmSpec(hdcp="1.4"))
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(output=Output.HDCP_2_2)))
    assert client.statuses(slot) == {kid(1): KeyStatus.OUTPUT_RESTRICTED}
    assert client.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("G006")
def test_a_license_to_be_stored_is_no_license_for_a_temporary_session(client: Client) -> None:
    slot = client.ask(1)
    with pytest.raises(EmeTypeError):
        client.update(slot, license_(1, policy=Policy(persist=True)))
    assert client.row(slot).statuses == ()


def test_a_renewed_end_moves_the_wake_up_and_an_old_one_does_no_harm(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 100)))
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 200)))
    assert client.wait(150 * MILLISECOND) == ()
    assert client.row(slot).statuses == usable(1)
    assert client.state.cdm_due == 200 * MILLISECOND + 1


def test_no_key_shows_itself(client: Client) -> None:
    client.update(client.ask(1), license_(1))
    shown = repr(client.inner.ring) + repr(client.state) + repr(client.cdm)
    assert key(1).reveal().hex() not in shown
    assert repr(key(1).reveal())[2:-1] not in shown
