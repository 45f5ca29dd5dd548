"""Roots and children through removal, renewal, expiry, eviction and loss."""

from __future__ import annotations

import pytest

from player.cdm.ring import KeySession
from player.cdm.ring import family as family_of
from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND
from player.eme import table
from player.eme.cdm import DisplayChanged, GenerateRequest, Handled, Lost, Provision, SessionChange
from player.eme.errors import QuotaExceededError
from player.eme.events import Message, SessionClosed, Settled
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import HIERARCHY, HIERARCHY_SYSTEM, KeyId
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import blob, hierarchy
from player.wire.blob import LeafKey
from player.wire.hierarchy import Output, Policy
from tests.cdm.client import (
    EMBEDDED,
    EPOCH_MS,
    ROOT,
    Client,
    key,
    kid,
    leaf_box,
    license_,
    messages,
    names,
    root_box,
    usable,
    with_root,
)

FEATURE = ("embedded_keys",)
ROOT_ENDS = Policy(exp_ms=EPOCH_MS + 100, renew_at_ms=EPOCH_MS + 60)


def family(spec: CdmSpec = EMBEDDED, policy: Policy | None = None) -> Client:
    """Root 0 with children 1 and 2 for keys 1 and 2."""
    client, _ = with_root(spec, policy=policy or Policy())
    for number in (1, 2):
        client.request(leaf_box(number))
    return client


def released(*numbers: int) -> dict[KeyId, str]:
    return {kid(number): KeyStatus.RELEASED for number in numbers}


@pytest.mark.rule("EQ06")
@pytest.mark.rule("K003")
def test_removing_a_child_releases_its_keys_and_leaves_the_parent_alone() -> None:
    client = family()
    assert names(client.remove(1)) == [("settled", 1), ("key-statuses", 1)]
    assert client.statuses(1) == released(1)
    assert (client.row(0).statuses, client.row(2).statuses) == (usable(ROOT), usable(2))
    assert client.decrypt(1).stopped_by == kid(1)
    assert client.row(1).parent == 0


@pytest.mark.rule("EQ08")
def test_removing_a_root_releases_what_it_opened_and_closes_nothing() -> None:
    client = family(policy=ROOT_ENDS)
    outputs = client.remove(0)
    assert [it for it in names(outputs) if it[0] != "expiration"] == [
        ("settled", 0), ("key-statuses", 0), ("key-statuses", 1), ("key-statuses", 2)
    ]  # fmt: skip
    assert [client.statuses(slot) for slot in (0, 1, 2)] == [released(ROOT), released(1), released(2)]
    assert [table.expiration_ms(client.state, slot) for slot in (0, 1, 2)] == [0, 0, 0]
    assert client.state.cdm_due is None or client.wait(200 * MILLISECOND) == ()
    (body,) = messages(client.request(leaf_box(3)))
    assert hierarchy.read_request(body).kids == (kid(ROOT),), "the root key is gone, so it is asked for"
    client.close(0)
    assert [row.slot for row in client.state.table] == [3]


@pytest.mark.rule("EQ07")
@pytest.mark.rule("M006")
@pytest.mark.rule("GO15")
def test_a_root_is_renewed_and_its_children_live_on() -> None:
    client = family(policy=ROOT_ENDS)
    (message,) = client.wait(60 * MILLISECOND)
    assert isinstance(message, Message)
    assert (message.session.slot, message.message_type) == (0, MessageType.LICENSE_RENEWAL)
    assert hierarchy.read_request(message.message).kids == (kid(ROOT),)
    renewed = license_(root=ROOT, policy=Policy(exp_ms=EPOCH_MS + 900))
    assert names(client.update(0, renewed)) == [
        ("expiration", 0), ("settled", 0), ("expiration", 1), ("expiration", 2)
    ]  # fmt: skip
    assert client.wait(500 * MILLISECOND) == ()
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("EQ07")
@pytest.mark.rule("J005")
def test_children_expire_together_with_their_root_and_return_with_it() -> None:
    client = family(policy=Policy(exp_ms=EPOCH_MS + 100))
    assert names(client.wait(101 * MILLISECOND)) == [("key-statuses", slot) for slot in (0, 1, 2)]
    assert client.decrypt(1).stopped_by == kid(1)
    client.update(0, license_(root=ROOT))
    assert client.decrypt(1, 2).clear == 2
    assert table.expiration_ms(client.state, 2) == 0


@pytest.mark.rule("EQ01")
@pytest.mark.rule("EQ07")
def test_an_expired_root_opens_nothing_new() -> None:
    client = family(policy=Policy(exp_ms=EPOCH_MS + 100))
    client.wait(101 * MILLISECOND)
    assert len(messages(client.request(leaf_box(3)))) == 1


@pytest.mark.rule("EQ09")
@pytest.mark.rule("K005")
def test_children_follow_the_display_with_the_rule_of_their_root() -> None:
    client = family(CdmSpec(features=FEATURE, downscale_hdcp="1.4"), Policy(output=Output.HDCP_2_2))
    assert names(client.call(DisplayChanged("1.4"))) == [("key-statuses", slot) for slot in (0, 1, 2)]
    assert client.decrypt(1).downscaled
    client.request(leaf_box(3))
    assert client.statuses(3) == {kid(3): KeyStatus.OUTPUT_DOWNSCALED}


@pytest.mark.rule("EQ19")
@pytest.mark.parametrize("reason", [ClosedReason.INTERNAL_ERROR, ClosedReason.HARDWARE_CONTEXT_RESET])
def test_loss_of_the_cdm_gives_children_its_own_reason(reason: ClosedReason) -> None:
    client = family()
    outputs = client.call(Lost(reason))
    assert [it.reason for it in outputs if isinstance(it, SessionClosed)] == [reason] * 3
    assert names(outputs)[:3] == [("session-closed", slot) for slot in (0, 1, 2)]
    assert client.inner.ring == client.state.table == ()


@pytest.mark.rule("EQ11")
@pytest.mark.rule("L005")
def test_the_oldest_child_gives_way_and_never_a_root_with_children() -> None:
    client = family(CdmSpec(features=FEATURE, max_sessions=3, on_session_limit="evict"))
    client.request(leaf_box(3))
    assert [row.slot for row in client.state.table] == [0, 2, 3]
    client.request(leaf_box(4))
    assert client.decrypt(3, 4).clear == 2
    assert client.row(0).statuses == usable(ROOT)


@pytest.mark.rule("EQ11")
@pytest.mark.rule("E012")
def test_where_nothing_may_give_way_there_is_no_room() -> None:
    for spec in (
        CdmSpec(features=FEATURE, max_sessions=1, on_session_limit="evict"),
        CdmSpec(features=FEATURE, max_sessions=1),
    ):
        client, _ = with_root(spec)
        before = client.inner.ring
        with pytest.raises(QuotaExceededError):
            client.request(leaf_box(1))
        assert client.inner.ring is before


@pytest.mark.rule("EQ14")
def test_the_window_of_a_merged_root_can_be_set_and_its_map_tells_what_leaves() -> None:
    client, root = with_root(CdmSpec(features=FEATURE, single_session=True, root_window_periods=2))
    for number in (1, 2):
        client.request(leaf_box(number, start_ms=number - 100))
    outputs = client.request(leaf_box(3, start_ms=3 - 100))
    assert names(outputs)[-1] == ("key-statuses", root)
    assert set(client.statuses(root)) == {kid(ROOT), kid(2), kid(3)}
    assert client.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("EQ14")
@pytest.mark.rule("E012")
def test_a_merged_root_takes_no_more_keys_than_a_session_may_hold() -> None:
    client, _ = with_root(CdmSpec(features=FEATURE, single_session=True, max_keys=2))
    client.request(leaf_box(1))
    with pytest.raises(QuotaExceededError):
        client.request(leaf_box(2))


@pytest.mark.rule("EK07")
@pytest.mark.rule("EQ08")
def test_a_merged_root_that_is_removed_releases_root_and_embedded_keys() -> None:
    client, root = with_root(CdmSpec(features=FEATURE, single_session=True))
    client.request(leaf_box(1))
    client.remove(root)
    assert client.statuses(root) == released(1, ROOT)


@pytest.mark.rule("EK08")
def test_a_root_key_by_a_side_channel_opens_what_waits_for_it() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root="pending"))
    client.request(leaf_box(1))
    assert names(client.call(Provision(kid(ROOT), key(ROOT)))) == [("key-statuses", 0)]
    assert (client.row(0).statuses, client.row(0).parent) == (usable(1), None)
    assert messages(client.request(leaf_box(2))) == []
    assert client.row(1).parent is None
    assert key(ROOT).reveal().hex() not in repr(Provision(kid(ROOT), key(ROOT))) + repr(client.inner.device)


@pytest.mark.rule("EK03")
@pytest.mark.rule("EK08")
def test_a_root_in_a_session_comes_before_one_in_the_device() -> None:
    client, root = with_root(CdmSpec(features=FEATURE, roots={kid(ROOT): key(ROOT)}))
    client.request(leaf_box(1))
    assert client.row(1).parent == root
    client.close(root)
    client.request(leaf_box(1))
    assert client.row(0).parent is None


@pytest.mark.rule("EQ10")
def test_a_session_to_be_stored_may_ask_for_the_root_and_may_not_wait_for_it() -> None:
    for answer, error in (("request", None), ("pending", "NotSupportedError"), ("reject", "NotSupportedError")):
        client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root=answer))
        call = GenerateRequest(0, 0, SessionType.PERSISTENT_LICENSE, "cenc", leaf_box(1))
        handled = client.cdm.handle(call, 0, client.draw)
        assert isinstance(handled, Handled)
        assert handled.error == error
        assert (handled.message is None) == (error is not None)


@pytest.mark.rule("K007")
@pytest.mark.rule("K008")
@pytest.mark.rule("K010")
def test_pending_keys_that_cannot_be_opened_become_internal_errors() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root="pending"))
    client.request(leaf_box(1))
    client.call(Provision(kid(ROOT), key(7)))
    assert client.statuses(0) == {kid(1): KeyStatus.INTERNAL_ERROR}
    assert client.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("K010")
def test_pending_keys_may_be_released() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root="pending"))
    client.request(leaf_box(1))
    client.remove(0)
    assert client.statuses(0) == released(1)
    assert client.call(Provision(kid(ROOT), key(ROOT))) == ()


@pytest.mark.rule("EQ15")
@pytest.mark.rule("R003")
def test_of_two_children_with_one_key_id_the_newest_decrypts_and_the_other_takes_over() -> None:
    client, _ = with_root()
    client.request(leaf_box(1))
    data = blob.seal(kid(ROOT), key(ROOT), [LeafKey(kid(1), key(7), 0, 0)])
    client.request(pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(kid(1),), data=data)))
    assert (client.statuses(1), client.statuses(2)) == (dict(usable(1)), dict(usable(1)))
    assert client.inner.at(0).usable_key(kid(1)) == key(7)
    client.close(2)
    assert client.inner.at(0).usable_key(kid(1)) == key(1)
    assert client.row(1).statuses == usable(1)


@pytest.mark.rule("GO14")
def test_a_family_is_each_parent_before_its_children_in_creation_order() -> None:
    parents = {0: None, 1: 0, 2: 0, 3: 1, 4: 2, 5: None}
    ring = tuple(KeySession(slot=it, session_type=SessionType.TEMPORARY, parent=up) for it, up in parents.items())
    order = list(family_of(ring, 0))
    assert set(order) == {0, 1, 2, 3, 4}
    assert all(parents[it] is None or order.index(parents[it]) < order.index(it) for it in order)  # type: ignore[arg-type] # None is asked before


@pytest.mark.rule("EQ03")
@pytest.mark.rule("GO14")
def test_a_closed_child_still_names_its_parent() -> None:
    client = family()
    closed = [it.session for it in client.close(0) if isinstance(it, SessionClosed)]
    assert [(row.slot, row.parent) for row in closed] == [(0, None), (1, 0), (2, 0)]


@pytest.mark.rule("EK09")
@pytest.mark.parametrize("reason", list(ClosedReason))
def test_whatever_reason_a_session_closes_for_the_next_one_works(reason: ClosedReason) -> None:
    client, _ = with_root()
    slot = client.ask(1)
    call = DisplayChanged("2.2")
    outputs = table.settle(
        client.state, client.pool, call, Handled(changes=(SessionChange(slot=slot, statuses=(), closed=reason),))
    )
    assert names(outputs) == [("session-closed", slot), ("key-statuses", slot)]
    client.request(leaf_box(2))
    assert client.decrypt(2).clear == 1


@pytest.mark.rule("EK09")
@pytest.mark.rule("EK10")
def test_a_caller_of_old_style_works_unchanged_beside_embedded_keys() -> None:
    """What it does: one session a key id, one message, one license."""
    client, _ = with_root()
    for number in (1, 2):
        (settled, message) = client.request(b'{"kids":["%s"]}' % _text(number), "keyids")
        assert isinstance(settled, Settled)
        assert isinstance(message, Message)
        client.update(client.newest, license_(number))
    assert client.decrypt(1, 2).clear == 2


def _text(number: int) -> bytes:
    from player.wire.strict import b64url_encode

    return b64url_encode(kid(number)).encode()


def test_root_license_requests_name_the_root_only() -> None:
    client = Client(HIERARCHY, EMBEDDED)
    (body,) = messages(client.request(root_box()))
    assert hierarchy.read_request(body).kids == (kid(ROOT),)
