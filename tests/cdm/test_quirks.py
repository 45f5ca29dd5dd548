"""Deviations of real devices, and how a test sees each."""

from __future__ import annotations

import pytest

from player.cdm.make import make
from player.cdm.spec import CdmSpec
from player.eme.errors import NotSupportedError
from player.eme.events import KeyStatusesChanged
from player.eme.status import KeyStatus
from player.errors import UsageError
from player.ids import CLEARKEY, HIERARCHY, Pool
from player.wire.hierarchy import Policy
from tests.cdm.client import EPOCH_MS, Client, jwk_set, kid, leaf_box, license_, messages, names, usable, with_root

FEATURE = ("embedded_keys",)
PENDING_US = 500_000


@pytest.mark.rule("Q01")
@pytest.mark.rule("K010")
def test_statuses_may_be_pending_first() -> None:
    client = Client(CLEARKEY, CdmSpec(quirks=("status_pending_first",)))
    slot = client.ask(1, 2)
    client.update(slot, jwk_set(1, 2))
    assert set(client.statuses(slot).values()) == {KeyStatus.STATUS_PENDING}
    assert names(client.wait(PENDING_US - 1)) == []
    (told,) = client.wait(PENDING_US)
    assert isinstance(told, KeyStatusesChanged)
    assert told.session.statuses == usable(1, 2)
    assert client.state.cdm_due is None


@pytest.mark.rule("Q01")
def test_a_session_that_closes_is_not_heard_of_again() -> None:
    client = Client(CLEARKEY, CdmSpec(quirks=("status_pending_first",)))
    client.update(client.ask(1), jwk_set(1))
    client.close(0)
    client.ask(2)
    assert client.wait(2 * PENDING_US) == ()


@pytest.mark.rule("Q01")
def test_a_key_that_expires_while_pending_ends_as_expired() -> None:
    client = Client(HIERARCHY, CdmSpec(quirks=("status_pending_first",)))
    slot = client.ask(1)
    client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 100)))
    client.wait(PENDING_US)
    assert client.statuses(slot) == {kid(1): KeyStatus.EXPIRED}


@pytest.mark.rule("Q20")
def test_every_update_may_fire_a_status_event() -> None:
    client = Client(CLEARKEY, CdmSpec(quirks=("status_event_every_update",)))
    slot = client.ask(1)
    for _ in range(2):
        assert names(client.update(slot, jwk_set(1))) == [("settled", 0), ("key-statuses", 0)]


@pytest.mark.rule("Q30")
@pytest.mark.rule("EQ18")
def test_embedded_keys_may_come_with_an_empty_message() -> None:
    client, _ = with_root(CdmSpec(features=FEATURE, quirks=("empty_message",)))
    outputs = client.request(leaf_box(1))
    assert names(outputs) == [("settled", 1), ("key-statuses", 1), ("message", 1)]
    assert messages(outputs) == [b""]
    assert messages(client.request(b'{"kids":["QQ"]}', "keyids")) != [b""]


def test_quirks_lie_around_one_another() -> None:
    client = Client(CLEARKEY, CdmSpec(quirks=("status_pending_first", "status_event_every_update")))
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    assert names(client.update(slot, jwk_set(1))) == [("settled", 0), ("key-statuses", 0)]
    assert client.statuses(slot) == {kid(1): KeyStatus.STATUS_PENDING}


@pytest.mark.parametrize(
    "wrong",
    [{"quirks": ("no_such",)}, {"features": ("no_such",)}, {"on_missing_root": "no_such"}, {"hdcp": "9"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_name_that_nobody_knows_is_a_mistake(wrong: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(UsageError, match="there are"):
        CdmSpec(**wrong)  # type: ignore[arg-type] # each is a field of its type


@pytest.mark.rule("A006")
def test_there_is_no_cdm_for_an_unknown_key_system() -> None:
    with pytest.raises(NotSupportedError):
        make("org.w3.ClearKey", CdmSpec(), Pool(), 0)
