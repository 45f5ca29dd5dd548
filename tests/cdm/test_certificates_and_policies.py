"""What the key systems of the lab answer to setServerCertificate and getStatusForPolicy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from player.cdm.make import KEY_SYSTEMS, key_systems, make
from player.cdm.spec import CdmSpec
from player.chance import Draw, Purpose
from player.clock import SECOND, VIRTUAL_EPOCH_US
from player.eme import media_keys
from player.eme.cdm import (
    Call,
    DisplayChanged,
    GenerateRequest,
    GetStatusForPolicy,
    Handled,
    Remove,
    SetServerCertificate,
    Update,
    Wake,
)
from player.eme.status import KeyStatus, MessageType, SessionType
from player.errors import EmeError, UsageError
from player.ids import CLEARKEY, HIERARCHY, Pool
from player.wire import keyids
from player.wire.clearkey import write_license
from player.wire.hierarchy import Output, Policy
from tests.cdm.client import EPOCH_MS, key, kid, license_
from tests.crypto.certificates import of_size, self_signed

SMALLEST, LARGEST = 128, 16 * 1024


def handled(key_system: str, *calls: Call, spec: CdmSpec | None = None) -> Handled:
    """The answer to the last call."""
    cdm = make(key_system, spec or CdmSpec(), Pool(), VIRTUAL_EPOCH_US)
    answers = [cdm.handle(call, 0, Draw(1, 1)) for call in calls]
    assert isinstance(answers[-1], Handled)
    return answers[-1]


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("D001")
def test_clear_key_takes_no_certificate() -> None:
    assert not KEY_SYSTEMS[CLEARKEY].server_certificate
    assert handled(CLEARKEY, SetServerCertificate(self_signed())).value is False


@pytest.mark.rule("D004")
def test_a_valid_certificate_is_taken() -> None:
    assert handled(HIERARCHY, SetServerCertificate(self_signed())).value is True


@pytest.mark.rule("D004")
@pytest.mark.parametrize("wrong", [bytes(300), self_signed()[:-1], self_signed() + b"\0", self_signed()[1:]])
def test_a_malformed_certificate_is_a_type_error(wrong: bytes) -> None:
    assert handled(HIERARCHY, SetServerCertificate(wrong)).error == "TypeError"


@pytest.mark.rule("D005")
def test_a_certificate_has_128_bytes_to_16_kib() -> None:
    assert handled(HIERARCHY, SetServerCertificate(of_size(LARGEST))).value is True
    for size in (SMALLEST - 1, LARGEST + 1):
        certificate = of_size(size) if size > LARGEST else self_signed()[:size]
        answer = handled(HIERARCHY, SetServerCertificate(certificate))
        assert (answer.error, str(size) in answer.reason) == ("TypeError", True)
    assert "no X.509" in handled(HIERARCHY, SetServerCertificate(bytes(SMALLEST))).reason


@pytest.mark.rule("D005")
def test_a_certificate_can_be_set_again() -> None:
    first, second = (SetServerCertificate(self_signed(name)) for name in ("one.example", "two.example"))
    assert handled(HIERARCHY, first, second, first).value is True
    assert handled(HIERARCHY, first, SetServerCertificate(bytes(200)), second).value is True


@pytest.mark.rule("D006")
@pytest.mark.parametrize("certificate", [False, True])
@pytest.mark.parametrize("key_system", [CLEARKEY, HIERARCHY])
def test_messages_of_clients_with_the_same_init_data_hold_nothing_that_tells_them_apart(
    key_system: str, certificate: bool
) -> None:
    said = {_said(key_system, Draw(seed, client), certificate) for seed in (1, 2) for client in (1, 2, 3)}
    assert len(said) == 1
    kinds = [kind for kind, _ in said.pop()]
    renewed = [MessageType.LICENSE_RENEWAL] if key_system == HIERARCHY else []
    assert kinds == [MessageType.LICENSE_REQUEST, *renewed, MessageType.LICENSE_RELEASE]


def _said(key_system: str, draw: Draw, certificate: bool) -> tuple[tuple[MessageType, bytes], ...]:
    """Every message of a client whose session is requested, licensed, renewed where that can be, and removed."""
    cdm = make(key_system, CdmSpec(), Pool(), VIRTUAL_EPOCH_US)
    if certificate:
        cdm.handle(SetServerCertificate(self_signed(f"{draw.value(Purpose.SESSION, 0, 8).hex()}.example")), 0, draw)
    persistent = SessionType.PERSISTENT_LICENSE
    renewed = Policy(persist=True, renew_at_ms=EPOCH_MS + 1)
    license_bytes = {CLEARKEY: write_license([(kid(1), key(1))], persistent), HIERARCHY: license_(1, policy=renewed)}
    calls: tuple[Call, ...] = (
        GenerateRequest(0, 0, persistent, "keyids", keyids.write([kid(1), kid(2)])),
        Update(0, 0, license_bytes[key_system]),
        Wake(),
        Remove(0, 0),
    )
    answers = [cdm.handle(call, now * SECOND, draw) for now, call in enumerate(calls)]
    return tuple(message for answer in answers if isinstance(answer, Handled) for message in _messages(answer))


def _messages(answer: Handled) -> Iterator[tuple[MessageType, bytes]]:
    if answer.message is not None:
        yield answer.message
    yield from (change.message for change in answer.changes if change.message is not None)


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("D013")
@pytest.mark.parametrize("has", list(Output))
def test_a_display_below_the_version_asked_for_restricts_the_output(has: Output) -> None:
    versions = list(Output)
    for asked in versions:
        met = versions.index(asked) <= versions.index(has)
        answer = handled(HIERARCHY, GetStatusForPolicy(asked), spec=CdmSpec(hdcp=has))
        assert answer.value is (KeyStatus.USABLE if met else KeyStatus.OUTPUT_RESTRICTED)


@pytest.mark.rule("D013")
def test_another_display_gives_another_answer() -> None:
    asked = GetStatusForPolicy("1.0")
    assert handled(HIERARCHY, asked).value is KeyStatus.USABLE
    assert handled(HIERARCHY, DisplayChanged(""), asked).value is KeyStatus.OUTPUT_RESTRICTED
    assert handled(HIERARCHY, DisplayChanged(""), DisplayChanged("1.4"), asked).value is KeyStatus.USABLE


@pytest.mark.rule("D012")
@pytest.mark.parametrize("version", ["", "2", "2.4", "1.0 ", "HDCP 2.2", "\u0662.2", "1.00"])
def test_a_version_that_nobody_knows_cannot_be_judged(version: str) -> None:
    assert handled(HIERARCHY, GetStatusForPolicy(version)).error == "NotSupportedError"


@pytest.mark.rule("D015")
def test_a_version_is_judged_before_it_is_compared() -> None:
    assert handled(HIERARCHY, GetStatusForPolicy("9.9"), spec=CdmSpec(hdcp="")).error == "NotSupportedError"


@pytest.mark.rule("D014")
@pytest.mark.parametrize("version", ["", "1.0", "2.3", "9.9", "rubbish"])
def test_clear_key_answers_every_policy_with_usable(version: str) -> None:
    answer = handled(CLEARKEY, GetStatusForPolicy(version), spec=CdmSpec(hdcp=""))
    assert answer.value is KeyStatus.USABLE


# ── what is decided before a CDM is asked ────────────────────────────────────────────────────────────────────────────


@pytest.mark.rule("D001")
@pytest.mark.rule("D002")
def test_whether_certificates_are_taken_is_asked_before_whether_there_is_one() -> None:
    clear_key, hierarchy = KEY_SYSTEMS[CLEARKEY], KEY_SYSTEMS[HIERARCHY]
    assert media_keys.set_server_certificate(clear_key, b"") is False
    empty = media_keys.set_server_certificate(hierarchy, b"")
    assert isinstance(empty, EmeError)
    assert empty.name == "TypeError"
    assert media_keys.set_server_certificate(hierarchy, b"x") == SetServerCertificate(b"x")


@pytest.mark.rule("D010")
@pytest.mark.rule("D011")
@pytest.mark.rule("D015")
@pytest.mark.parametrize(
    "policy",
    [None, {}, {"min_hdcp_version": None}, {"min_hdcp_version": 2.2}, {"hdcp": "2.2"}, {"minHdcpVersion": "2.2"},
     {"min_hdcp_version": "rubbish", "other": 1}, {"min_hdcp_version": "2.2", "other": "1"}, "2.2", 7],
)  # fmt: skip
def test_a_policy_without_known_members_of_their_types_is_a_type_error(policy: object) -> None:
    refused = media_keys.get_status_for_policy(policy, {})
    assert isinstance(refused, EmeError)
    assert refused.name == "TypeError"


def test_members_of_a_policy_are_given_by_mapping_or_by_name() -> None:
    asked = GetStatusForPolicy("2.2")
    assert media_keys.get_status_for_policy({"min_hdcp_version": "2.2"}, {}) == asked
    assert media_keys.get_status_for_policy(None, {"min_hdcp_version": "2.2"}) == asked
    refused = media_keys.settle(asked, Handled(error="NotSupportedError", reason="no"))
    assert refused.error is not None
    assert refused.error.name == "NotSupportedError"


# ── the tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_device_reaches_the_robustness_levels_up_to_its_own() -> None:
    def levels(level: int) -> set[str]:
        ways = key_systems(CdmSpec(robustness_level=level))[HIERARCHY].ways
        return {it for way in ways for it in way.video_robustness}

    assert [levels(level) for level in (1, 2, 3)] == [{"1"}, {"1", "2"}, {"1", "2", "3"}]
    assert all(KEY_SYSTEMS[name].ways for name in (CLEARKEY, HIERARCHY))


@pytest.mark.parametrize("key_system", [CLEARKEY, HIERARCHY])
def test_usage_records_exist_only_where_their_feature_is_on(key_system: str) -> None:
    usage = SessionType.PERSISTENT_USAGE_RECORD
    off = key_systems(CdmSpec())[key_system]
    on = key_systems(CdmSpec(features=("persistent_usage_record",)))[key_system]
    assert usage not in (*off.session_types, *off.enumerated)
    assert usage in on.session_types
    assert usage in on.enumerated


@pytest.mark.rule("B003")
def test_a_cdm_fails_to_start_only_with_names_that_are_known() -> None:
    with pytest.raises(UsageError):
        CdmSpec(create_fail="SyntaxError")
    with pytest.raises(EmeError) as caught:
        make(CLEARKEY, CdmSpec(create_fail="QuotaExceededError"), Pool(), 0)
    assert caught.value.name == "QuotaExceededError"
