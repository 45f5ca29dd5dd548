"""Deviations of real devices, and how a test sees each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from player.backend.packager import pssh as pssh_box
from player.cdm.emulated import EmulatedCdm
from player.cdm.make import key_systems, make
from player.cdm.quirks.messages import CERTIFICATE_REQUEST, PROVISIONING_REQUEST
from player.cdm.quirks.table import PRESETS, QUIRKS
from player.cdm.spec import CdmSpec
from player.eme import table
from player.eme.cdm import Decrypted, DisplayChanged, GenerateRequest, Handled, Remove, Update
from player.eme.element_quirks import ELEMENT_QUIRKS
from player.eme.errors import EmeTypeError, InvalidStateError, NotSupportedError, QuotaExceededError
from player.eme.events import KeyStatusesChanged, Message, SessionClosed
from player.eme.session import SessionState
from player.eme.status import ClosedReason, KeyStatus, MessageType, SessionType
from player.errors import EmeError, UsageError
from player.ids import CLEARKEY, COMMON_SYSTEM, HIERARCHY, KeyId, Pool
from player.isobmff import pssh
from player.isobmff.pssh import Pssh
from player.wire import clearkey, hierarchy, keyids, playready_message, release
from player.wire.hierarchy import License, LicenseKey, Output, Policy
from tests.cdm.client import (
    EPOCH_MS,
    Client,
    jwk_set,
    key,
    kid,
    leaf_box,
    license_,
    messages,
    names,
    usable,
    with_root,
)

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


def clear_key(*quirks: str) -> Client:
    return Client(CLEARKEY, CdmSpec(quirks=quirks))


@pytest.mark.rule("Q01")
def test_how_long_statuses_are_pending_can_be_said() -> None:
    client = clear_key("status_pending_first:20")
    client.update(client.ask(1), jwk_set(1))
    assert names(client.wait(20_000)) == [("key-statuses", 0)]


@pytest.mark.rule("Q02")
def test_a_device_may_have_no_statuses_while_it_decrypts() -> None:
    client = clear_key("no_key_statuses")
    slot = client.ask(1)
    assert names(client.update(slot, jwk_set(1))) == [("settled", 0)]
    assert client.statuses(slot) == {}
    assert client.decrypt(1).clear == 1
    assert names(client.close(slot)) == [("settled", 0), ("session-closed", 0), ("key-statuses", 0)]


@pytest.mark.rule("Q03")
@pytest.mark.parametrize(("form", "told"), [("", 2), (":merged", 1)])
def test_statuses_may_be_late_and_merged(form: str, told: int) -> None:
    client = clear_key(f"late_or_merged_statuses:100{form}")
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    client.now = 50_000
    client.update(slot, jwk_set(2))
    assert client.statuses(slot) == {}
    outputs = client.wait(1_000_000)
    assert names(outputs) == [("key-statuses", 0)] * told
    assert client.row(slot).statuses == usable(1, 2)
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("Q04")
def test_one_key_of_a_license_may_have_no_entry() -> None:
    client = clear_key("key_missing_in_map")
    slot = client.ask(1, 2)
    client.update(slot, jwk_set(1, 2))
    assert client.row(slot).statuses == usable(1)
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("Q05")
@pytest.mark.parametrize(("form", "shown"), [("", b"\x00"), (":empty", b"")])
def test_one_made_up_id_may_stand_for_all_keys(form: str, shown: bytes) -> None:
    client = clear_key(f"single_zero_key_id{form}")
    slot = client.ask(1, 2)
    client.update(slot, jwk_set(1, 2))
    assert client.statuses(slot) == {shown: KeyStatus.USABLE}
    assert client.decrypt(1, 2).clear == 2


@pytest.mark.rule("Q06")
def test_key_ids_may_be_shown_as_guids() -> None:
    client = clear_key("guid_key_ids")
    asked = KeyId(bytes(range(16)))
    client.request(keyids.write([asked]), "keyids")
    client.update(client.newest, clearkey.write_license([(asked, key(1))]))
    shown = bytes((3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15))
    assert client.statuses(client.newest) == {shown: KeyStatus.USABLE}
    plain = clear_key("guid_key_ids:big_endian")
    plain.update(plain.ask(1), jwk_set(1))
    assert plain.row(0).statuses == usable(1)


@pytest.mark.rule("Q09")
@pytest.mark.parametrize(
    ("form", "error"),
    [("", QuotaExceededError), (":NotSupportedError", NotSupportedError), (":InvalidStateError", InvalidStateError)],
)
def test_a_session_too_many_fails_until_another_has_closed(form: str, error: type[EmeError]) -> None:
    client = clear_key(f"session_limit:2{form}")
    client.ask(1)
    client.ask(2)
    with pytest.raises(error):
        client.ask(3)
    client.close(0)
    client.ask(4)


@pytest.mark.rule("Q11")
def test_close_may_hang() -> None:
    client = clear_key("close_hangs")
    assert client.close(client.ask(1)) == ()
    assert client.row(0).state is SessionState.CLOSING
    resolves = clear_key("close_hangs:closed_resolves")
    assert names(resolves.close(resolves.ask(1))) == [("session-closed", 0), ("key-statuses", 0)]


@pytest.mark.rule("Q13")
def test_a_status_event_may_come_after_the_last() -> None:
    client = clear_key("status_event_after_close")
    outputs = client.close(client.ask(1))
    assert names(outputs) == [("settled", 0), ("session-closed", 0), ("key-statuses", 0), ("key-statuses", 0)]


@pytest.mark.rule("Q15")
def test_expiration_may_be_unknown_or_later_than_the_statuses_say() -> None:
    for form, told in (("", 0), (":early", EPOCH_MS + 2_000)):
        client = Client(HIERARCHY, CdmSpec(quirks=(f"expiration_mismatch{form}",)))
        slot = client.ask(1)
        client.update(slot, license_(1, policy=Policy(exp_ms=EPOCH_MS + 1_000)))
        assert table.expiration_ms(client.state, slot) == told
        client.wait(1_500_000)
        assert client.statuses(slot) == {kid(1): KeyStatus.EXPIRED}


@pytest.mark.rule("Q16")
def test_one_key_may_be_restricted_until_another_display_is_attached() -> None:
    client = Client(HIERARCHY, CdmSpec(quirks=("output_restricted",), downscale_hdcp="1.0"))
    slot = client.ask(1, 2)
    keys = (LicenseKey(kid=kid(1), key=key(1)), LicenseKey(kid=kid(2), key=key(2), output=Output.HDCP_2_2))
    client.update(slot, hierarchy.write_license(License(keys=keys)))
    assert client.statuses(slot) == {kid(1): KeyStatus.USABLE, kid(2): KeyStatus.OUTPUT_RESTRICTED}
    assert client.decrypt(1).clear == 1
    client.call(DisplayChanged("2.2"))
    assert client.row(slot).statuses == usable(1, 2)


@pytest.mark.rule("Q17")
@pytest.mark.parametrize(("form", "clear"), [("", 1), (":all", 0)])
def test_keys_may_end_in_an_internal_error(form: str, clear: int) -> None:
    client = clear_key(f"internal_error_keys{form}")
    slot = client.ask(1, 2)
    client.update(slot, jwk_set(1, 2))
    assert client.statuses(slot)[kid(2)] is KeyStatus.INTERNAL_ERROR
    assert (client.statuses(slot)[kid(1)] is KeyStatus.USABLE) is bool(clear)
    assert client.decrypt(1, 2) == Decrypted(clear=clear, stopped_by=kid(1 + clear))


@pytest.mark.rule("Q18")
def test_what_was_granted_may_fail_later() -> None:
    with pytest.raises(NotSupportedError):
        clear_key("late_capability_failure").ask(1)
    client = clear_key("late_capability_failure:persistent")
    client.update(client.ask(1), jwk_set(1))
    stored = GenerateRequest(5, 5, SessionType.PERSISTENT_LICENSE, "keyids", keyids.write([kid(1)]))
    client.cdm.handle(stored, 0, client.draw)
    refused = client.cdm.handle(Update(5, 5, jwk_set(1)), 0, client.draw)
    assert isinstance(refused, Handled)
    assert refused.error == "NotSupportedError"


@pytest.mark.rule("Q21")
def test_the_keys_before_the_bad_one_of_a_set_may_be_kept() -> None:
    client = clear_key("partial_license")
    slot = client.ask(1, 2)
    broken = jwk_set(1, 2, 3).replace(b'"kid":"AAAAAAAAAAAAAAAAAAAAAg"', b'"kid":"??"')
    with pytest.raises(EmeTypeError):
        client.update(slot, broken)
    assert client.statuses(slot) == {}
    assert client.decrypt(1, 2) == Decrypted(clear=1, stopped_by=kid(2))


@pytest.mark.rule("Q22")
@pytest.mark.parametrize("quirks", [(), ("license_type_unchecked",)])
def test_a_license_of_another_type_may_be_taken(quirks: tuple[str, ...]) -> None:
    stored = clearkey.write_license([(kid(1), key(1))], "persistent-license")
    client = clear_key(*quirks)
    slot = client.ask(1)
    if not quirks:
        with pytest.raises(EmeTypeError):
            client.update(slot, stored)
    else:
        client.update(slot, stored)
        assert client.row(slot).statuses == usable(1)
        of_other = Client(HIERARCHY, CdmSpec(quirks=quirks))
        of_other.update(of_other.ask(1), license_(1, policy=Policy(persist=True)))
        assert of_other.row(0).statuses == usable(1)


@pytest.mark.rule("Q23")
def test_generate_request_may_hang_where_init_data_names_no_key() -> None:
    client = clear_key("generate_request_hangs")
    assert client.request(b'{"kids":[]}', "keyids") == ()
    assert client.row(0).state is SessionState.REQUESTING
    with pytest.raises(InvalidStateError):
        client.request(leaf_box(1))
    client.update(client.ask(1), jwk_set(1))


@pytest.mark.rule("Q24")
def test_names_in_any_case_and_any_acknowledgement_may_be_taken() -> None:
    client = clear_key("lax_matching")
    client.update(client.ask(1), jwk_set(1).replace(b'"oct"', b'"OCT"'))
    assert client.row(0).statuses == usable(1)
    call = GenerateRequest(5, 5, SessionType.PERSISTENT_LICENSE, "KeyIds", keyids.write([kid(1)]))
    given = clearkey.write_license([(kid(1), key(1))], "persistent-license")
    foreign = release.write_acknowledgement([kid(9)])
    calls = (call, Update(5, 5, given), Remove(5, 5), Update(5, 5, foreign))
    answers = [client.cdm.handle(each, 0, client.draw) for each in calls]
    handled = [it for it in answers if isinstance(it, Handled)]
    assert [it.error for it in handled] == [None] * 4
    assert handled[-1].changes[0].closed is ClosedReason.RELEASE_ACKNOWLEDGED


@pytest.mark.rule("Q25")
def test_common_boxes_may_break_a_device_until_they_are_put_in_order() -> None:
    client = clear_key("fragile_pssh")
    common, old = pssh_box.common([kid(1)]), pssh.write(Pssh(version=0, system_id=COMMON_SYSTEM, data=bytes(4)))
    for broken in (common + leaf_box(1), common + old):
        with pytest.raises(InvalidStateError):
            client.request(broken)
    client.request(leaf_box(1) + common)
    client.request(common + common)
    with pytest.raises(InvalidStateError):
        clear_key("fragile_pssh:duplicated").request(common + common)


@pytest.mark.rule("Q26")
def test_a_channel_may_be_needed_for_each_key_whatever_license_brought_it() -> None:
    client = clear_key("channel_per_key")
    slot = client.ask(1)
    client.update(slot, jwk_set(1, 2))
    assert client.row(slot).statuses == usable(1, 2)
    assert client.decrypt(1, 2) == Decrypted(clear=1, stopped_by=kid(2))
    companion = client.ask(2)
    assert client.decrypt(1, 2).clear == 2
    client.close(companion)
    assert client.decrypt(2).clear == 0
    assert key_systems(CdmSpec(quirks=("channel_per_key",)))[CLEARKEY].channel_per_key


@pytest.mark.rule("Q27")
def test_a_license_may_replace_the_keys_before_it() -> None:
    client = clear_key("license_replaces_keys")
    slot = client.ask(1)
    client.update(slot, jwk_set(1))
    client.update(slot, jwk_set(2))
    assert client.row(slot).statuses == usable(2)
    assert client.decrypt(2, 1) == Decrypted(clear=1, stopped_by=kid(1))
    client.update(client.ask(1), jwk_set(1))
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("Q28")
@pytest.mark.parametrize(
    ("form", "kind", "body"),
    [
        ("", MessageType.INDIVIDUALIZATION_REQUEST, PROVISIONING_REQUEST),
        (":certificate", MessageType.LICENSE_REQUEST, CERTIFICATE_REQUEST),
    ],
)
def test_a_device_may_be_provisioned_before_its_first_license(form: str, kind: MessageType, body: bytes) -> None:
    client = clear_key(f"provisioning_first{form}")
    (first,) = [it for it in client.request(keyids.write([kid(1)]), "keyids") if isinstance(it, Message)]
    assert (first.message_type, first.message) == (kind, body)
    assert messages(client.update(0, b"provisioned")) == [clearkey.write_request([kid(1)])]
    client.update(0, jwk_set(1))
    assert client.row(0).statuses == usable(1)
    assert messages(client.request(keyids.write([kid(2)]), "keyids")) == [clearkey.write_request([kid(2)])]


@pytest.mark.rule("Q29")
def test_a_message_may_be_wrapped_with_headers_for_its_body() -> None:
    (wrapped,) = messages(clear_key("wrapped_message").request(keyids.write([kid(1)]), "keyids"))
    assert wrapped.decode("utf-16-le").startswith("<PlayReadyKeyMessage")
    assert playready_message.read(wrapped) == (clearkey.write_request([kid(1)]), playready_message.HEADERS)
    (bare,) = messages(clear_key("wrapped_message:bare").request(keyids.write([kid(1)]), "keyids"))
    assert bare == clearkey.write_request([kid(1)])
    assert playready_message.read(bare) is None


@given(st.binary(max_size=300) | st.text(max_size=150).map(lambda text: text.encode("utf-16-le", "surrogatepass")))
def test_no_message_breaks_who_unwraps_it(data: bytes) -> None:
    wrapped = playready_message.write(data, playready_message.HEADERS)
    assert playready_message.read(wrapped) == (data, playready_message.HEADERS)
    for broken in (data, wrapped[: len(data)], data + wrapped, wrapped + data):
        playready_message.read(broken)


@pytest.mark.rule("Q35")
def test_too_many_key_ids_may_make_a_request_invalid() -> None:
    client = clear_key("request_key_limit:2")
    client.ask(1, 2)
    with pytest.raises(EmeTypeError):
        client.ask(1, 2, 3)


@pytest.mark.rule("Q36")
def test_the_context_may_be_reset_under_all_sessions_at_once() -> None:
    client = clear_key("context_reset:5")
    client.update(client.ask(1), jwk_set(1))
    client.ask(2)
    closed = [it for it in client.wait(6_000_000) if isinstance(it, SessionClosed)]
    assert [(it.session.slot, it.reason) for it in closed] == [(n, ClosedReason.HARDWARE_CONTEXT_RESET) for n in (0, 1)]
    assert client.decrypt(1).clear == 0
    client.update(client.ask(1), jwk_set(1))
    assert client.wait(60_000_000) == ()


@pytest.mark.rule("Q37")
def test_the_session_unused_longest_may_be_evicted() -> None:
    client = clear_key("evict_oldest_session:2")
    client.update(client.ask(1), jwk_set(1))
    client.ask(2)
    (closed,) = [it for it in client.request(keyids.write([kid(3)]), "keyids") if isinstance(it, SessionClosed)]
    assert (closed.session.slot, closed.reason) == (0, ClosedReason.RESOURCE_EVICTED)


@pytest.mark.rule("Q38")
def test_of_two_sessions_with_a_key_the_latest_may_decide_alone() -> None:
    for quirks, clear in (((), 1), (("latest_session_wins",), 0)):
        client = Client(HIERARCHY, CdmSpec(quirks=quirks))
        client.update(client.ask(1), license_(1))
        latest = client.ask(1)
        client.update(latest, license_(1, policy=Policy(exp_ms=EPOCH_MS - 1)))
        assert client.decrypt(1).clear == clear
        client.close(latest)
        assert client.decrypt(1).clear == 1


@pytest.mark.rule("Q40")
def test_remove_may_hang() -> None:
    client = clear_key("remove_hangs")
    client.update(client.ask(1), jwk_set(1))
    assert client.remove(0) == ()
    assert client.decrypt(1).clear == 1


@pytest.mark.rule("Q41")
def test_events_may_come_before_their_promise() -> None:
    client = clear_key("event_before_promise")
    assert names(client.request(keyids.write([kid(1)]), "keyids")) == [("message", 0), ("settled", 0)]
    assert names(client.update(0, jwk_set(1))) == [("key-statuses", 0), ("settled", 0)]
    assert names(client.remove(0)) == [("key-statuses", 0), ("settled", 0)]
    assert names(client.close(0)) == [("session-closed", 0), ("key-statuses", 0), ("settled", 0)]


@pytest.mark.rule("Q43")
def test_an_empty_list_of_key_ids_may_be_asked_for() -> None:
    client = clear_key("empty_input_accepted")
    (body,) = messages(client.request(b'{"kids":[]}', "keyids"))
    assert body == clearkey.write_request([])
    client.update(0, jwk_set(1))
    assert client.row(0).statuses == usable(1)


def test_every_deviation_has_a_number_and_a_name_of_each_form_is_taken() -> None:
    numbers = [quirk.number for quirk in QUIRKS.values()]
    assert numbers == [f"Q{number:02}" for number in range(1, 44)]
    forms = [f"{name}:{form}" for name, quirk in QUIRKS.items() for form in quirk.forms]
    assert CdmSpec(quirks=(*QUIRKS, *forms)).quirks == (*QUIRKS, *forms)
    assert set(QUIRKS).union(forms) >= ELEMENT_QUIRKS


def test_a_preset_stands_for_its_deviations() -> None:
    spec = CdmSpec(quirks=("guid_key_ids", "xbox"))
    assert spec.quirks == ("guid_key_ids", "attach_first")
    assert replace(spec, max_keys=5).quirks == spec.quirks
    for name in PRESETS:
        make(CLEARKEY, CdmSpec(quirks=(name,)), Pool(), 0)


@pytest.mark.parametrize(
    "name",
    ["", ":", "session_limit:", "session_limit:0", "session_limit:-1", "session_limit:4:4", "session_limit:TypeError",
     "session_limit:NotSupportedError:4", "no_key_statuses:4", "xbox:1", "Q01", "session_limit:99999999"],
)  # fmt: skip
def test_a_name_that_is_badly_formed_is_a_mistake(name: str) -> None:
    with pytest.raises(UsageError, match="there are"):
        CdmSpec(quirks=(name,))


def test_a_client_without_deviations_has_its_cdm_bare() -> None:
    assert type(clear_key().cdm) is EmulatedCdm
    assert type(clear_key("swapped_for_each", "output_restricted").cdm) is EmulatedCdm
