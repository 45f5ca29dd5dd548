"""Content keys in init data: children of the session that holds their root key."""

from __future__ import annotations

import pytest

from player.cdm.spec import ROOT_WINDOW_PERIODS, CdmSpec
from player.clock import MILLISECOND
from player.eme import table
from player.eme.cdm import GenerateRequest, Handled
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.events import SessionClosed
from player.eme.session import SessionState
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.ids import COMMON_SYSTEM, HIERARCHY, HIERARCHY_SYSTEM
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import hierarchy
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


@pytest.mark.rule("EK01")
@pytest.mark.rule("EK02")
@pytest.mark.rule("EK03")
@pytest.mark.rule("EQ02")
@pytest.mark.rule("GO12")
def test_init_data_under_a_known_root_makes_keys_usable_without_a_message() -> None:
    client, root = with_root()
    assert names(client.request(leaf_box(1, 2))) == [("settled", 1), ("key-statuses", 1)]
    child = client.row(1)
    assert (child.statuses, child.parent) == (usable(1, 2), root)
    assert client.row(root).parent is None
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("EK04")
@pytest.mark.rule("EK06")
@pytest.mark.rule("GO14")
def test_closing_the_parent_closes_every_child() -> None:
    client, root = with_root()
    for number in (1, 2):
        client.request(leaf_box(number))
    plain = client.ask(7)
    outputs = client.close(root)
    kinds = ["settled", *["session-closed"] * 3, *["key-statuses"] * 3]
    assert names(outputs) == list(zip(kinds, [0, 0, 1, 2, 0, 1, 2], strict=True))
    reasons = [output.reason for output in outputs if isinstance(output, SessionClosed)]
    assert reasons == [ClosedReason.CLOSED_BY_APPLICATION, *[ClosedReason.PARENT_CLOSED] * 2]
    assert [row.slot for row in client.state.table] == [plain]
    assert client.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("EK06")
@pytest.mark.rule("EQ15")
@pytest.mark.rule("H008")
def test_closing_a_child_leaves_parent_and_other_children() -> None:
    client, root = with_root()
    client.request(leaf_box(1))
    client.request(leaf_box(1, 2))
    client.close(2)
    assert client.row(root).statuses == usable(ROOT)
    assert client.decrypt(1).clear == 1
    assert client.decrypt(2).stopped_by == kid(2)


@pytest.mark.rule("EK08")
def test_a_baked_in_root_needs_no_request_and_is_no_parent() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, roots={kid(ROOT): key(ROOT)}))
    assert names(client.request(leaf_box(1))) == [("settled", 0), ("key-statuses", 0)]
    assert client.row(0).parent is None
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("EQ01")
@pytest.mark.rule("GO15")
def test_a_missing_root_is_asked_for_on_the_same_session() -> None:
    client = Client(HIERARCHY, EMBEDDED)
    outputs = client.request(leaf_box(1, 2))
    assert names(outputs) == [("settled", 0), ("message", 0)]
    assert hierarchy.read_request(messages(outputs)[0]).kids == (kid(ROOT),)
    assert client.row(0).statuses == ()
    assert names(client.update(0, license_(root=ROOT))) == [("settled", 0), ("key-statuses", 0)]
    assert client.row(0).statuses == usable(1, 2, ROOT)
    assert client.row(0).parent is None
    client.request(leaf_box(3))
    assert client.row(1).parent == 0


@pytest.mark.rule("EQ01")
def test_a_session_that_asked_for_the_root_waits_for_its_own_license() -> None:
    client = Client(HIERARCHY, EMBEDDED)
    client.request(leaf_box(1)), client.request(leaf_box(2))
    client.update(0, license_(root=ROOT))
    assert client.row(1).statuses == ()
    client.update(1, license_(7))
    assert client.row(1).statuses == usable(7)
    client.update(1, license_(root=ROOT))
    assert [client.row(slot).parent for slot in (0, 1)] == [None, None]
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("EQ01")
@pytest.mark.rule("EQ02")
@pytest.mark.rule("K007")
def test_keys_may_wait_as_pending_for_a_root_in_another_session() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root="pending"))
    assert names(client.request(leaf_box(1))) == [("settled", 0), ("key-statuses", 0)]
    assert client.statuses(0) == {kid(1): KeyStatus.STATUS_PENDING}
    assert client.decrypt(1).stopped_by == kid(1)
    client.request(root_box())
    outputs = client.update(1, license_(root=ROOT))
    assert names(outputs) == [("settled", 1), ("key-statuses", 1), ("key-statuses", 0)]
    assert (client.row(0).statuses, client.row(0).parent) == (usable(1), 1)


@pytest.mark.rule("EQ01")
def test_a_missing_root_may_be_a_reason_to_reject() -> None:
    client = Client(HIERARCHY, CdmSpec(features=FEATURE, on_missing_root="reject"))
    with pytest.raises(NotSupportedError):
        client.request(leaf_box(1))
    assert client.inner.ring == ()


@pytest.mark.rule("EQ05")
def test_of_several_roots_the_newest_that_unwraps_is_the_parent() -> None:
    client, _ = with_root()
    client.request(root_box())
    client.update(1, license_(root=ROOT))
    client.request(leaf_box(1))
    assert client.row(2).parent == 1
    wrong = license_(root=ROOT).replace(_text(ROOT), _text(ROOT + 1))
    client.request(root_box())
    client.update(3, wrong)
    client.request(leaf_box(2))
    assert client.row(4).parent == 1


def _text(number: int) -> bytes:
    from player.wire.strict import b64url_encode

    return b64url_encode(key(number).reveal()).encode()


@pytest.mark.rule("EQ06")
def test_a_child_takes_no_license() -> None:
    client, _ = with_root()
    client.request(leaf_box(1))
    with pytest.raises(EmeTypeError):
        client.update(1, license_(1))
    assert client.row(1).statuses == usable(1)


@pytest.mark.rule("EQ07")
def test_children_end_with_their_root_and_follow_its_renewal() -> None:
    client, root = with_root(policy=Policy(exp_ms=EPOCH_MS + 100))
    client.request(leaf_box(1))
    client.request(leaf_box(2, end_ms=50))
    assert [table.expiration_ms(client.state, slot) - EPOCH_MS for slot in (0, 1, 2)] == [100, 100, 50]
    assert names(client.wait(50 * MILLISECOND + 1)) == [("key-statuses", 2)]
    assert names(client.wait(100 * MILLISECOND + 1)) == [("key-statuses", 0), ("key-statuses", 1)]
    outputs = client.update(root, license_(root=ROOT, policy=Policy(exp_ms=EPOCH_MS + 900)))
    assert names(outputs) == [
        ("expiration", 0), ("settled", 0), ("key-statuses", 0), ("expiration", 1), ("key-statuses", 1)
    ]  # fmt: skip
    assert client.statuses(2) == {kid(2): KeyStatus.EXPIRED}


@pytest.mark.rule("K006")
def test_an_embedded_key_starts_with_its_period() -> None:
    client, _ = with_root()
    client.request(leaf_box(1, start_ms=20))
    assert client.statuses(1) == {kid(1): KeyStatus.USABLE_IN_FUTURE}
    client.wait(20 * MILLISECOND)
    assert client.row(1).statuses == usable(1)


@pytest.mark.rule("EQ09")
def test_output_rules_are_the_roots_unless_the_blob_brings_its_own() -> None:
    spec = CdmSpec(features=FEATURE, hdcp="1.4")
    client, root = with_root(spec, policy=Policy(output=Output.HDCP_2_2))
    assert client.statuses(root) == {kid(ROOT): KeyStatus.OUTPUT_RESTRICTED}
    client.request(leaf_box(1))
    client.request(leaf_box(2, policy=Policy(output=Output.HDCP_1_4)))
    assert client.statuses(1) == {kid(1): KeyStatus.OUTPUT_RESTRICTED}
    assert client.row(2).statuses == usable(2)


@pytest.mark.rule("EQ10")
def test_embedded_keys_under_a_known_root_are_not_stored() -> None:
    client, _ = with_root()
    call = GenerateRequest(1, 1, SessionType.PERSISTENT_LICENSE, "cenc", leaf_box(1))
    handled = client.cdm.handle(call, 0, client.draw)
    assert isinstance(handled, Handled)
    assert handled.error == "NotSupportedError"


@pytest.mark.rule("EQ12")
@pytest.mark.rule("OP05")
@pytest.mark.parametrize("place", [0, 1, 18, 20, 40, 60, 80, -1])
def test_a_changed_blob_is_invalid_init_data_and_spends_the_session(place: int) -> None:
    client, _ = with_root()
    (box,) = pssh.read(leaf_box(1))
    data = bytearray(box.data)
    data[place] ^= 1
    before = client.inner.ring
    changed = pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=box.key_ids, data=bytes(data)))
    with pytest.raises(EmeTypeError):
        client.request(changed)
    assert client.row(1).state is SessionState.SPENT
    assert client.inner.ring is before


@pytest.mark.rule("EQ12")
def test_box_and_blob_must_name_the_same_key_ids() -> None:
    client, _ = with_root()
    (box,) = pssh.read(leaf_box(1, 2))
    for kids in ((kid(1),), (kid(2), kid(1)), (kid(1), kid(2), kid(3))):
        with pytest.raises(EmeTypeError):
            client.request(pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=kids, data=box.data)))


def test_a_waiting_blob_that_does_not_open_costs_its_own_keys_only() -> None:
    client = Client(HIERARCHY, EMBEDDED)
    client.request(leaf_box(1))
    wrong = license_(root=ROOT).replace(_text(ROOT), _text(ROOT + 1))
    client.update(0, wrong)
    assert client.statuses(0) == {kid(1): KeyStatus.INTERNAL_ERROR, kid(ROOT): KeyStatus.USABLE}


@pytest.mark.rule("ID06")
@pytest.mark.rule("EQ17")
def test_data_of_a_common_box_is_no_place_for_keys() -> None:
    client, _ = with_root()
    (box,) = pssh.read(leaf_box(1))
    common = pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=box.key_ids, data=box.data))
    (body,) = messages(client.request(common))
    assert hierarchy.read_request(body).kids == (kid(1),)


@pytest.mark.rule("EK07")
@pytest.mark.rule("EQ13")
@pytest.mark.rule("GO13")
def test_an_old_device_merges_embedded_keys_into_the_roots_session() -> None:
    client, root = with_root(CdmSpec(features=FEATURE, single_session=True))
    outputs = client.request(leaf_box(1))
    kinds = ["settled", "session-closed", "key-statuses", "key-statuses"]
    assert names(outputs) == list(zip(kinds, [1, 1, 1, 0], strict=True))
    assert client.row(root).statuses == usable(1, ROOT)
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("EQ14")
def test_a_merged_root_keeps_the_keys_of_the_newest_periods() -> None:
    client, root = with_root(CdmSpec(features=FEATURE, single_session=True))
    periods = ROOT_WINDOW_PERIODS + 3
    for number in range(1, periods + 1):
        client.request(leaf_box(number, start_ms=number - 10_000))
    assert set(client.statuses(root)) == {kid(ROOT), *(kid(number) for number in range(4, periods + 1))}
