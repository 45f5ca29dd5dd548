"""Persistent licenses in both key systems: stored, loaded, removed, released, acknowledged."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from player.cdm.spec import CdmSpec
from player.clock import SECOND
from player.eme import table
from player.eme.cdm import Lost, Record
from player.eme.errors import EmeTypeError, QuotaExceededError
from player.eme.events import Message, SessionClosed, Settled
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.errors import LicenseError
from player.ids import CLEARKEY, HIERARCHY, KeyId, Pool
from player.wire import clearkey, keyids, release, stored_session
from player.wire.hierarchy import Output, Policy
from player.wire.strict import b64url_encode
from tests.cdm.client import EPOCH_MS, ROOT, jwk_set, key, kid, leaf_box, license_, names, root_box, usable
from tests.cdm.visitor import LICENSE, RECORD, USAGE, Visitor, license_for, released

TEMPORARY = SessionType.TEMPORARY
systems = pytest.mark.parametrize("system", [CLEARKEY, HIERARCHY])


def stored(system: str, *numbers: int) -> tuple[Visitor, int]:
    """A client with a persistent session that has its license; the slot."""
    visitor = Visitor(system)
    slot = visitor.create(LICENSE, *numbers)
    visitor.update(slot, license_for(system, LICENSE, *numbers))
    return visitor, slot


def releases(visitor: Visitor, slot: int) -> list[tuple[MessageType, bytes]]:
    return [(it.message_type, it.message) for it in visitor.remove(slot) if isinstance(it, Message)]


@systems
@pytest.mark.rule("ST01")
def test_a_temporary_session_stores_nothing_in_all_its_life(system: str) -> None:
    visitor = Visitor(system)
    slot = visitor.create(TEMPORARY, 1)
    visitor.update(slot, license_for(system, TEMPORARY, 1))
    visitor.play(1)
    visitor.remove(slot)
    visitor.close(slot)
    assert (visitor.shelf, visitor.writes) == ({}, 0)


@systems
@pytest.mark.rule("ST08")
@pytest.mark.rule("E020")
@pytest.mark.parametrize("session_type", [LICENSE, RECORD])
def test_nothing_is_stored_before_the_first_update_that_succeeds(system: str, session_type: SessionType) -> None:
    visitor = Visitor(system)
    slot = visitor.create(session_type, 1)
    with pytest.raises(EmeTypeError):
        visitor.update(slot, b"{}")
    assert visitor.writes == 0
    visitor.update(slot, license_for(system, session_type, 1))
    assert visitor.stored(slot).kids == (kid(1),)


@systems
@pytest.mark.rule("H006")
@pytest.mark.rule("F012")
def test_a_stored_license_is_loaded_after_close_with_its_keys_and_decrypts(system: str) -> None:
    visitor, slot = stored(system, 1, 2)
    visitor.close(slot)
    other = Visitor(system)
    outputs = other.load(visitor.shelf[slot], LICENSE)
    assert names(outputs) == [("settled", 0), ("key-statuses", 0)]
    assert [it.value for it in outputs if isinstance(it, Settled)] == [True]
    assert other.row(0).statuses == usable(1, 2)
    assert other.decrypt(1, 2).clear == 2


@pytest.mark.rule("F012")
def test_a_loaded_license_has_its_times_and_output_rules() -> None:
    visitor = Visitor(HIERARCHY)
    slot = visitor.create(LICENSE, 1)
    policy = Policy(persist=True, exp_ms=EPOCH_MS + 9000, nbf_ms=EPOCH_MS + 3000, output=Output.HDCP_1_4)
    visitor.update(slot, license_(1, policy=policy))
    other = Visitor(HIERARCHY, CdmSpec(hdcp=""))
    other.load(visitor.shelf[slot], LICENSE)
    assert table.expiration_ms(other.state, 0) == EPOCH_MS + 9000
    assert other.statuses(0) == {kid(1): KeyStatus.USABLE_IN_FUTURE}
    other.wait(3 * SECOND)
    assert other.statuses(0) == {kid(1): KeyStatus.OUTPUT_RESTRICTED}
    other.wait(10 * SECOND)
    assert other.statuses(0) == {kid(1): KeyStatus.EXPIRED}


def test_a_playback_window_that_has_opened_goes_on_after_load() -> None:
    spec = CdmSpec(playback_window_s=5)
    visitor = Visitor(HIERARCHY, spec)
    slot = visitor.create(LICENSE, 1)
    visitor.update(slot, license_for(HIERARCHY, LICENSE, 1))
    visitor.now = SECOND
    visitor.play(1)
    other = Visitor(HIERARCHY, spec)
    other.load(visitor.shelf[slot], LICENSE)
    assert table.expiration_ms(other.state, 0) == EPOCH_MS + 6000


@pytest.mark.rule("EQ20")
def test_a_loaded_root_key_opens_embedded_keys() -> None:
    spec = CdmSpec(features=("embedded_keys",))
    visitor = Visitor(HIERARCHY, spec)
    slot = table.create_session(visitor.state, visitor.pool, LICENSE)
    call = table.generate_request(visitor.state, visitor.pool, slot, "cenc", root_box())
    visitor.call(visitor._token(call))
    visitor.update(slot, license_(root=ROOT, policy=Policy(persist=True)))
    other = Visitor(HIERARCHY, spec)
    other.load(visitor.shelf[slot], LICENSE)
    other.request(leaf_box(1, 2))
    assert (other.row(1).statuses, other.row(1).parent) == (usable(1, 2), 0)
    assert names(other.remove(0))[:2] == [("settled", 0), ("key-statuses", 0)]
    assert other.statuses(1) == released(1, 2)
    closed = [it for it in other.update(0, keyids.write([kid(ROOT)])) if isinstance(it, SessionClosed)]
    assert [it.reason for it in closed] == [ClosedReason.RELEASE_ACKNOWLEDGED, ClosedReason.PARENT_CLOSED]


@systems
@pytest.mark.rule("F010")
def test_a_stored_session_of_another_type_is_a_type_error(system: str) -> None:
    visitor, slot = stored(system, 1)
    with pytest.raises(EmeTypeError, match="what is stored is a persistent-license session"):
        Visitor(system).load(visitor.shelf[slot], RECORD)


def test_what_another_key_system_has_stored_is_as_good_as_nothing() -> None:
    visitor, slot = stored(HIERARCHY, 1)
    other = Visitor(CLEARKEY)
    outputs = other.load(visitor.shelf[slot], LICENSE)
    assert [it.value for it in outputs if isinstance(it, Settled)] == [False]
    assert other.inner.ring == ()


@pytest.mark.rule("UD05")
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b'"v":1', b'"v":2'),
        lambda raw: raw.replace(b'"released":false', b'"released":true'),
        lambda raw: raw.replace(b'"released":false', b'"released":0'),
        lambda raw: raw.replace(b'"type":"persistent-license"', b'"type":"temporary"'),
        lambda raw: raw.replace(b'"type":"persistent-license"', b'"type":"persistent-usage-record"'),
        lambda raw: raw.replace(b'"exp":0', b'"exp":-1'),
        lambda raw: raw.replace(b'"exp":0', b'"exp":1e400'),
        lambda raw: raw.replace(b'"output":null', b'"output":"9"'),
        lambda raw: raw.replace(b'"kids":["', b'"kids":["AA","AA","'),
        lambda raw: raw.replace(b'"kids":["', b'"kids":["AA"],"kids":["'),
        lambda raw: raw.replace(f'"kids":["{b64url_encode(kid(1))}"]'.encode(), b'"kids":[]'),
        lambda raw: b"[" * 10_000,
        lambda raw: b"\xff" + raw,
        lambda raw: raw + bytes(stored_session.MAX_RECORD_BYTES),
    ],
)
def test_a_record_that_was_changed_is_as_good_as_nothing(damage: Callable[[bytes], bytes]) -> None:
    visitor, slot = stored(CLEARKEY, 1)
    with pytest.raises(LicenseError):
        stored_session.read(damage(visitor.shelf[slot]))
    outputs = Visitor().load(damage(visitor.shelf[slot]), LICENSE)
    assert [it.value for it in outputs if isinstance(it, Settled)] == [False]


@systems
@pytest.mark.rule("I006")
@pytest.mark.rule("CK09")
def test_remove_destroys_the_keys_here_and_in_the_store_and_sends_the_release(system: str) -> None:
    visitor, slot = stored(system, 2, 1)
    assert visitor.stored(slot).keys
    outputs = visitor.remove(slot)
    assert names(outputs) == [("settled", slot), ("key-statuses", slot), ("message", slot)]
    (message,) = [it for it in outputs if isinstance(it, Message)]
    assert message.message_type is MessageType.LICENSE_RELEASE
    assert json.loads(message.message) == {"kids": [b64url_encode(kid(2)), b64url_encode(kid(1))]}
    assert (visitor.stored(slot).keys, visitor.stored(slot).released) == ((), True)
    assert visitor.statuses(slot) == released(1, 2)
    assert visitor.decrypt(1).clear == 0
    for number in (1, 2):
        assert key(number).reveal() not in visitor.shelf[slot]
        assert b64url_encode(key(number).reveal()).encode() not in visitor.shelf[slot]


@systems
@pytest.mark.rule("I007")
def test_remove_before_the_acknowledgement_sends_the_release_again(system: str) -> None:
    visitor, slot = stored(system, 1)
    first = releases(visitor, slot)
    assert releases(visitor, slot) == first
    assert len(first) == 1


@systems
@pytest.mark.rule("F016")
def test_after_remove_without_acknowledgement_load_gives_released_keys_and_no_message(system: str) -> None:
    visitor, slot = stored(system, 1, 2)
    release_ = releases(visitor, slot)
    visitor.close(slot)
    other = Visitor(system)
    assert names(other.load(visitor.shelf[slot], LICENSE)) == [("settled", 0), ("key-statuses", 0)]
    assert other.statuses(0) == released(1, 2)
    assert releases(other, 0) == release_


@systems
@pytest.mark.rule("G013")
@pytest.mark.rule("F015")
@pytest.mark.rule("L003")
def test_the_acknowledgement_clears_the_record_and_closes_before_it_resolves(system: str) -> None:
    visitor, slot = stored(system, 1, 2)
    visitor.remove(slot)
    outputs = visitor.update(slot, keyids.write([kid(2), kid(1), kid(2)]))
    assert names(outputs) == [("session-closed", slot), ("settled", slot), ("key-statuses", slot)]
    assert [it.reason for it in outputs if isinstance(it, SessionClosed)] == [ClosedReason.RELEASE_ACKNOWLEDGED]
    assert visitor.shelf == {}
    assert visitor.inner.ring == ()


@systems
@pytest.mark.rule("CK09")
@pytest.mark.rule("G014")
@pytest.mark.parametrize(
    "answer",
    [
        keyids.write([kid(1)]),
        keyids.write([kid(1), kid(2), kid(3)]),
        keyids.write([]),
        b"{}",
        b"[]",
        b'{"kids":"AA"}',
        b'{"kids":[1]}',
        b'{"kids":["AA=="]}',
        b'{"kids":["AB"]}',
        jwk_set(1, 2),
        b"\xff",
    ],
)
def test_what_is_no_acknowledgement_of_this_release_changes_nothing(system: str, answer: bytes) -> None:
    visitor, slot = stored(system, 1, 2)
    visitor.remove(slot)
    before = dict(visitor.shelf)
    with pytest.raises(EmeTypeError):
        visitor.update(slot, answer)
    assert visitor.shelf == before
    assert visitor.statuses(slot) == released(1, 2)


@systems
@pytest.mark.rule("G014")
@pytest.mark.parametrize("session_type", [TEMPORARY, LICENSE, RECORD])
def test_an_acknowledgement_that_no_release_waits_for_is_a_type_error(system: str, session_type: SessionType) -> None:
    visitor = Visitor(system)
    slot = visitor.create(session_type, 1)
    visitor.update(slot, license_for(system, session_type, 1))
    if session_type is TEMPORARY:
        visitor.remove(slot)
    with pytest.raises(EmeTypeError):
        visitor.update(slot, keyids.write([kid(1)]))
    assert slot in {it.slot for it in visitor.inner.ring}


@systems
@pytest.mark.rule("I004")
@pytest.mark.rule("I008")
def test_a_session_without_a_license_has_nothing_to_release(system: str) -> None:
    visitor = Visitor(system)
    for session_type in (TEMPORARY, LICENSE, RECORD):
        slot = visitor.create(session_type, 1)
        assert names(visitor.remove(slot)) == [("settled", slot), ("key-statuses", slot)]
    assert visitor.writes == 0


@systems
@pytest.mark.rule("G006")
@pytest.mark.parametrize("session_type", [TEMPORARY, LICENSE, RECORD])
def test_a_license_is_stored_only_where_session_and_license_say_so(system: str, session_type: SessionType) -> None:
    for given in (TEMPORARY, LICENSE):
        visitor = Visitor(system)
        slot = visitor.create(session_type, 1)
        fits = (given is LICENSE) == (session_type is LICENSE) if system == HIERARCHY else given is session_type
        if fits:
            visitor.update(slot, license_for(system, given, 1))
        else:
            with pytest.raises(EmeTypeError):
                visitor.update(slot, license_for(system, given, 1))
            assert visitor.writes == 0


@pytest.mark.rule("CK04")
@pytest.mark.parametrize("given", [None, "temporary", "persistent-license", "persistent-usage-record", "other", 1])
@pytest.mark.parametrize("session_type", [TEMPORARY, LICENSE, RECORD])
def test_the_type_of_a_clear_key_license_is_its_sessions(session_type: SessionType, given: object) -> None:
    document = json.loads(jwk_set(1))
    del document["type"]
    if given is not None:
        document["type"] = given
    visitor = Visitor()
    slot = visitor.create(session_type, 1)
    if (given or "temporary") == session_type:
        visitor.update(slot, json.dumps(document).encode())
    else:
        with pytest.raises(EmeTypeError):
            visitor.update(slot, json.dumps(document).encode())


@pytest.mark.rule("UR01")
def test_with_the_feature_off_a_license_that_names_usage_records_is_a_type_error() -> None:
    visitor = Visitor(spec=CdmSpec())
    with pytest.raises(EmeTypeError):
        visitor.create(RECORD, 1)
    for session_type in (TEMPORARY, LICENSE):
        slot = visitor.create(session_type, 1)
        with pytest.raises(EmeTypeError):
            visitor.update(slot, license_for(CLEARKEY, RECORD, 1))


@pytest.mark.rule("CK08")
@pytest.mark.parametrize("empty", [False, True])
def test_after_remove_keys_are_released_or_by_an_option_gone_from_the_map(empty: bool) -> None:
    visitor = Visitor(spec=CdmSpec(ck_remove_empty=empty))
    for slot, session_type in enumerate((TEMPORARY, LICENSE)):
        visitor.create(session_type, 1)
        visitor.update(slot, license_for(CLEARKEY, session_type, 1))
        told = names(visitor.remove(slot))
        assert told[:2] == [("settled", slot), ("key-statuses", slot)]
        assert visitor.statuses(slot) == ({} if empty else released(1))
    assert releases(visitor, 1) == [(MessageType.LICENSE_RELEASE, keyids.write([kid(1)]))]


@systems
def test_a_removed_temporary_session_takes_a_license_anew(system: str) -> None:
    visitor = Visitor(system)
    slot = visitor.create(TEMPORARY, 1, 2)
    visitor.update(slot, license_for(system, TEMPORARY, 1, 2))
    visitor.remove(slot)
    visitor.update(slot, license_for(system, TEMPORARY, 1))
    assert visitor.statuses(slot) == released(2) | {kid(1): KeyStatus.USABLE}


@systems
def test_licenses_add_to_what_is_stored(system: str) -> None:
    visitor, slot = stored(system, 1)
    visitor.update(slot, license_for(system, LICENSE, 2))
    other = Visitor(system)
    other.load(visitor.shelf[slot], LICENSE)
    assert other.row(0).statuses == usable(1, 2)


def test_a_license_too_large_to_be_stored_changes_nothing() -> None:
    visitor = Visitor(spec=CdmSpec(max_keys=1000))
    slot = visitor.create(LICENSE, 1)

    def long(part: int) -> bytes:
        ids = (KeyId(bytes([part, number]) + bytes(510)) for number in range(80))
        return clearkey.write_license(((it, key(1)) for it in ids), LICENSE)

    visitor.update(slot, long(0))
    before = visitor.inner.ring, dict(visitor.shelf)
    with pytest.raises(QuotaExceededError):
        visitor.update(slot, long(1))
    assert (visitor.inner.ring, visitor.shelf) == before


def test_so_many_keys_that_their_record_would_be_too_large_are_refused() -> None:
    visitor = Visitor(spec=CdmSpec(max_keys=10_000))
    slot = visitor.create(LICENSE, 1)
    for part in range(10):
        ids = (KeyId(bytes([part, number >> 8, number & 255])) for number in range(600))
        body = clearkey.write_license(((it, key(1)) for it in ids), LICENSE)
        try:
            visitor.update(slot, body)
        except QuotaExceededError:
            break
    assert part > 0
    assert len(visitor.stored(slot).keys) == part * 600


def test_clients_in_the_same_stored_situation_share_their_ring() -> None:
    pool = Pool()
    rings = []
    for _ in range(2):
        visitor = Visitor(CLEARKEY, USAGE, pool)
        visitor.update(visitor.create(LICENSE, 1), license_for(CLEARKEY, LICENSE, 1))
        rings.append(visitor.inner.ring)
        assert visitor.inner.usages is None
    assert rings[0] is rings[1]


def test_no_repr_shows_a_key() -> None:
    visitor, slot = stored(CLEARKEY, 1)
    secret = b64url_encode(key(1).reveal())
    record = Record(slot, visitor.shelf[slot])
    shown = repr(record) + repr(visitor.stored(slot)) + repr(visitor.inner.ring)
    assert secret not in shown
    assert secret in visitor.shelf[slot].decode()


@systems
def test_loss_of_the_cdm_leaves_the_stored_license(system: str) -> None:
    visitor, slot = stored(system, 1)
    visitor.call(Lost(ClosedReason.HARDWARE_CONTEXT_RESET))
    other = Visitor(system)
    other.load(visitor.shelf[slot], LICENSE)
    assert other.row(0).statuses == usable(1)


def test_a_release_names_its_times_together_and_in_their_order() -> None:
    for times in (b'"firstTime":2,"latestTime":1', b'"firstTime":null,"latestTime":1', b'"firstTime":1'):
        with pytest.raises(LicenseError):
            release.read(b'{"kids":["AA"],' + times + b"}")
    with pytest.raises(LicenseError):
        release.read(b'{"kids":[]}')
    padded = release.read(b'{"kids":["AA=="],"firstTime":1,"latestTime":1}', tolerant=True)
    assert padded.kids == (KeyId(b"\0"),)
