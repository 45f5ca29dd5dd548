"""Clear Key: requests, licenses, and what they do to sessions."""

from __future__ import annotations

import json

import pytest

from player.cdm.spec import CdmSpec
from player.eme import table
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.init_data import MAX_INIT_DATA_BYTES
from player.eme.session import SessionState
from player.eme.status import KeyStatus
from player.errors import EmeError
from player.ids import COMMON_SYSTEM, HIERARCHY_SYSTEM, KeyId, Pool
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import keyids
from player.wire.strict import b64url_encode
from tests.cdm.client import Client, jwk_set, kid, messages, names, usable


@pytest.fixture
def client() -> Client:
    return Client()


def common(*numbers: int) -> bytes:
    return pssh.write(Pssh(version=1, system_id=COMMON_SYSTEM, key_ids=tuple(map(kid, numbers)), data=b"ignored"))


@pytest.mark.rule("CK01")
@pytest.mark.rule("E014")
@pytest.mark.rule("E023")
@pytest.mark.rule("LC12")
def test_a_request_names_the_key_ids_in_their_order_and_nothing_else(client: Client) -> None:
    (body,) = messages(client.request(keyids.write((kid(2), kid(1))), "keyids"))
    assert json.loads(body) == {"kids": [b64url_encode(kid(2)), b64url_encode(kid(1))], "type": "temporary"}
    assert client.row(0).statuses == ()


@pytest.mark.rule("ID04")
@pytest.mark.rule("ID05")
@pytest.mark.rule("ID07")
@pytest.mark.rule("E019")
def test_the_first_common_box_is_asked_for(client: Client) -> None:
    other = pssh.write(Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(kid(9),)))
    (body,) = messages(client.request(other + common(1, 2) + common(3)))
    assert keyids.read(body) == (kid(1), kid(2))


@pytest.mark.rule("E011")
@pytest.mark.rule("ID04")
@pytest.mark.rule("ID05")
@pytest.mark.parametrize(
    "box",
    [
        Pssh(version=1, system_id=HIERARCHY_SYSTEM, key_ids=(kid(1),)),
        Pssh(version=0, system_id=COMMON_SYSTEM),
        Pssh(version=1, system_id=COMMON_SYSTEM),
    ],
)
def test_init_data_without_a_box_for_clear_key_is_not_supported(client: Client, box: Pssh) -> None:
    with pytest.raises(NotSupportedError):
        client.request(pssh.write(box))
    assert client.row(0).state is SessionState.SPENT
    assert client.inner.ring == ()


@pytest.mark.rule("CK07")
def test_a_request_names_at_most_128_key_ids(client: Client) -> None:
    client.request(common(*range(1, 129)))
    with pytest.raises(EmeTypeError):
        client.request(common(*range(1, 130)))


@pytest.mark.rule("GO02")
@pytest.mark.rule("CK08")
@pytest.mark.rule("J011")
@pytest.mark.rule("K001")
def test_a_license_makes_its_keys_usable(client: Client) -> None:
    slot = client.ask(1, 2)
    assert client.decrypt(1).stopped_by == kid(1)
    assert names(client.update(slot, jwk_set(1, 2))) == [("settled", 0), ("key-statuses", 0)]
    assert client.row(slot).statuses == usable(1, 2)
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("G009")
@pytest.mark.rule("CK03")
def test_the_same_license_again_is_no_news(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    assert names(client.update(slot, jwk_set(1))) == [("settled", 0)]
    assert table.expiration_ms(client.state, slot) == 0
    assert client.state.cdm_due is None


@pytest.mark.rule("G012")
def test_keys_accumulate_and_the_same_id_takes_the_new_value(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    before = client.inner.at(0).usable_key(kid(1))
    client.update(slot, jwk_set(1, 2, shift=5))
    assert client.row(slot).statuses == usable(1, 2)
    assert client.inner.at(0).usable_key(kid(1)) != before


@pytest.mark.rule("G016")
@pytest.mark.rule("H008")
@pytest.mark.rule("R003")
def test_a_key_in_two_sessions_outlives_one_of_them_and_the_newest_serves(client: Client) -> None:
    first, second = client.ask(1), client.ask(1)
    client.update(second, jwk_set(1))
    older = client.inner.at(0).usable_key(kid(1))
    client.update(first, jwk_set(1, shift=5))
    newer = client.inner.at(0).usable_key(kid(1))
    assert newer != older
    client.close(first)
    assert client.inner.at(0).usable_key(kid(1)) == older
    assert client.row(second).statuses == usable(1)


@pytest.mark.rule("R004")
def test_samples_are_decrypted_in_order_up_to_the_first_missing_key(client: Client) -> None:
    client.update(client.ask(1), jwk_set(1, 3))
    done = client.decrypt(1, 1, 2, 3)
    assert (done.clear, done.stopped_by, done.error) == (2, kid(2), None)


@pytest.mark.rule("H006")
@pytest.mark.rule("GO05")
def test_closing_destroys_the_keys(client: Client) -> None:
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    assert names(client.close(slot)) == [("settled", 0), ("session-closed", 0), ("key-statuses", 0)]
    assert client.decrypt(1).stopped_by == kid(1)
    assert client.close(slot) == ()


@pytest.mark.rule("G019")
def test_a_session_takes_a_limited_number_of_keys() -> None:
    client = Client(spec=CdmSpec(max_keys=2))
    slot = client.ask(1)
    client.update(slot, jwk_set(1, 2))
    with pytest.raises(EmeTypeError):
        client.update(slot, jwk_set(3))
    assert client.row(slot).statuses == usable(1, 2)


@pytest.mark.rule("G004")
@pytest.mark.rule("G005")
@pytest.mark.rule("G006")
@pytest.mark.rule("CK04")
@pytest.mark.rule("CK05")
@pytest.mark.parametrize(
    "response",
    [
        b"no json",
        b'{"keys":[]}',
        b'{"keys":null}',
        jwk_set(1).replace(b'"oct"', b'"OCT"'),
        jwk_set(1).replace(b'"temporary"', b'"persistent-license"'),
        jwk_set(1).replace(b'"temporary"', b'"persistent-usage-record"'),
        jwk_set(1).replace(b'"temporary"', b"7"),
        jwk_set(1) + b" " * MAX_INIT_DATA_BYTES,
        keyids.write((kid(1),)),
    ],
)
def test_what_is_no_license_for_the_session_is_a_type_error(client: Client, response: bytes) -> None:
    slot = client.ask(1)
    with pytest.raises(EmeTypeError):
        client.update(slot, response)
    assert client.row(slot).statuses == ()


@pytest.mark.rule("CK04")
@pytest.mark.rule("CK06")
def test_a_license_without_a_type_is_temporary_and_strange_members_are_ignored(client: Client) -> None:
    document = json.loads(jwk_set(1)) | {"übrig": "ü"}
    del document["type"]
    client.update(client.ask(1), json.dumps(document, ensure_ascii=False).encode())
    assert client.row(0).statuses == usable(1)


@pytest.mark.rule("J006")
def test_the_map_is_sorted_by_key_id_a_shorter_prefix_first(client: Client) -> None:
    from player.wire import clearkey
    from tests.cdm.client import key

    ids = [KeyId(raw) for raw in (b"b", b"ab", b"a", b"abc")]
    client.update(client.ask(1), clearkey.write_license((it, key(1)) for it in ids))
    assert [it for it, _ in client.row(0).statuses] == [b"a", b"ab", b"abc", b"b"]


@pytest.mark.rule("B001")
@pytest.mark.rule("EQ04")
def test_keys_of_one_client_are_unknown_to_another() -> None:
    pool = Pool()
    one, other = Client(pool=pool), Client(pool=pool)
    one.update(one.ask(1), jwk_set(1))
    assert one.decrypt(1).clear == 1
    assert other.decrypt(1).stopped_by == kid(1)


@pytest.mark.rule("E024")
def test_requests_of_several_sessions_do_not_wait_for_each_other(client: Client) -> None:
    slots = [client.ask(number) for number in range(4)]
    for number in reversed(slots):
        client.update(number, jwk_set(number))
    assert all(status is KeyStatus.USABLE for slot in slots for status in client.statuses(slot).values())


def test_a_sample_outside_its_buffer_is_corrupt_media_and_not_a_missing_key(client: Client) -> None:
    from player.eme.cdm import Decrypt, Decrypted
    from tests.cdm.client import sample

    client.update(client.ask(1), jwk_set(1))
    done = client.cdm.handle(Decrypt(0, bytearray(8), (sample(0, 1),), 0), 0, client.draw)
    assert isinstance(done, Decrypted)
    assert (done.clear, done.stopped_by) == (0, None)
    assert done.error is not None


def test_an_update_of_a_session_the_cdm_does_not_know_is_refused(client: Client) -> None:
    client.ask(1)
    client.inner.ring = ()
    with pytest.raises(EmeError, match="asked for no license"):
        client.update(0, jwk_set(1))
