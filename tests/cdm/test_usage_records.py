"""Usage records: what they tell, when they are stored, how exact they are."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.cdm import usage
from player.cdm.make import key_systems
from player.cdm.spec import CdmSpec
from player.clock import MILLISECOND, SECOND
from player.eme import table
from player.eme.access import Access, Configuration, request_access
from player.eme.capabilities import Capability
from player.eme.cdm import Destroyed, Lost
from player.eme.errors import EmeTypeError, NotSupportedError
from player.eme.events import Message, SessionClosed, Settled
from player.eme.key_system import Requirement
from player.eme.status import ClosedReason, KeyStatus, SessionType
from player.errors import LicenseError, UsageError
from player.ids import CLEARKEY, HIERARCHY, KeyId
from player.wire import keyids, release
from player.wire.hierarchy import Policy
from player.wire.release import Release, Times
from tests.cdm.client import EPOCH_MS, ROOT, jwk_set, key, kid, leaf_box, license_, names, root_box
from tests.cdm.visitor import LICENSE, RECORD, USAGE, Visitor, license_for, released

systems = pytest.mark.parametrize("system", [CLEARKEY, HIERARCHY])
ACCURACY_MS = 10_000


def started(system: str = CLEARKEY, spec: CdmSpec = USAGE) -> Visitor:
    """A client with one usage record session, in slot 0, which has keys 1 and 2."""
    visitor = Visitor(system, spec)
    slot = visitor.create(RECORD, 1, 2)
    visitor.update(slot, license_for(system, RECORD, 1, 2))
    return visitor


def played(visitor: Visitor, *instants_s: float) -> None:
    """Key 1 decrypts at these seconds of the run, with the wake-ups between them."""
    for at in instants_s:
        visitor.wait(round(at * SECOND))
        visitor.play(1)


def the_release(visitor: Visitor, slot: int = 0) -> Release:
    (message,) = [it for it in visitor.remove(slot) if isinstance(it, Message)]
    return release.read(message.message)


def times(first_s: int, latest_s: int) -> Times:
    return Times(first_ms=EPOCH_MS + first_s * 1000, latest_ms=EPOCH_MS + latest_s * 1000)


@systems
@pytest.mark.rule("UR01")
@pytest.mark.rule("UP03")
def test_the_type_is_there_by_one_feature_for_all_clients(system: str) -> None:
    for features, there in ((), False), (("persistent_usage_record",), True):
        supports = key_systems(CdmSpec(features=features))[system]
        assert (RECORD in supports.session_types) is there
        assert (RECORD in supports.enumerated) is there


@systems
@pytest.mark.rule("UR01")
def test_the_type_is_granted_with_persistent_state_only(system: str) -> None:
    for state in Requirement:
        asked = Configuration(
            audio_capabilities=(Capability(content_type='audio/mp4; codecs="mp4a.40.2"'),),
            persistent_state=state,
            session_types=(RECORD,),
        )
        granted = request_access(system, [asked], key_systems(USAGE))
        if state is Requirement.NOT_ALLOWED:
            assert isinstance(granted, NotSupportedError)
        else:
            assert isinstance(granted, Access)
            assert granted.configuration.persistent_state is Requirement.REQUIRED
            assert granted.supports.session_types == (RECORD,)


@systems
@pytest.mark.rule("UR02")
@pytest.mark.rule("UR03")
@pytest.mark.rule("UR09")
@pytest.mark.rule("UR08")
def test_the_first_update_stores_key_ids_without_keys_and_without_times(system: str) -> None:
    visitor = started(system)
    stored = visitor.stored(0)
    assert (stored.kids, stored.keys, stored.times) == ((kid(1), kid(2)), (), Times())
    assert visitor.statuses(0) == {kid(1): KeyStatus.USABLE, kid(2): KeyStatus.USABLE}
    writes = visitor.writes
    visitor.close(0)
    assert (visitor.writes, visitor.stored(0)) == (writes, stored)


@systems
@pytest.mark.rule("UR03")
def test_every_key_id_it_ever_knew_stays_in_the_record(system: str) -> None:
    visitor = started(system)
    visitor.update(0, license_for(system, RECORD, 3))
    visitor.update(0, license_for(system, RECORD, 1))
    assert visitor.stored(0).kids == (kid(1), kid(2), kid(3))


@pytest.mark.rule("UR03")
@pytest.mark.rule("EQ14")
def test_keys_that_are_merged_into_the_root_join_its_record_for_good() -> None:
    features = ("embedded_keys", "persistent_usage_record")
    visitor = Visitor(HIERARCHY, CdmSpec(features=features, single_session=True, root_window_periods=2))
    slot = table.create_session(visitor.state, visitor.pool, RECORD)
    visitor.call(visitor._token(table.generate_request(visitor.state, visitor.pool, slot, "cenc", root_box())))
    visitor.update(slot, license_(root=ROOT))
    for period in range(3):
        visitor.request(leaf_box(period, start_ms=period + 1))
    assert visitor.stored(slot).kids == (kid(ROOT), kid(0), kid(1), kid(2))
    assert kid(0) not in visitor.statuses(slot)


@pytest.mark.rule("UR03")
def test_a_license_to_be_stored_is_refused() -> None:
    visitor = Visitor(HIERARCHY)
    slot = visitor.create(RECORD, 1)
    with pytest.raises(EmeTypeError, match="must be stored"):
        visitor.update(slot, license_(1, policy=Policy(persist=True)))


@systems
@pytest.mark.rule("UR04")
@pytest.mark.rule("UR05")
@pytest.mark.rule("UD04")
@pytest.mark.rule("UP04")
def test_first_is_set_once_latest_always_whichever_key_is_used(system: str) -> None:
    visitor = started(system)
    played(visitor, 21, 30)
    visitor.wait(47 * SECOND)
    visitor.play(2)
    assert the_release(visitor).times == times(20, 50)


@pytest.mark.rule("UR04")
def test_samples_in_the_clear_and_blocked_samples_are_no_use_of_a_key() -> None:
    visitor = started()
    visitor.play(9)
    visitor.play()
    assert visitor.inner.usages is None
    assert the_release(visitor).times == Times()


def test_use_is_told_of_the_session_whose_key_served() -> None:
    visitor = started()
    other = visitor.create(RECORD, 2)
    visitor.update(other, license_for(CLEARKEY, RECORD, 2))
    plain = visitor.create(SessionType.TEMPORARY, 3)
    visitor.update(plain, jwk_set(3))
    visitor.play(2, 3)
    assert [it.slot for it in visitor.inner.usages or ()] == [other]


@systems
@pytest.mark.rule("UR10")
@pytest.mark.rule("CK10")
@pytest.mark.rule("UR12")
def test_remove_sends_the_record_in_whole_milliseconds_again_and_again(system: str) -> None:
    visitor = started(system)
    played(visitor, 12.3456, 31)
    outputs = visitor.remove(0)
    assert names(outputs) == [("settled", 0), ("key-statuses", 0), ("message", 0)]
    (message,) = [it.message for it in outputs if isinstance(it, Message)]
    document = json.loads(message)
    assert sorted(document) == ["firstTime", "kids", "latestTime"]
    assert (document["firstTime"], document["latestTime"]) == (EPOCH_MS + 10_000, EPOCH_MS + 30_000)
    assert visitor.statuses(0) == released(1, 2)
    assert visitor.decrypt(1).clear == 0
    visitor.wait(99 * SECOND)
    assert [it.message for it in visitor.remove(0) if isinstance(it, Message)] == [message]


@pytest.mark.rule("CK10")
@pytest.mark.rule("UR08")
def test_a_session_that_was_never_used_sends_null_times() -> None:
    visitor = started()
    (message,) = [it.message for it in visitor.remove(0) if isinstance(it, Message)]
    assert json.loads(message)["firstTime"] is json.loads(message)["latestTime"] is None


@systems
@pytest.mark.rule("UR11")
@pytest.mark.rule("UR08")
def test_the_acknowledgement_clears_everything_and_closes(system: str) -> None:
    visitor = started(system)
    played(visitor, 1, 2, 8)
    visitor.remove(0)
    for wrong in (keyids.write([kid(1)]), b"{}", license_for(system, RECORD, 1, 2)):
        with pytest.raises(EmeTypeError):
            visitor.update(0, wrong)
    outputs = visitor.update(0, keyids.write([kid(2), kid(1)]))
    assert names(outputs) == [("session-closed", 0), ("settled", 0), ("key-statuses", 0)]
    assert [it.reason for it in outputs if isinstance(it, SessionClosed)] == [ClosedReason.RELEASE_ACKNOWLEDGED]
    assert visitor.shelf == {}
    visitor.call(Destroyed())
    assert (visitor.shelf, visitor.inner.usages) == ({}, None)


def close(visitor: Visitor) -> None:
    visitor.close(0)


def lose(visitor: Visitor) -> None:
    visitor.call(Lost(ClosedReason.HARDWARE_CONTEXT_RESET))


def leave(visitor: Visitor) -> None:
    visitor.call(Destroyed())


def remove(visitor: Visitor) -> None:
    visitor.remove(0)


@systems
@pytest.mark.rule("UR06")
@pytest.mark.parametrize("end", [close, lose, leave, remove])
def test_the_record_is_stored_when_the_keys_are_destroyed(system: str, end: object) -> None:
    assert callable(end)
    visitor = started(system)
    played(visitor, 0, 9)
    assert visitor.stored(0).times == times(0, 0)
    end(visitor)
    assert visitor.stored(0).times == times(0, 10)


@pytest.mark.rule("UR06")
def test_a_session_that_gives_way_to_another_is_recorded_too() -> None:
    spec = CdmSpec(features=USAGE.features, max_sessions=1, on_session_limit="evict")
    visitor = started(spec=spec)
    played(visitor, 0, 9)
    visitor.create(RECORD, 5)
    assert visitor.stored(0).times == times(0, 10)


@systems
@pytest.mark.rule("UR09")
@pytest.mark.rule("UR10")
def test_after_a_crash_the_session_is_loaded_with_all_keys_released_and_no_message(system: str) -> None:
    visitor = started(system)
    played(visitor, 2, 14)
    other = Visitor(system)
    outputs = other.load(visitor.shelf[0], RECORD)
    assert names(outputs) == [("settled", 0), ("key-statuses", 0)]
    assert [it.value for it in outputs if isinstance(it, Settled)] == [True]
    assert other.statuses(0) == released(1, 2)
    assert other.decrypt(1).clear == 0
    recovered = the_release(other)
    assert (recovered.kids, recovered.times) == ((kid(1), kid(2)), visitor.stored(0).times)
    other.close(0)
    again = Visitor(system)
    again.load(other.shelf[0], RECORD)
    assert the_release(again) == recovered
    again.update(0, keyids.write(recovered.kids))
    assert again.shelf == {}


@pytest.mark.rule("UR09")
def test_a_session_that_was_never_used_can_be_loaded_and_removed() -> None:
    other = Visitor()
    other.load(started().shelf[0], RECORD)
    assert the_release(other) == Release(kids=(kid(1), kid(2)), times=Times())


@pytest.mark.rule("UR07")
@pytest.mark.rule("UD02")
def test_while_a_key_is_used_its_record_is_saved_at_wake_ups_of_the_cdm() -> None:
    visitor = started()
    played(visitor, 0)
    writes = visitor.writes
    played(visitor, *range(1, 101))
    assert 8 <= visitor.writes - writes <= 12
    assert visitor.stored(0).times == times(0, 100)
    writes = visitor.writes
    visitor.wait(3600 * SECOND)
    assert (visitor.writes, visitor.state.cdm_due) == (writes, None)


@pytest.mark.rule("UD02")
def test_saving_is_as_frequent_as_the_device_says() -> None:
    visitor = started(spec=CdmSpec(features=USAGE.features, accuracy_s=60, save_every_s=0.5))
    played(visitor, 0, 31)
    assert visitor.stored(0).times == times(0, 0)
    visitor.wait(round(31.5 * SECOND))
    assert visitor.stored(0).times == times(0, 60)


@pytest.mark.rule("UD02")
@pytest.mark.parametrize(("accuracy_s", "save_every_s"), [(0, 1), (60.5, 1), (10, 0), (float("nan"), 1), (10, -1)])
def test_an_accuracy_beyond_a_minute_is_refused(accuracy_s: float, save_every_s: float) -> None:
    with pytest.raises(UsageError):
        CdmSpec(accuracy_s=accuracy_s, save_every_s=save_every_s)
    assert CdmSpec().accuracy_s == 10


def test_a_clock_that_is_set_back_makes_no_record_earlier() -> None:
    spec = CdmSpec(features=USAGE.features)
    first = usage.used(None, 0, 50_000, spec)
    assert usage.times(usage.used(first, 0, 1_000, spec), spec) == Times(first_ms=50_000, latest_ms=50_000)


def test_a_device_without_a_clock_records_no_times() -> None:
    visitor = started(HIERARCHY, CdmSpec(features=USAGE.features, clock=False))
    visitor.play(1)
    assert the_release(visitor).times == Times()


def test_usage_costs_nothing_where_it_is_not_used() -> None:
    visitor = Visitor(spec=CdmSpec())
    visitor.update(visitor.create(SessionType.TEMPORARY, 1), jwk_set(1))
    visitor.update(visitor.create(LICENSE, 2), license_for(CLEARKEY, LICENSE, 2))
    visitor.play(1, 2)
    assert visitor.inner.usages is None
    assert sys.getsizeof(visitor.inner) <= 16 + 8 * (len(type(visitor.inner).__slots__) + 2)


gaps = st.lists(st.one_of(st.integers(0, 40_000), st.integers(0, 3_000_000)), min_size=1, max_size=25)
accuracies = st.tuples(st.sampled_from([0.5, 1, 7, 10, 60]), st.sampled_from([0.1, 1, 5, 30, 600]))


@settings(max_examples=150, deadline=None)
@given(gaps, accuracies, st.booleans())
@pytest.mark.rule("UD02")
@pytest.mark.rule("UD03")
@pytest.mark.rule("UR07")
def test_whenever_a_page_crashes_what_is_stored_is_within_the_accuracy(
    gaps_ms: list[int], accuracy: tuple[float, float], lags: bool
) -> None:
    """`lags`: wake-ups do not come, as in a loop that is busy."""
    accuracy_s, save_every_s = accuracy
    spec = CdmSpec(features=USAGE.features, accuracy_s=accuracy_s, save_every_s=save_every_s)
    visitor, at, first = started(spec=spec), 0, 0
    for number, gap in enumerate(gaps_ms):
        at += gap
        first = first if number else at
        if lags:
            visitor.now = at * MILLISECOND
        else:
            visitor.wait(at * MILLISECOND)
        visitor.play(1)
        stored = visitor.stored(0).times
        assert stored is not None
        assert stored.first_ms is not None
        assert stored.latest_ms is not None
        assert abs(stored.first_ms - EPOCH_MS - first) <= accuracy_s * 1000
        assert abs(stored.latest_ms - EPOCH_MS - at) <= accuracy_s * 1000
        assert stored.first_ms % (accuracy_s * 1000) == stored.latest_ms % (accuracy_s * 1000) == 0


kids = st.lists(st.binary(min_size=1, max_size=20).map(KeyId), min_size=1, max_size=5, unique=True).map(tuple)
whole = st.integers(0, 2**53 - 1)
some_times = st.one_of(
    st.none(), st.just(Times()), st.tuples(whole, whole).map(lambda it: Times(first_ms=min(it), latest_ms=max(it)))
)


@given(kids, some_times)
def test_a_release_is_read_as_it_was_written(named: tuple[KeyId, ...], given_times: Times | None) -> None:
    sent = Release(kids=named, times=given_times)
    assert release.read(release.write(sent)) == sent
    assert release.read_acknowledgement(release.write_acknowledgement(named)) == frozenset(named)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_bytes_that_are_no_release_are_refused_with_the_one_error(raw: bytes) -> None:
    for read in (release.read, release.read_acknowledgement):
        with pytest.raises(LicenseError):
            read(raw)


def test_the_record_of_one_session_holds_no_key() -> None:
    visitor = started()
    played(visitor, 1)
    assert key(1).reveal() not in visitor.shelf[0]
    assert b'"k"' not in visitor.shelf[0]
    assert table.expiration_ms(visitor.state, 0) == 0
