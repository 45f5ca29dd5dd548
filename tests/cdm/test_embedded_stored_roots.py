"""A root key that is stored: loaded on another page it is the parent of embedded keys like any other."""

from __future__ import annotations

import pytest

from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND
from player.eme.cdm import Decrypt, Decrypted, GenerateRequest, Handled, Load, Remove, SessionChange, Update
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.ids import HIERARCHY, Pool
from player.wire import keyids
from player.wire.hierarchy import Policy
from tests.cdm.client import EMBEDDED, EPOCH_MS, ROOT, Client, kid, leaf_box, license_, root_box, sample, usable

PERSISTENT = SessionType.PERSISTENT_LICENSE
STORED = Policy(persist=True, exp_ms=EPOCH_MS + 10_000)


def handle(client: Client, call: GenerateRequest | Load | Update | Remove) -> Handled:
    handled = client.cdm.handle(call, client.now, client.draw)
    assert isinstance(handled, Handled)
    return handled


def stored_root(spec: CdmSpec = EMBEDDED, init_data: bytes | None = None) -> tuple[Client, bytes]:
    """A client with a persistent root in session 0, and what was stored of it."""
    client = Client(HIERARCHY, spec)
    asked = handle(client, GenerateRequest(0, 0, PERSISTENT, "cenc", init_data or root_box()))
    assert asked.error is None
    (record,) = handle(client, Update(0, 0, license_(root=ROOT, policy=STORED))).records
    assert record.data is not None
    return client, record.data


def loaded(record: bytes, spec: CdmSpec = EMBEDDED) -> tuple[Client, Handled]:
    """The same record on a new page."""
    client = Client(HIERARCHY, spec, Pool())
    return client, handle(client, Load(0, 0, PERSISTENT, record))


def child_of(client: Client, number: int, slot: int = 1) -> SessionChange:
    handled = handle(client, GenerateRequest(slot, slot, SessionType.TEMPORARY, "cenc", leaf_box(number)))
    assert handled.message is None
    (change,) = handled.changes
    return change


@pytest.mark.rule("EQ20")
@pytest.mark.rule("EQ10")
def test_children_hang_on_a_root_that_was_loaded() -> None:
    _, record = stored_root()
    client, handled = loaded(record)
    assert handled.value is True
    assert handled.changes[0].statuses == usable(ROOT)
    child = child_of(client, 1)
    assert (child.parent, child.statuses, child.expiration_ms) == (0, usable(1), EPOCH_MS + 10_000)
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("EQ20")
@pytest.mark.rule("EQ01")
@pytest.mark.rule("EQ02")
def test_a_root_that_is_loaded_opens_what_waits_for_it() -> None:
    _, record = stored_root()
    spec = CdmSpec(features=("embedded_keys",), on_missing_root="pending")
    client = Client(HIERARCHY, spec)
    client.request(leaf_box(1))
    own, child = handle(client, Load(1, 1, PERSISTENT, record)).changes
    assert (own.slot, own.statuses) == (1, usable(ROOT))
    assert (child.slot, child.parent, child.statuses) == (0, 1, usable(1))


@pytest.mark.rule("EQ10")
@pytest.mark.rule("EQ01")
def test_a_session_that_became_its_own_root_stores_the_root_and_no_key_of_the_stream() -> None:
    client, record = stored_root(init_data=leaf_box(1))
    assert client.decrypt(1).clear == 1
    again, handled = loaded(record)
    assert handled.changes[0].statuses == usable(ROOT)
    assert again.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("EQ08")
@pytest.mark.rule("EK04")
@pytest.mark.rule("decisions:D26")
def test_a_stored_root_that_is_removed_and_acknowledged_takes_its_children_along() -> None:
    client, _ = stored_root()
    child_of(client, 1)
    removed = handle(client, Remove(0, 0))
    assert removed.message == (MessageType.LICENSE_RELEASE, keyids.write((kid(ROOT),)))
    assert [it.statuses for it in removed.changes] == [
        ((kid(ROOT), KeyStatus.RELEASED),),
        ((kid(1), KeyStatus.RELEASED),),
    ]
    acknowledged = handle(client, Update(0, 0, keyids.write((kid(ROOT),))))
    assert [(it.slot, it.closed) for it in acknowledged.changes] == [
        (0, ClosedReason.RELEASE_ACKNOWLEDGED),
        (1, ClosedReason.PARENT_CLOSED),
    ]
    assert [record.data for record in acknowledged.records] == [None]


@pytest.mark.rule("J003")
def test_a_playback_window_that_has_opened_is_stored() -> None:
    client = Client(HIERARCHY, CdmSpec(playback_window_s=2))
    handle(client, GenerateRequest(0, 0, PERSISTENT, "keyids", keyids.write((kid(1),))))
    handle(client, Update(0, 0, license_(1, policy=STORED)))
    done = client.cdm.handle(Decrypt(0, bytearray(16), (sample(0, 1),), 0), MILLISECOND, client.draw)
    assert isinstance(done, Decrypted)
    (record,) = done.records
    assert record.data is not None
    _, handled = loaded(record.data)
    assert handled.changes[0].expiration_ms == EPOCH_MS + 2_001


@pytest.mark.rule("EQ08")
def test_a_released_root_that_is_loaded_opens_nothing() -> None:
    client, _ = stored_root()
    (record,) = handle(client, Remove(0, 0)).records
    assert record.data is not None
    again, handled = loaded(record.data)
    assert handled.changes[0].statuses == ((kid(ROOT), KeyStatus.RELEASED),)
    asked = handle(again, GenerateRequest(1, 1, SessionType.TEMPORARY, "cenc", leaf_box(1)))
    assert asked.message is not None
