"""What a client holds at rest, and what clients in the same situation share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

from player.cdm.emulated import EmulatedCdm
from player.cdm.recent import KEPT, Recent
from player.ids import CLEARKEY, HIERARCHY, ContentKey, Pool
from tests.cdm.client import EMBEDDED, Client, jwk_set, leaf_box, license_, with_root


def plain(pool: Pool) -> Client:
    client = Client(CLEARKEY, pool=pool)
    client.update(client.ask(1), jwk_set(1))
    return client


def rotated(pool: Pool) -> Client:
    client = Client(CLEARKEY, pool=pool)
    for number in range(5):
        slot = client.ask(number)
        client.update(slot, jwk_set(number))
        if slot:
            client.close(slot - 1)
    return client


def embedded(pool: Pool) -> Client:
    client, _ = with_root(EMBEDDED, pool)
    for number in range(3):
        client.request(leaf_box(number))
    return client


def closed(pool: Pool) -> Client:
    client = embedded(pool)
    client.close(0)
    return client


SITUATIONS = [plain, rotated, embedded, closed]
situations = pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)


@situations
def test_two_clients_in_the_same_situation_share_their_tables(situation: Callable[[Pool], Client]) -> None:
    pool = Pool()
    one, other = situation(pool), situation(pool)
    assert one.state.table is other.state.table
    assert one.inner.ring is other.inner.ring
    assert one.state.ends is None
    assert one.inner.terms is None


@situations
def test_another_client_in_a_known_situation_adds_nothing_to_the_pool(situation: Callable[[Pool], Client]) -> None:
    pool = Pool()
    situation(pool)
    values, keys = pool.count(tuple), pool.count(ContentKey)
    situation(pool)
    assert (pool.count(tuple), pool.count(ContentKey)) == (values, keys)


@situations
def test_a_client_that_is_dropped_leaves_nothing(situation: Callable[[Pool], Client]) -> None:
    pool = Pool()
    situation(pool)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        client: Client | None = situation(pool)
        del client
        left = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert left <= 0


def test_a_closed_client_holds_only_shared_empties() -> None:
    client = closed(Pool())
    assert client.state.table == client.inner.ring == ()
    assert (client.state.ends, client.inner.terms, client.state.cdm_due) == (None, None, None)


def test_state_and_cdm_of_a_client_at_rest_are_two_small_objects() -> None:
    client = plain(Pool())
    for thing in (client.state, client.inner):
        assert not hasattr(thing, "__dict__")
    assert sys.getsizeof(client.state) + sys.getsizeof(client.inner) <= 200


def test_licenses_with_different_ends_share_their_keys() -> None:
    from player.wire.hierarchy import Policy

    pool = Pool()
    clients = [Client(HIERARCHY, pool=pool) for _ in range(2)]
    for number, client in enumerate(clients):
        client.update(client.ask(1), license_(1, policy=Policy(exp_ms=2**50 + number)))
    one, other = clients
    assert one.inner.ring is other.inner.ring
    assert one.inner.terms != other.inner.terms
    assert isinstance(one.cdm, EmulatedCdm)


def test_licenses_read_lately_are_bounded_and_failures_are_not_kept() -> None:
    recent, parsed = Recent(), list[bytes]()

    def parse(data: bytes) -> bytes:
        parsed.append(data)
        if not data:
            raise ValueError("empty")
        return data

    for number in range(KEPT + 1):
        assert recent.read(parse, b"%d" % number) == b"%d" % number
    recent.read(parse, b"1")
    assert len(parsed) == KEPT + 1
    recent.read(parse, b"0")
    assert len(parsed) == KEPT + 2
    for _ in range(2):
        with pytest.raises(ValueError, match="empty"):
            recent.read(parse, b"")
    assert len(parsed) == KEPT + 4
